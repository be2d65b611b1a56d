//! How many addresses a node gets at a time, and what it should give back.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use super::super::family::{Family, bits, exponent, is_single, size};
use crate::model::ClusterNetwork;

/// No block is larger: a /26 of IPv4, a /122 of IPv6.
const MOST: u128 = 64;

/// A node's first block is at most this part of the subnet or range.
const FIRST_PART: u128 = 64;

/// No block is larger than this part of what is free, so that the last addresses go one by one.
const FREE_PART: u128 = 16;

/// The binary logarithm of how many addresses a node's next block has, if it holds `held` addresses
/// in blocks of a subnet or range of `room` addresses of which `free` are nobody's.
///
/// What a node holds doubles with each block, as long as there is plenty.
pub fn block_exponent(room: u128, held: u128, free: u128) -> u8 {
    let wanted = held.max(room / FIRST_PART);
    let most = (free / FREE_PART).clamp(1, MOST);
    wanted.clamp(1, most).ilog2() as u8
}

/// Whether nodes should give back what they do not use, so that others find addresses: less than a
/// sixteenth of a network's addresses of a family is in none of the `leased` blocks.
pub fn is_scarce(
    network: &ClusterNetwork,
    family: Family,
    leased: impl IntoIterator<Item = IpNet>,
) -> bool {
    let is_of_family = |net: &IpNet| Family::of(*net) == family;
    let subnets = network.network.subnets.iter().copied();
    let ranges = subnets.map(|subnet| network.range_of(subnet));
    let room = ranges
        .filter(is_of_family)
        .map(size)
        .fold(0, u128::saturating_add);
    let leased = leased.into_iter().filter(is_of_family).map(size);
    let leased = leased.fold(0, u128::saturating_add);
    room.saturating_sub(leased) < room / FREE_PART
}

/// The largest parts of a block in which no address is used, for giving them back.
pub fn unused_parts(block: IpNet, used: &BTreeSet<IpAddr>) -> Vec<IpNet> {
    let is_used = |part: &IpNet| {
        let mut inside = used.range(part.network()..=part.broadcast());
        inside.next().is_some()
    };
    let mut unused = Vec::new();
    let mut parts = vec![block.trunc()];
    while let Some(part) = parts.pop() {
        if !is_used(&part) {
            unused.push(part);
        } else if !is_single(part) {
            parts.extend(halves(part));
        }
    }
    unused.sort_unstable();
    unused
}

/// The two halves of a subnet of two addresses or more, the upper one first.
pub(super) fn halves(net: IpNet) -> [IpNet; 2] {
    let family = Family::of(net);
    let exponent = exponent(net).saturating_sub(1);
    let lower = family.net(bits(net.network()), exponent);
    let upper = family.net(bits(net.network()) + size(lower), exponent);
    [upper, lower]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of(room: u128, held: u128, free: u128) -> u128 {
        1 << block_exponent(room, held, free)
    }

    #[test]
    fn a_first_block_is_at_most_a_64th() {
        for (room, first) in [
            (1, 1),
            (16, 1),
            (64, 1),
            (128, 2),
            (256, 4),
            (300, 4),
            (1 << 16, 64),
            (1 << 64, 64),
        ] {
            assert_eq!(size_of(room, 0, room), first, "{room}");
        }
    }

    #[test]
    fn what_a_node_holds_doubles_up_to_64_at_a_time() {
        let room = 1 << 10;
        let mut held = 0;
        let mut sizes = Vec::new();
        for _ in 0..5 {
            let size = size_of(room, held, room);
            sizes.push(size);
            held += size;
        }

        assert_eq!(sizes, [16, 16, 32, 64, 64]);
    }

    #[test]
    fn scarce_addresses_go_in_ever_smaller_blocks() {
        for (free, size) in [(253, 8), (127, 4), (63, 2), (31, 1), (1, 1), (0, 1)] {
            assert_eq!(size_of(256, 64, free), size, "{free}");
        }
    }

    #[test]
    fn unused_parts_are_as_large_as_can_be() {
        let block: IpNet = "10.1.0.8/29".parse().unwrap();
        let used = |addresses: &[&str]| -> BTreeSet<IpAddr> {
            addresses.iter().map(|text| text.parse().unwrap()).collect()
        };
        for (used, expected) in [
            (used(&[]), "[10.1.0.8/29]"),
            (used(&["10.1.0.16"]), "[10.1.0.8/29]"),
            (
                used(&["10.1.0.10"]),
                "[10.1.0.8/31, 10.1.0.11/32, 10.1.0.12/30]",
            ),
            (
                used(&["10.1.0.8", "10.1.0.15"]),
                "[10.1.0.9/32, 10.1.0.10/31, 10.1.0.12/31, 10.1.0.14/32]",
            ),
        ] {
            assert_eq!(format!("{:?}", unused_parts(block, &used)), expected);
        }
    }
}
