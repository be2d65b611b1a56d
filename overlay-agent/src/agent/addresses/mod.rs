//! Which addresses a new endpoint gets. Pure: takes what is known, touches nothing.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::directory::Directory;
use crate::{
    api::ApiError,
    model::{Desired, Network, Node, Place},
};

/// What is known of a network's addresses.
#[derive(Clone, Copy)]
pub(super) struct Addresses<'a> {
    /// Nodes with their blocks and single addresses.
    pub(super) desired: &'a Desired,
    /// The network.
    pub(super) network: &'a Network,
    /// The endpoints of this node.
    pub(super) directory: &'a Directory,
    /// Which node has an address that is listed by itself.
    pub(super) listed_at: &'a dyn Fn(Place) -> Option<&'a Node>,
    /// Where blocks come from.
    pub(super) origin: Origin,
}

/// Where a node's blocks come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Origin {
    /// The configuration: there are no others.
    File,
    /// Managers, who may give more.
    Managers,
}

/// Why no addresses were chosen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum NoAddress {
    /// They might be, with another lease.
    Lacks(Need),
    /// They cannot be.
    Refused(ApiError),
}

/// What a node asks the managers for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Need {
    /// Any address of a family.
    Any {
        /// Which.
        is_ipv4: bool,
    },
    /// This one.
    Exact(IpAddr),
}

impl From<ApiError> for NoAddress {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

/// The addresses of an endpoint, with the prefix lengths of their subnets.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Chosen {
    pub(super) ipv4: Option<(Ipv4Addr, u8)>,
    pub(super) ipv6: Option<(Ipv6Addr, u8)>,
}

impl Chosen {
    /// The address that the Ethernet address follows from.
    pub(super) fn first(&self) -> Option<IpAddr> {
        let v4 = self.ipv4.map(|(address, _)| IpAddr::V4(address));
        v4.or(self.ipv6.map(|(address, _)| IpAddr::V6(address)))
    }

    /// All of them, IPv4 first.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let v4 = self.ipv4.map(|(address, _)| IpAddr::V4(address));
        let v6 = self.ipv6.map(|(address, _)| IpAddr::V6(address));
        v4.into_iter().chain(v6)
    }

    fn set(&mut self, address: IpAddr, prefix_length: u8) {
        match address {
            IpAddr::V4(address) => self.ipv4 = Some((address, prefix_length)),
            IpAddr::V6(address) => self.ipv6 = Some((address, prefix_length)),
        }
    }
}

impl<'a> Addresses<'a> {
    /// Takes the addresses that were asked for, and for every other family the lowest free one of this
    /// node's blocks. A family in which this node has no block and gets none is left out.
    pub(super) fn choose(&self, wishes: &[IpAddr]) -> Result<Chosen, NoAddress> {
        let mut chosen = Chosen::default();
        for wish in wishes {
            let has_family = wishes
                .iter()
                .filter(|other| other.is_ipv4() == wish.is_ipv4());
            if has_family.count() > 1 {
                return Err(ApiError::bad_request(format!(
                    "more than one address of a family was asked for: {}",
                    list(wishes)
                ))
                .with_help("an endpoint has at most one IPv4 and one IPv6 address in a network")
                .into());
            }
            let subnet = self.check(*wish)?;
            chosen.set(*wish, subnet.prefix_len());
        }
        for is_ipv4 in [true, false] {
            if wishes.iter().any(|wish| wish.is_ipv4() == is_ipv4) {
                continue;
            }
            if let Some(address) = self.lowest_free(is_ipv4)? {
                let subnet = self.network.subnet_of(address);
                chosen.set(address, subnet.map_or(0, |subnet| subnet.prefix_len()));
            }
        }
        if chosen.first().is_none() {
            return Err(self.no_blocks().into());
        }
        Ok(chosen)
    }

    /// The subnet of an address that an endpoint of this node may have.
    fn check(&self, address: IpAddr) -> Result<IpNet, NoAddress> {
        let Network { name, vni, .. } = self.network;
        let Some(subnet) = self.network.subnet_of(address) else {
            return Err(ApiError::bad_request(format!(
                "{address} is in no subnet of network {name}"
            ))
            .with_help(format!("its subnets are {}", list(&self.network.subnets)))
            .into());
        };
        if let Some(what) = self.reserved(address, subnet) {
            return Err(
                ApiError::conflict(format!("{address} is {what} of network {name}"))
                    .with_help("choose another address")
                    .into(),
            );
        }
        let place = Place { vni: *vni, address };
        if let Some(other) = self.directory.at(place) {
            return Err(ApiError::conflict(format!(
                "{address} is taken by endpoint {} in network {name}",
                other.name
            ))
            .with_help("choose another address, or detach that endpoint first")
            .into());
        }
        match (self.listed_at)(place).or_else(|| self.owner_of_block(address)) {
            Some(node) if self.desired.is_this(node) => Ok(subnet),
            // Another node's block may hold a single address of this one; the managers know.
            Some(_) | None if self.origin == Origin::Managers => {
                Err(NoAddress::Lacks(Need::Exact(address)))
            }
            Some(node) => Err(ApiError::conflict(format!(
                "{address} belongs to node {} in network {name}",
                node.name
            ))
            .with_help("attach there, or choose an address of this node's own blocks")
            .into()),
            None => Err(ApiError::conflict(format!(
                "{address} is in no node's block of network {name}, so no other node would find it"
            ))
            .with_help(
                "choose an address of this node's own blocks, or give it a block around this one",
            )
            .into()),
        }
    }

    fn lowest_free(&self, is_ipv4: bool) -> Result<Option<IpAddr>, NoAddress> {
        let blocks: Vec<IpNet> = self.own_blocks(is_ipv4).collect();
        for block in &blocks {
            if let Some(address) = self.lowest_free_in(*block) {
                return Ok(Some(address));
            }
        }
        if self.origin == Origin::Managers {
            let has_family = |subnet: &IpNet| subnet.addr().is_ipv4() == is_ipv4;
            return if self.network.subnets.iter().any(has_family) {
                Err(NoAddress::Lacks(Need::Any { is_ipv4 }))
            } else {
                Ok(None)
            };
        }
        if blocks.is_empty() {
            return Ok(None);
        }
        let name = &self.network.name;
        Err(ApiError::conflict(format!(
            "every address of this node's blocks in network {name} is taken: {}",
            list(&blocks)
        ))
        .with_help("detach endpoints, or give this node another block")
        .into())
    }

    /// Walks along what is taken, so that it costs as much as there are endpoints, not addresses.
    fn lowest_free_in(&self, block: IpNet) -> Option<IpAddr> {
        let vni = self.network.vni;
        let mut taken = self
            .directory
            .taken(vni, block.network(), block.broadcast())
            .peekable();
        for candidate in block_addresses(block) {
            if taken.next_if_eq(&candidate).is_some() {
                continue;
            }
            let Some(subnet) = self.network.subnet_of(candidate) else {
                continue;
            };
            let place = Place {
                vni,
                address: candidate,
            };
            let holder = (self.listed_at)(place).or_else(|| self.owner_of_block(candidate));
            let is_elsewhere = holder.is_some_and(|node| !self.desired.is_this(node));
            if self.reserved(candidate, subnet).is_none() && !is_elsewhere {
                return Some(candidate);
            }
        }
        None
    }

    fn own_blocks(&self, is_ipv4: bool) -> impl Iterator<Item = IpNet> + 'a {
        let vni = self.network.vni;
        let blocks = self
            .desired
            .this_node()
            .and_then(|node| node.blocks.get(&vni));
        let blocks = blocks.into_iter().flatten().copied();
        blocks.filter(move |block| block.addr().is_ipv4() == is_ipv4)
    }

    /// The node with the narrowest block around an address: a node may have a single address inside
    /// another one's block.
    fn owner_of_block(&self, address: IpAddr) -> Option<&'a Node> {
        let narrowest = |node: &'a Node| {
            let blocks = node.blocks.get(&self.network.vni).into_iter().flatten();
            let around = blocks.filter(|block| block.contains(&address));
            let length = around.map(IpNet::prefix_len).max()?;
            Some((length, node))
        };
        let owners = self.desired.nodes.iter().filter_map(narrowest);
        Some(owners.max_by_key(|(length, _)| *length)?.1)
    }

    /// What an address is that no endpoint may have.
    fn reserved(&self, address: IpAddr, subnet: IpNet) -> Option<&'static str> {
        if self.network.gateways.contains(&address) {
            return Some("the gateway");
        }
        let is_point_to_point = subnet.prefix_len() + 1 >= subnet.max_prefix_len();
        if is_point_to_point {
            None
        } else if address == subnet.network() {
            Some("the network address")
        } else if address.is_ipv4() && address == subnet.broadcast() {
            Some("the broadcast address")
        } else {
            None
        }
    }

    fn no_blocks(&self) -> ApiError {
        let name = &self.network.name;
        ApiError::conflict(format!("this node has no address block in network {name}")).with_help(
            format!(
                "add one under cluster.nodes, node {}, blocks, {name}; or ask for an address with --ip",
                self.desired.this_node().map_or("this one", |node| node.name.as_str())
            ),
        )
    }
}

/// Every address of a block, ascending, the first and last included.
fn block_addresses(block: IpNet) -> Box<dyn Iterator<Item = IpAddr>> {
    match block {
        IpNet::V4(block) => {
            let all = u32::from(block.network())..=u32::from(block.broadcast());
            Box::new(all.map(|bits| IpAddr::V4(Ipv4Addr::from(bits))))
        }
        IpNet::V6(block) => {
            let all = u128::from(block.network())..=u128::from(block.broadcast());
            Box::new(all.map(|bits| IpAddr::V6(Ipv6Addr::from(bits))))
        }
    }
}

fn list<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}
