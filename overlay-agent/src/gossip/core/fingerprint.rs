//! Sums over sets, equal on two nodes exactly where the sets are (but for one case in 2^64).

use super::wire::Head;
use crate::model::NodeId;

/// Of how far a stream is known. Sets are combined by exclusive or.
pub(super) fn of_stream(owner: NodeId, head: Head) -> u64 {
    mixed(mixed(of_node(owner) ^ head.epoch).wrapping_add(head.seq))
}

/// Of one life of a node.
pub(super) fn of_life(node: NodeId, generation: u64) -> u64 {
    mixed(of_node(node) ^ generation)
}

fn of_node(node: NodeId) -> u64 {
    let bits = node.bits();
    mixed(bits as u64).wrapping_add(mixed((bits >> 64) as u64).rotate_left(32))
}

/// The finalizer of `SplitMix64`: each bit of the input changes half of the output's.
fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
