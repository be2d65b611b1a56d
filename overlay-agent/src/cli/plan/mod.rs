//! What a command line asks for, checked: nothing here can still be wrong usage.

mod network;
mod node;
mod service;
mod swarm;

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use clap::{CommandFactory, error::ErrorKind};
pub(super) use network::NetworkQuestion;
pub(super) use node::NodeQuestion;
pub(super) use service::ServiceQuestion;
pub(super) use swarm::SwarmQuestion;

use super::{
    arguments::{Arguments, AttachArguments, ListOrInspect, RunArguments, Shell, Verb},
    attach_options::Wish,
    format::Format,
};
use crate::{
    api::types::{AttachRequest, TaskAttach},
    model::PortWish,
    settings::check_name,
};

/// One thing to do.
#[derive(Debug)]
pub(super) struct Plan {
    /// The agent's run directory, absolute.
    pub(super) run_dir: PathBuf,
    /// `None`: what the verb prints when nobody asks.
    pub(super) format: Option<Format>,
    pub(super) action: Action,
}

#[derive(Debug)]
pub(super) enum Action {
    /// Answered by the agent at once.
    Ask(Question),
    /// Answered by the agent as long as it lasts.
    Monitor,
    Run(Run),
    Completions(clap_complete::Shell),
}

#[derive(Debug)]
pub(super) enum Question {
    Attach {
        request: AttachRequest,
        is_quiet: bool,
    },
    AttachTask {
        service: String,
        request: TaskAttach,
        is_quiet: bool,
    },
    Detach {
        endpoints: Vec<String>,
        network: Option<String>,
        /// Whether tasks end their connections first.
        is_planned: bool,
    },
    ListEndpoints(List),
    InspectEndpoints(Vec<String>),
    Network(NetworkQuestion),
    Node(NodeQuestion),
    Service(ServiceQuestion),
    Swarm(SwarmQuestion),
    Status,
    Doctor,
    Stats {
        with_zeroes: bool,
    },
    Explain {
        source: String,
        destination: String,
        network: Option<String>,
    },
    Audit,
}

/// How much of a list to print.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    pub(super) is_quiet: bool,
    pub(super) in_full: bool,
}

/// A command with interfaces of its own.
#[derive(Debug)]
pub(super) struct Run {
    /// One for each interface; none: those of the service.
    pub(super) wishes: Vec<Wish>,
    /// The service of which it is a task.
    pub(super) service: Option<String>,
    /// Other names under which it is found.
    pub(super) aliases: Vec<String>,
    /// Ports of this node that lead to it, where its networks are the service's.
    pub(super) ports: Vec<PortWish>,
    /// `None`: to be made up.
    pub(super) name: Option<String>,
    pub(super) program: OsString,
    pub(super) arguments: Vec<OsString>,
}

impl TryFrom<Arguments> for Plan {
    type Error = clap::Error;

    fn try_from(typed: Arguments) -> Result<Self, clap::Error> {
        let format = typed.format.as_deref().map(Format::parse).transpose();
        let format = format.map_err(|error| invalid(&[], format!("--format: {error}")))?;
        Ok(Self {
            run_dir: absolute(&typed.run_dir, "--run-dir")?,
            format,
            action: action(typed.verb)?,
        })
    }
}

fn action(verb: Verb) -> Result<Action, clap::Error> {
    let question = match verb {
        Verb::Run(typed) => return run(typed).map(Action::Run),
        Verb::Monitor => return Ok(Action::Monitor),
        Verb::Completions { shell } => {
            return Ok(Action::Completions(match shell {
                Shell::Bash => clap_complete::Shell::Bash,
                Shell::Zsh => clap_complete::Shell::Zsh,
                Shell::Fish => clap_complete::Shell::Fish,
            }));
        }
        Verb::Attach(typed) => attach(typed)?,
        Verb::Detach {
            endpoints,
            network,
            force,
        } => Question::Detach {
            endpoints,
            network,
            is_planned: !force,
        },
        Verb::Endpoint(ListOrInspect::Ls { quiet, no_trunc }) => {
            Question::ListEndpoints(List::new(quiet, no_trunc))
        }
        Verb::Endpoint(ListOrInspect::Inspect { names }) => Question::InspectEndpoints(names),
        Verb::Network(verb) => Question::Network(network::network(verb)?),
        Verb::Service(verb) => Question::Service(service::service(verb)?),
        Verb::Node(verb) => Question::Node(node::node(verb)?),
        Verb::Swarm(verb) => Question::Swarm(swarm::swarm(verb)?),
        Verb::Status => Question::Status,
        Verb::Doctor => Question::Doctor,
        Verb::Stats { all } => Question::Stats { with_zeroes: all },
        Verb::Explain {
            source,
            destination,
            network,
        } => Question::Explain {
            source,
            destination,
            network,
        },
        Verb::Audit => Question::Audit,
    };
    Ok(Action::Ask(question))
}

impl Question {
    /// What is lost by it, where one should be asked before.
    pub(super) fn warning(&self) -> Option<&'static str> {
        match self {
            Self::Network(NetworkQuestion::Prune { is_forced: false }) => {
                Some("This will remove all custom networks not used by at least one container.")
            }
            Self::Network(NetworkQuestion::Remove {
                networks,
                may_miss: false,
            }) if networks.iter().any(|name| name == "ingress") => Some(
                "Before removing the routing-mesh network, make sure that no node runs an older agent. \
                 Published ports of all nodes answer no more until there is another ingress network \
                 (`overlay network create --ingress`).",
            ),
            Self::Attach { .. }
            | Self::AttachTask { .. }
            | Self::Detach { .. }
            | Self::ListEndpoints(_)
            | Self::InspectEndpoints(_)
            | Self::Network(_)
            | Self::Node(_)
            | Self::Service(_)
            | Self::Swarm(_)
            | Self::Status
            | Self::Doctor
            | Self::Stats { .. }
            | Self::Explain { .. }
            | Self::Audit => None,
        }
    }
}

impl List {
    fn new(is_quiet: bool, in_full: bool) -> Self {
        Self { is_quiet, in_full }
    }
}

fn run(typed: RunArguments) -> Result<Run, clap::Error> {
    let wishes = Wish::several(&typed.network, typed.addresses);
    let mut wishes = wishes.map_err(|error| invalid(&["run"], error))?;
    let mut of_service = Wish::of_service();
    // The first network is the one by which the container reaches the outside.
    let first = wishes.first_mut().unwrap_or(&mut of_service);
    let published = first.publish(&typed.publish);
    published.map_err(|error| invalid(&["run"], format!("--publish: {error}")))?;
    check_aliases(&typed.task.alias, &["run"])?;
    if let Some(name) = &typed.name {
        check_name(name).map_err(|error| invalid(&["run"], format!("--name: {error}")))?;
    }
    let mut words = typed.command.into_iter();
    let missing = || {
        invalid(
            &["run"],
            "a command is missing; write it after --".to_owned(),
        )
    };
    Ok(Run {
        wishes,
        service: typed.task.service,
        aliases: typed.task.alias,
        ports: of_service.ports,
        name: typed.name,
        program: words.next().ok_or_else(missing)?,
        arguments: words.collect(),
    })
}

fn attach(typed: AttachArguments) -> Result<Question, clap::Error> {
    let wish = match typed.network {
        Some(network) => Wish::new(network, typed.addresses),
        None => Wish::several(&[], typed.addresses).map(|_none| Wish::of_service()),
    };
    let mut wish = wish.map_err(|error| invalid(&["attach"], error))?;
    let published = wish.publish(&typed.publish);
    published.map_err(|error| invalid(&["attach"], format!("--publish: {error}")))?;
    check_name(&typed.name).map_err(|error| invalid(&["attach"], format!("--name: {error}")))?;
    check_aliases(&typed.task.alias, &["attach"])?;
    let netns = absolute(&typed.netns, "--netns")?;
    let is_quiet = typed.quiet;
    if let (Some(service), true) = (&typed.task.service, wish.network.is_empty()) {
        return Ok(Question::AttachTask {
            service: service.clone(),
            request: TaskAttach {
                netns,
                name: typed.name,
                aliases: typed.task.alias,
                ports: wish.ports,
            },
            is_quiet,
        });
    }
    Ok(Question::Attach {
        request: AttachRequest {
            netns,
            network: wish.network,
            name: typed.name,
            addresses: wish.addresses,
            mac: wish.mac,
            service: typed.task.service,
            aliases: typed.task.alias,
            ports: wish.ports,
        },
        is_quiet,
    })
}

fn check_aliases(aliases: &[String], verb: &[&str]) -> Result<(), clap::Error> {
    aliases.iter().try_for_each(|alias| {
        check_name(alias).map_err(|error| invalid(verb, format!("--alias: {error}")))
    })
}

/// The agent has another working directory.
fn absolute(path: &Path, option: &str) -> Result<PathBuf, clap::Error> {
    let found: io::Result<PathBuf> = std::path::absolute(path);
    found.map_err(|error| invalid(&[], format!("{option} {}: {error}", path.display())))
}

/// Wrong usage, told like clap's own, with the usage of the verb.
fn invalid(verb: &[&str], message: String) -> clap::Error {
    let mut command = Arguments::command();
    command.build();
    let found = verb
        .iter()
        .try_fold(&mut command, |c, name| c.find_subcommand_mut(name));
    match found {
        Some(command) => command.error(ErrorKind::ValueValidation, message),
        None => clap::Error::raw(ErrorKind::ValueValidation, format!("{message}\n")),
    }
}
