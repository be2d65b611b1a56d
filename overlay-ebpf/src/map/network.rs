//! Networks that this node knows.

use aya_ebpf::{macros::map, maps::HashMap};
use overlay_common::network::Network;

#[map]
static NETWORK: HashMap<u32, Network> = HashMap::pinned(4096, 0);

/// The network with this identifier.
#[inline(always)]
pub(crate) fn get(vni: u32) -> Option<&'static Network> {
    // SAFETY: plain data; a torn read concerns one answer about a gateway that is changing.
    unsafe { NETWORK.get(vni) }
}
