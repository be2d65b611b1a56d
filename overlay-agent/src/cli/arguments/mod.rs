//! The command line exactly as it may be typed; what it means is decided in `plan`.

pub(super) mod network;
pub(super) mod node;
pub(super) mod service;
pub(super) mod swarm;

use std::{ffi::OsString, net::IpAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use network::NetworkVerb;
use node::NodeVerb;
use service::ServiceVerb;
use swarm::SwarmVerb;

use crate::model::MacAddress;

/// Options of every command stand apart from its own.
const GLOBAL: &str = "Options of every command";

/// Connects containers on many hosts; the data plane is eBPF.
#[derive(Debug, Parser)]
#[command(name = "overlay", version, arg_required_else_help = true)]
pub(super) struct Arguments {
    /// The agent's run directory, where its socket is
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "/run/overlay",
        help_heading = GLOBAL
    )]
    pub(super) run_dir: PathBuf,
    /// `table`, `json`, a template like '{{.Name}}', or 'table {{.Name}}\t{{.IPv4}}'
    #[arg(long, global = true, value_name = "FORMAT", help_heading = GLOBAL)]
    pub(super) format: Option<String>,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Run a command in a network namespace of its own, attached to networks
    Run(RunArguments),
    /// Attach an existing network namespace to a network
    Attach(AttachArguments),
    /// Take endpoints away
    Detach {
        /// Names or identifiers of endpoints
        #[arg(required = true, value_name = "ENDPOINT")]
        endpoints: Vec<String>,
        /// Only from this network
        #[arg(long, value_name = "NETWORK")]
        network: Option<String>,
        /// Cut the connections of tasks instead of waiting for them to end
        #[arg(short, long, alias = "now")]
        force: bool,
    },
    /// See the endpoints of this node
    #[command(subcommand)]
    Endpoint(ListOrInspect),
    /// See, make and take away networks
    #[command(subcommand)]
    Network(NetworkVerb),
    /// See, make, change and take away services
    #[command(subcommand)]
    Service(ServiceVerb),
    /// See and change the nodes of the swarm
    #[command(subcommand)]
    Node(NodeVerb),
    /// Make, join and leave a swarm, and see to its secrets
    #[command(subcommand)]
    Swarm(SwarmVerb),
    /// Show the agent and its data plane at a glance
    Status,
    /// Check everything that could keep this node from working
    Doctor,
    /// Count packets by the way they took and drops by reason
    Stats {
        /// Show reasons that never struck, too
        #[arg(short, long)]
        all: bool,
    },
    /// Print dropped packets as they are dropped
    Monitor,
    /// Say whether a packet would arrive, and which step decides
    Explain {
        /// Address or name of the sender
        #[arg(value_name = "SRC")]
        source: String,
        /// Address or name of the receiver
        #[arg(value_name = "DST")]
        destination: String,
        /// The network, where both are in more than one
        #[arg(long, value_name = "NETWORK")]
        network: Option<String>,
    },
    /// Compare kernel and desired state now, and repair
    Audit,
    /// Print a completion script
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// The network; again for more, and `name=N,ip=A,mac-address=M` to choose addresses there
    #[arg(long, required_unless_present = "service", value_name = "NETWORK")]
    pub(super) network: Vec<String>,
    #[command(flatten)]
    pub(super) task: TaskArguments,
    /// Name of the endpoint; default: run- and six hexadecimal digits
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    #[command(flatten)]
    pub(super) addresses: AddressArguments,
    /// Port of this node that leads to one of the endpoint's, as 8080:80, 192.0.2.1:53:53/udp or 80
    #[arg(short, long, value_name = "PORT")]
    pub(super) publish: Vec<String>,
    /// The command and its arguments, best after `--`
    #[arg(trailing_var_arg = true, required = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(super) struct AttachArguments {
    /// Path of the network namespace, like /run/netns/x or /proc/4711/ns/net
    #[arg(long, value_name = "PATH")]
    pub(super) netns: PathBuf,
    /// The network
    #[arg(long, required_unless_present = "service", value_name = "NETWORK")]
    pub(super) network: Option<String>,
    #[command(flatten)]
    pub(super) task: TaskArguments,
    /// Name of the endpoint
    #[arg(long, value_name = "NAME")]
    pub(super) name: String,
    #[command(flatten)]
    pub(super) addresses: AddressArguments,
    /// Port of this node that leads to one of the endpoint's, as 8080:80, 192.0.2.1:53:53/udp or 80
    #[arg(short, long, value_name = "PORT")]
    pub(super) publish: Vec<String>,
    /// Print the identifier alone
    #[arg(short, long)]
    pub(super) quiet: bool,
}

#[derive(Debug, Args)]
pub(super) struct TaskArguments {
    /// Make it a task of this service; without --network in every network that the service is on
    #[arg(long, value_name = "SERVICE")]
    pub(super) service: Option<String>,
    /// Another name under which it is found in its networks; again for more
    #[arg(long, visible_alias = "network-alias", value_name = "NAME")]
    pub(super) alias: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct AddressArguments {
    /// Address of the endpoint; once more for the other family
    #[arg(long, visible_alias = "ip6", value_name = "ADDRESS")]
    pub(super) ip: Vec<IpAddr>,
    /// Ethernet address of the endpoint
    #[arg(long, visible_alias = "mac-address", value_name = "MAC")]
    pub(super) mac: Option<MacAddress>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ListOrInspect {
    /// List them
    #[command(visible_alias = "list")]
    Ls {
        /// Print what `inspect` takes, alone
        #[arg(short, long)]
        quiet: bool,
        /// Print identifiers in full
        #[arg(long)]
        no_trunc: bool,
    },
    /// Show all that is known of some, as JSON
    Inspect {
        /// Names; endpoints also by identifier or its beginning
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
}
