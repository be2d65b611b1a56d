//! `overlay service …` as it may be typed.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::swarm::duration;
use crate::{
    cli::{filter::ServiceTerm, pair::Pair},
    model::EndpointMode,
};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ServiceVerb {
    /// List services
    #[command(visible_alias = "list")]
    Ls {
        /// Only those that are so: name=, id=, label=, mode=vip|dnsrr
        #[arg(short, long, value_name = "KEY=VALUE")]
        filter: Vec<ServiceTerm>,
        /// Print identifiers alone
        #[arg(short, long)]
        quiet: bool,
        /// Print identifiers in full
        #[arg(long)]
        no_trunc: bool,
    },
    /// Show all that is known of some services, as JSON
    Inspect {
        /// Print it for people
        #[arg(long)]
        pretty: bool,
        /// Names, identifiers or their beginnings
        #[arg(required = true, value_name = "SERVICE")]
        services: Vec<String>,
    },
    /// Make a service; `run` and `attach` with --service make its tasks
    Create(ServiceCreateArguments),
    /// List the tasks of services
    Ps {
        /// Print identifiers in full
        #[arg(long)]
        no_trunc: bool,
        /// Print identifiers alone
        #[arg(short, long)]
        quiet: bool,
        /// Names, identifiers or their beginnings
        #[arg(required = true, value_name = "SERVICE")]
        services: Vec<String>,
    },
    /// Change a service
    Update(ServiceUpdateArguments),
    /// Take services away; their tasks lose their endpoints
    #[command(visible_alias = "remove")]
    Rm {
        /// Names, identifiers or their beginnings
        #[arg(required = true, value_name = "SERVICE")]
        services: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ServiceCreateArguments {
    /// Its name
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: String,
    /// A network of its tasks; again for more [default: the ingress network]
    #[arg(long, value_name = "NETWORK")]
    pub(in crate::cli) network: Vec<String>,
    /// Port of all nodes that leads to one of the tasks, as 8080:80, 53:53/udp, 8000-8010:80-90, 80 or
    /// published=8080,target=80,protocol=tcp,mode=ingress|host; again for more
    #[arg(short, long, value_name = "PORT")]
    pub(in crate::cli) publish: Vec<String>,
    /// What its name stands for: one virtual address, or its tasks' in turn
    #[arg(long, value_name = "MODE", default_value = "vip")]
    pub(in crate::cli) endpoint_mode: ModeArgument,
    /// A label; again for more
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub(in crate::cli) label: Vec<Pair>,
    /// `dsr`: nodes of tasks answer clients from outside themselves
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(in crate::cli) opt: Vec<Pair>,
    /// How long flows to a task go on after its end was announced
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(in crate::cli) drain: Duration,
    #[command(flatten)]
    pub(in crate::cli) health: HealthArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ServiceUpdateArguments {
    /// A network that it gets, and its tasks with it; again for more
    #[arg(long, value_name = "NETWORK")]
    pub(in crate::cli) network_add: Vec<String>,
    /// A network that it loses, and its tasks with it; again for more
    #[arg(long, value_name = "NETWORK")]
    pub(in crate::cli) network_rm: Vec<String>,
    /// A port that it gets, as with `create --publish`; again for more
    #[arg(long, value_name = "PORT")]
    pub(in crate::cli) publish_add: Vec<String>,
    /// A port that it loses, by the tasks' port: 80, 53/udp or target=80,mode=host; again for more
    #[arg(long, value_name = "PORT")]
    pub(in crate::cli) publish_rm: Vec<String>,
    /// A label that it gets; again for more
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(in crate::cli) label_add: Vec<Pair>,
    /// Name of a label that it loses; again for more
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) label_rm: Vec<String>,
    /// What its name stands for
    #[arg(long, value_name = "MODE")]
    pub(in crate::cli) endpoint_mode: Option<ModeArgument>,
    /// An option that it gets, `dsr` or `dsr=false`
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(in crate::cli) opt: Vec<Pair>,
    /// How long flows to a task go on after its end was announced
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) drain: Option<Duration>,
    #[command(flatten)]
    pub(in crate::cli) health: HealthArguments,
    /// No health check any more
    #[arg(long, conflicts_with_all = ["tcp", "http"])]
    pub(in crate::cli) no_healthcheck: bool,
    /// Its name, identifier or a beginning of that
    #[arg(value_name = "SERVICE")]
    pub(in crate::cli) service: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct HealthArguments {
    /// A task takes new flows while it accepts connections at this port
    #[arg(long = "health-tcp", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) tcp: Option<u16>,
    /// A task takes new flows while it answers a GET with a status from 200 to 399, as 80/healthz
    #[arg(long = "health-http", value_name = "PORT/PATH", conflicts_with = "tcp")]
    pub(in crate::cli) http: Option<HttpProbe>,
    /// Time from one try to the next [default: 5s]
    #[arg(long = "health-interval", value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) interval: Option<Duration>,
    /// Time until a try has failed [default: 3s]
    #[arg(long = "health-timeout", value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) timeout: Option<Duration>,
    /// Failures in a row until a task takes no new flows [default: 3]
    #[arg(long = "health-retries", value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) retries: Option<u32>,
}

/// `80/healthz`: a port, and a path from the slash on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::cli) struct HttpProbe {
    pub(in crate::cli) port: u16,
    pub(in crate::cli) path: String,
}

impl std::str::FromStr for HttpProbe {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let end = text.find('/').unwrap_or(text.len());
        let (port, path) = text.split_at(end);
        let port = port.parse().ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| format!("`{text}` is not like 80/healthz"))?;
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self {
            port,
            path: path.to_owned(),
        })
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum ModeArgument {
    Vip,
    Dnsrr,
}

impl From<ModeArgument> for EndpointMode {
    fn from(typed: ModeArgument) -> Self {
        match typed {
            ModeArgument::Vip => Self::Vip,
            ModeArgument::Dnsrr => Self::Dnsrr,
        }
    }
}
