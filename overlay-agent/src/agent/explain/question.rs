//! Who is meant: names and addresses, in which network.

use std::{collections::BTreeSet, fmt, net::IpAddr, sync::Arc};

use crate::{
    agent::{directory::Ambiguous, shared::Shared},
    api::ApiError,
    model::{Attachment, Network, Place, Vni},
};

/// One side of a conversation.
#[derive(Clone, Debug)]
pub(super) struct Party {
    /// Its address.
    pub(super) address: IpAddr,
    /// Its endpoint, if it is on this node.
    pub(super) endpoint: Option<Arc<Attachment>>,
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Some(endpoint) => write!(f, "{} ({})", endpoint.name, self.address),
            None => self.address.fmt(f),
        }
    }
}

/// A packet that somebody asks about.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// The network.
    pub(super) network: Network,
    /// Who sends.
    pub(super) source: Party,
    /// Who should receive.
    pub(super) destination: Party,
}

/// What was typed for one side.
enum Reference<'a> {
    Address(IpAddr),
    Name(&'a str, Vec<Arc<Attachment>>),
}

impl Question {
    /// Finds out who is meant.
    pub(super) fn resolve(
        shared: &Shared,
        source: &str,
        destination: &str,
        network: Option<&str>,
    ) -> Result<Self, ApiError> {
        let source = Reference::parse(shared, source)?;
        let destination = Reference::parse(shared, destination)?;
        let network = find_network(shared, &source, &destination, network)?;
        let is_ipv4 = family(&source, &destination, network.vni)?;
        Ok(Self {
            source: source.in_network(shared, &network, is_ipv4)?,
            destination: destination.in_network(shared, &network, is_ipv4)?,
            network,
        })
    }

    /// What to say if both sides are elsewhere.
    pub(super) fn nobody_here(&self) -> ApiError {
        ApiError::bad_request(format!(
            "neither {} nor {} is on this node in network {}",
            self.source, self.destination, self.network.name
        ))
        .with_help("ask on the node that has one of them")
    }

    /// The destination in its network.
    pub(super) fn target(&self) -> Place {
        Place {
            vni: self.network.vni,
            address: self.destination.address,
        }
    }
}

impl<'a> Reference<'a> {
    fn parse(shared: &Shared, text: &'a str) -> Result<Self, ApiError> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let found = shared.directory().find(text, None);
        let found = found.map_err(|Ambiguous| {
            ApiError::bad_request(format!(
                "more than one endpoint's identifier begins with {text}"
            ))
            .with_help("give more of it, or the endpoint's name")
        })?;
        if found.is_empty() {
            return Err(
                ApiError::not_found(format!("there is no endpoint {text} on this node"))
                    .with_help("give the address of an endpoint of another node"),
            );
        }
        Ok(Self::Name(text, found))
    }

    /// Networks in which it may be.
    fn networks(&self, shared: &Shared) -> BTreeSet<Vni> {
        match self {
            Self::Address(address) => {
                let desired = shared.desired();
                let networks = desired.networks.iter();
                let has = networks.filter(|network| network.subnet_of(*address).is_some());
                has.map(|network| network.vni).collect()
            }
            Self::Name(_, endpoints) => endpoints.iter().map(|endpoint| endpoint.vni).collect(),
        }
    }

    /// Whether it has an address of a family there.
    fn has_family(&self, vni: Vni, is_ipv4: bool) -> bool {
        match self {
            Self::Address(address) => address.is_ipv4() == is_ipv4,
            Self::Name(_, endpoints) => endpoints
                .iter()
                .filter(|endpoint| endpoint.vni == vni)
                .any(|endpoint| {
                    endpoint
                        .addresses()
                        .any(|address| address.is_ipv4() == is_ipv4)
                }),
        }
    }

    fn in_network(
        &self,
        shared: &Shared,
        network: &Network,
        is_ipv4: bool,
    ) -> Result<Party, ApiError> {
        match self {
            Self::Address(address) => {
                let place = Place {
                    vni: network.vni,
                    address: *address,
                };
                let endpoint = shared.directory().at(place).cloned();
                Ok(Party {
                    address: *address,
                    endpoint,
                })
            }
            Self::Name(name, endpoints) => {
                let mut there = endpoints
                    .iter()
                    .filter(|endpoint| endpoint.vni == network.vni);
                let found = there.find_map(|endpoint| {
                    let mut addresses = endpoint.addresses();
                    let address = addresses.find(|address| address.is_ipv4() == is_ipv4)?;
                    Some(Party {
                        address,
                        endpoint: Some(Arc::clone(endpoint)),
                    })
                });
                found.ok_or_else(|| {
                    ApiError::not_found(format!("{name} is not in network {}", network.name))
                })
            }
        }
    }
}

fn find_network(
    shared: &Shared,
    source: &Reference<'_>,
    destination: &Reference<'_>,
    network: Option<&str>,
) -> Result<Network, ApiError> {
    let desired = shared.desired();
    if let Some(name) = network {
        return desired.network(name).cloned().ok_or_else(|| {
            ApiError::not_found(format!("there is no network {name}"))
                .with_help("`overlay network ls` lists them")
        });
    }
    let (mine, theirs) = (source.networks(shared), destination.networks(shared));
    let mut common: Vec<Vni> = mine.intersection(&theirs).copied().collect();
    if common.is_empty() {
        // A sender's network is where its packets go, wherever they are for.
        common = mine.into_iter().collect();
    }
    match common.as_slice() {
        [vni] => desired.network_by_vni(*vni).cloned(),
        _ => None,
    }
    .ok_or_else(|| {
        ApiError::bad_request("it is not clear which network is meant")
            .with_help("say it with --network")
    })
}

fn family(source: &Reference<'_>, destination: &Reference<'_>, vni: Vni) -> Result<bool, ApiError> {
    let both = |is_ipv4| source.has_family(vni, is_ipv4) && destination.has_family(vni, is_ipv4);
    if both(true) {
        Ok(true)
    } else if both(false) {
        Ok(false)
    } else {
        Err(
            ApiError::bad_request("the two have no address of the same family in that network")
                .with_help("give two IPv4 or two IPv6 addresses"),
        )
    }
}
