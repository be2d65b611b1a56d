//! `overlay network …` as it may be typed.

use std::net::IpAddr;

use clap::{ArgAction, Args, Subcommand, ValueEnum};
use ipnet::IpNet;

use super::AddressArguments;
use crate::cli::{
    filter::NetworkTerm,
    pair::{NamedAddress, Pair},
};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum NetworkVerb {
    /// List networks
    #[command(visible_alias = "list")]
    Ls {
        /// Only those that are so: name=, id=, label=, driver=, scope=swarm|local
        #[arg(short, long, value_name = "KEY=VALUE")]
        filter: Vec<NetworkTerm>,
        /// Print what `inspect` takes, alone
        #[arg(short, long)]
        quiet: bool,
        /// Print identifiers in full
        #[arg(long)]
        no_trunc: bool,
    },
    /// Show all that is known of some networks, as JSON
    Inspect {
        /// List the containers of every node, not only of this one
        #[arg(short, long)]
        verbose: bool,
        /// Names, identifiers or their beginnings
        #[arg(required = true, value_name = "NETWORK")]
        networks: Vec<String>,
    },
    /// Make a network
    Create(CreateArguments),
    /// Take networks away
    #[command(visible_alias = "remove")]
    Rm {
        /// Do not mind networks that are not there, and do not ask about the ingress network
        #[arg(short, long)]
        force: bool,
        /// Names, identifiers or their beginnings
        #[arg(required = true, value_name = "NETWORK")]
        networks: Vec<String>,
    },
    /// Take every network away that nothing uses
    Prune {
        /// Do not ask
        #[arg(short, long)]
        force: bool,
    },
    /// Put an endpoint of this node into one more network
    Connect {
        #[command(flatten)]
        addresses: AddressArguments,
        /// The network
        #[arg(value_name = "NETWORK")]
        network: String,
        /// Name or identifier of the endpoint
        #[arg(value_name = "ENDPOINT")]
        endpoint: String,
    },
    /// Take an endpoint of this node out of a network
    Disconnect {
        /// Cut the connections of a task instead of waiting for them to end
        #[arg(short, long)]
        force: bool,
        /// The network
        #[arg(value_name = "NETWORK")]
        network: String,
        /// Name or identifier of the endpoint
        #[arg(value_name = "ENDPOINT")]
        endpoint: String,
    },
}

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of the command line"
)]
pub(in crate::cli) struct CreateArguments {
    /// The driver; there is one
    #[arg(short, long, value_name = "DRIVER", default_value = "overlay")]
    pub(in crate::cli) driver: Driver,
    /// Let containers join that are no tasks of a service
    #[arg(long)]
    pub(in crate::cli) attachable: bool,
    /// Let nodes send each other by it what came to published ports; there is one such network
    #[arg(long)]
    pub(in crate::cli) ingress: bool,
    /// No way out of the network
    #[arg(long)]
    pub(in crate::cli) internal: bool,
    /// Whether it has IPv4
    #[arg(
        long,
        value_name = "true|false",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = true,
        default_missing_value = "true",
        action = ArgAction::Set
    )]
    pub(in crate::cli) ipv4: bool,
    /// Whether it has IPv6
    #[arg(
        long,
        value_name = "true|false",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        action = ArgAction::Set
    )]
    pub(in crate::cli) ipv6: bool,
    /// Its subnet; once more for the other family [default: one of the swarm's pools]
    #[arg(long, value_name = "SUBNET")]
    pub(in crate::cli) subnet: Vec<IpNet>,
    /// Part of a subnet from which containers get their addresses
    #[arg(long, value_name = "SUBNET")]
    pub(in crate::cli) ip_range: Vec<IpNet>,
    /// Gateway of a subnet [default: its first address]
    #[arg(long, value_name = "ADDRESS")]
    pub(in crate::cli) gateway: Vec<IpAddr>,
    /// An address that is never given to a container; again for more
    #[arg(long, value_name = "NAME=ADDRESS")]
    pub(in crate::cli) aux_address: Vec<NamedAddress>,
    /// A label; again for more
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(in crate::cli) label: Vec<Pair>,
    /// A driver option like `encrypted` or `com.docker.network.driver.mtu=1400`; again for more
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub(in crate::cli) opt: Vec<Pair>,
    /// Its name
    #[arg(value_name = "NETWORK")]
    pub(in crate::cli) name: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum Driver {
    Overlay,
}
