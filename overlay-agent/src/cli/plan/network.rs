//! What `overlay network …` asks for.

use super::{List, invalid};
use crate::{
    api::types::{Breadth, NetworkConnect, NetworkCreate},
    cli::{
        arguments::{
            AddressArguments,
            network::{CreateArguments, Driver, NetworkVerb},
        },
        attach_options::Wish,
        filter::{Filter, NetworkTerm},
        pair,
    },
};

#[derive(Debug)]
pub(in crate::cli) enum NetworkQuestion {
    List(List, Filter<NetworkTerm>),
    Inspect {
        networks: Vec<String>,
        breadth: Breadth,
    },
    Create(NetworkCreate),
    Remove {
        networks: Vec<String>,
        /// That one is not there is no failure.
        may_miss: bool,
    },
    Prune {
        is_forced: bool,
    },
    Connect {
        network: String,
        request: NetworkConnect,
    },
    Disconnect {
        network: String,
        endpoint: String,
        /// Whether a task's connections may end first.
        is_planned: bool,
    },
}

pub(super) fn network(verb: NetworkVerb) -> Result<NetworkQuestion, clap::Error> {
    Ok(match verb {
        NetworkVerb::Ls {
            filter,
            quiet,
            no_trunc,
        } => NetworkQuestion::List(List::new(quiet, no_trunc), Filter(filter)),
        NetworkVerb::Inspect { networks, verbose } => NetworkQuestion::Inspect {
            networks,
            breadth: if verbose {
                Breadth::Cluster
            } else {
                Breadth::Node
            },
        },
        NetworkVerb::Create(typed) => create(typed),
        NetworkVerb::Rm { force, networks } => NetworkQuestion::Remove {
            networks,
            may_miss: force,
        },
        NetworkVerb::Prune { force } => NetworkQuestion::Prune { is_forced: force },
        NetworkVerb::Connect {
            addresses,
            network,
            endpoint,
        } => connect(addresses, network, endpoint)?,
        NetworkVerb::Disconnect {
            force,
            network,
            endpoint,
        } => NetworkQuestion::Disconnect {
            network,
            endpoint,
            is_planned: !force,
        },
    })
}

fn create(typed: CreateArguments) -> NetworkQuestion {
    let Driver::Overlay = typed.driver;
    let reserved = typed.aux_address.into_iter();
    NetworkQuestion::Create(NetworkCreate {
        name: typed.name,
        subnets: typed.subnet,
        ranges: typed.ip_range,
        gateways: typed.gateway,
        reserved: reserved.map(|one| (one.name, one.address)).collect(),
        ipv4: typed.ipv4,
        ipv6: typed.ipv6,
        attachable: typed.attachable,
        ingress: typed.ingress,
        internal: typed.internal,
        labels: pair::by_name(typed.label),
        options: pair::by_name(typed.opt),
    })
}

fn connect(
    typed: AddressArguments,
    network: String,
    endpoint: String,
) -> Result<NetworkQuestion, clap::Error> {
    let wish = Wish::new(network, typed);
    let wish = wish.map_err(|error| invalid(&["network", "connect"], error))?;
    Ok(NetworkQuestion::Connect {
        network: wish.network,
        request: NetworkConnect {
            endpoint,
            addresses: wish.addresses,
            mac: wish.mac,
        },
    })
}
