//! The leases of one network.
//!
//! Blocks come out of the free space, which never has a reserved address: where an aligned block of
//! the wanted size would contain one, the next such block is given, and the smaller pieces beside the
//! reserved address go when nothing larger is left. So no lease contains a reserved address and every
//! other address can be leased in the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{
    super::family::{Family, bits, exponent, is_single, single, size},
    free_space::FreeSpace,
    policy,
};
use crate::model::{ClusterNetwork, NodeId, subnet::not_a_host};

/// A lease, in its network.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Holding {
    pub(in super::super) block: IpNet,
    pub(in super::super) node: NodeId,
    /// Position in the log at which it was given.
    pub(in super::super) index: u64,
}

/// Why a node cannot have an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Denial {
    /// Nobody can.
    Reserved,
    /// This node has it.
    Held(NodeId),
}

/// The part of one family.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
struct Space {
    /// Where blocks come from: subnets, or the ranges inside them. Disjoint.
    ranges: Vec<IpNet>,
    free: FreeSpace,
}

/// All leases of a network.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct LeaseBook {
    spaces: BTreeMap<Family, Space>,
    /// By first address; disjoint.
    blocks: BTreeMap<IpAddr, Holding>,
    /// Single addresses inside a block of another node.
    inside: BTreeMap<IpAddr, Holding>,
    /// Both kinds.
    by_node: BTreeMap<NodeId, BTreeSet<IpNet>>,
    /// Never leased: gateways, network and broadcast addresses, what was asked to be kept, and virtual
    /// addresses of services.
    reserved: BTreeSet<IpAddr>,
}

impl Space {
    /// The size of the smallest range: what part of it a first block is, it is of no other more.
    fn room(&self) -> u128 {
        let sizes = self.ranges.iter().map(|range| size(*range));
        sizes.min().unwrap_or_default()
    }

    fn holds(&self, block: IpNet) -> bool {
        self.ranges.iter().any(|range| range.contains(&block))
    }
}

impl LeaseBook {
    /// No leases yet; `kept` addresses are reserved too.
    pub(in super::super) fn new(network: &ClusterNetwork, kept: &[IpAddr]) -> Self {
        let mut book = Self::default();
        book.reserved.extend(&network.network.gateways);
        book.reserved.extend(kept);
        for subnet in &network.network.subnets {
            for edge in [subnet.network(), subnet.broadcast()] {
                if not_a_host(edge, *subnet).is_some() {
                    book.reserved.insert(edge);
                }
            }
            let range = network.range_of(*subnet);
            let space = book.spaces.entry(Family::of(range)).or_default();
            space.free.add(exponent(range), bits(range.network()));
            space.ranges.push(range);
        }
        for address in &book.reserved {
            if let Some(space) = book.spaces.get_mut(&Family::of_address(*address)) {
                space.free.carve(bits(*address));
            }
        }
        book
    }

    /// Every lease; those inside a block come after all blocks.
    pub(in super::super) fn iter(&self) -> impl Iterator<Item = &Holding> {
        self.blocks.values().chain(self.inside.values())
    }

    /// The lease of exactly this block.
    pub(in super::super) fn get(&self, block: IpNet) -> Option<&Holding> {
        let first = block.network();
        let here = [self.inside.get(&first), self.blocks.get(&first)];
        let mut here = here.into_iter().flatten();
        here.find(|holding| holding.block == block)
    }

    /// What a node has.
    pub(in super::super) fn of(&self, node: NodeId) -> impl Iterator<Item = IpNet> + '_ {
        self.by_node.get(&node).into_iter().flatten().copied()
    }

    /// How many addresses of a family are nobody's.
    #[cfg(test)]
    pub(in super::super) fn free_count(&self, family: Family) -> u128 {
        self.spaces
            .get(&family)
            .map_or(0, |space| space.free.count())
    }

    /// Whether a family has subnets.
    pub(super) fn has(&self, family: Family) -> bool {
        self.spaces.contains_key(&family)
    }

    /// Gives a node another block; `None` if no address is free.
    pub(super) fn lease_block(
        &mut self,
        node: NodeId,
        family: Family,
        index: u64,
    ) -> Option<Holding> {
        let held = self.of(node).filter(|block| Family::of(*block) == family);
        let held = held.map(size).sum();
        let space = self.spaces.get_mut(&family)?;
        let wanted = policy::block_exponent(space.room(), held, space.free.count());
        let (exponent, start) = space.free.take(wanted)?;
        let block = family.net(start, exponent);
        let holding = Holding { block, node, index };
        self.insert_block(holding);
        Some(holding)
    }

    /// Gives a node an address of a subnet, unless it is covered by what the node has. Also inside
    /// another node's block.
    pub(super) fn lease_address(
        &mut self,
        node: NodeId,
        address: IpAddr,
        index: u64,
    ) -> Result<Holding, Denial> {
        if self.reserved.contains(&address) {
            return Err(Denial::Reserved);
        }
        let around = self.block_around(address);
        if let Some(exact) = self.inside.get(&address).or(around) {
            if exact.node == node {
                return Ok(*exact);
            }
            if is_single(exact.block) {
                return Err(Denial::Held(exact.node));
            }
        }
        let block = single(address);
        let holding = Holding { block, node, index };
        if around.is_some() {
            self.inside.insert(address, holding);
            self.by_node.entry(node).or_default().insert(block);
        } else {
            self.carve(address);
            self.insert_block(holding);
        }
        Ok(holding)
    }

    /// Whether a node has a lease that covers all of a block.
    pub(super) fn covers(&self, node: NodeId, block: IpNet) -> bool {
        self.lease_over(node, block).is_some()
    }

    /// Takes back a lease of a node or a part of one, and leaves the rest with its index, but for single
    /// addresses of other nodes. Returns the blocks whose leases came or went; empty if the node has no
    /// such lease.
    pub(super) fn give_back(&mut self, node: NodeId, block: IpNet) -> Vec<IpNet> {
        let Some(lease) = self.lease_over(node, block) else {
            return Vec::new();
        };
        let first = block.network();
        self.forget(node, lease.block);
        if self.inside.get(&first) == Some(&lease) {
            self.inside.remove(&first);
            return vec![lease.block];
        }
        self.blocks.remove(&lease.block.network());
        let mut touched = vec![lease.block];
        for part in rest(lease.block, block) {
            if is_single(part)
                && let Some(holding) = self.inside.remove(&part.addr())
            {
                self.blocks.insert(part.addr(), holding);
                continue;
            }
            self.insert_block(Holding {
                block: part,
                ..lease
            });
            touched.push(part);
        }
        self.free(block);
        let alone = self.inside.range(first..=block.broadcast());
        let alone: Vec<Holding> = alone.map(|(_, holding)| *holding).collect();
        for holding in alone {
            let address = holding.block.addr();
            self.inside.remove(&address);
            self.carve(address);
            self.blocks.insert(address, holding);
        }
        touched
    }

    /// Keeps one free address of each family from being leased, IPv4 first; none if a family has no free
    /// one, which is returned then.
    pub(in super::super) fn reserve_in_each_family(&mut self) -> Result<Vec<IpAddr>, Family> {
        let families: Vec<Family> = self.spaces.keys().copied().collect();
        let mut reserved: Vec<IpAddr> = Vec::with_capacity(families.len());
        for family in families {
            let space = self.spaces.get_mut(&family);
            let Some((_, start)) = space.and_then(|space| space.free.take(0)) else {
                for address in reserved {
                    self.release(address);
                }
                return Err(family);
            };
            let address = family.net(start, 0).addr();
            self.reserved.insert(address);
            reserved.push(address);
        }
        Ok(reserved)
    }

    /// Lets an address be leased again that was reserved.
    pub(in super::super) fn release(&mut self, address: IpAddr) {
        if self.reserved.remove(&address) {
            self.free(single(address));
        }
    }

    /// Takes back all that a node has; returns how many leases that were.
    pub(super) fn give_back_all(&mut self, node: NodeId) -> u64 {
        let all: Vec<IpNet> = self.of(node).collect();
        for block in &all {
            self.give_back(node, *block);
        }
        all.len() as u64
    }

    fn insert_block(&mut self, holding: Holding) {
        let Holding { block, node, .. } = holding;
        self.blocks.insert(block.network(), holding);
        self.by_node.entry(node).or_default().insert(block);
    }

    fn forget(&mut self, node: NodeId, block: IpNet) {
        if let Some(blocks) = self.by_node.get_mut(&node) {
            blocks.remove(&block);
            if blocks.is_empty() {
                self.by_node.remove(&node);
            }
        }
    }

    fn block_around(&self, address: IpAddr) -> Option<&Holding> {
        let (_, holding) = self.blocks.range(..=address).next_back()?;
        holding.block.contains(&address).then_some(holding)
    }

    fn lease_over(&self, node: NodeId, block: IpNet) -> Option<Holding> {
        let inside = self.inside.get(&block.network());
        let leases = [inside, self.block_around(block.network())];
        let mut leases = leases.into_iter().flatten();
        leases
            .find(|lease| lease.node == node && lease.block.contains(&block))
            .copied()
    }

    fn carve(&mut self, address: IpAddr) {
        if let Some(space) = self.spaces.get_mut(&Family::of_address(address)) {
            space.free.carve(bits(address));
        }
    }

    /// An address outside the ranges does not become free: it is leased only when asked for.
    fn free(&mut self, block: IpNet) {
        if let Some(space) = self.spaces.get_mut(&Family::of(block))
            && space.holds(block)
        {
            space.free.add(exponent(block), bits(block.network()));
        }
    }
}

/// What is left of `whole` without `part`, in as few blocks as can be.
fn rest(whole: IpNet, part: IpNet) -> Vec<IpNet> {
    let mut rest = Vec::new();
    let mut around = whole;
    while around != part && !is_single(around) {
        let [upper, lower] = policy::halves(around);
        let (with, without) = if upper.contains(&part) {
            (upper, lower)
        } else {
            (lower, upper)
        };
        rest.push(without);
        around = with;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_block() {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        for (part, expected) in [
            ("10.1.0.0/28", "[]"),
            ("10.1.0.8/29", "[10.1.0.0/29]"),
            (
                "10.1.0.5/32",
                "[10.1.0.8/29, 10.1.0.0/30, 10.1.0.6/31, 10.1.0.4/32]",
            ),
        ] {
            let rest = rest(net("10.1.0.0/28"), net(part));

            assert_eq!(format!("{rest:?}"), expected, "{part}");
        }
    }
}
