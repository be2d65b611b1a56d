//! This node.

use aya_ebpf::{macros::map, maps::Array};
use overlay_common::node::Node;

#[map]
static NODE: Array<Node> = Array::pinned(1, 0);

/// What there is to know of this node.
#[inline(always)]
pub(crate) fn get() -> Option<&'static Node> {
    NODE.get(0)
}
