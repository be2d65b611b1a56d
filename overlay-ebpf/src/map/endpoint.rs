//! Containers of this node.

use aya_ebpf::{macros::map, maps::HashMap};
use overlay_common::endpoint::{Endpoint, EndpointKey};

#[map]
static ENDPOINT: HashMap<EndpointKey, Endpoint> = HashMap::pinned(16384, 0);

/// The container with this address.
#[inline(always)]
pub(crate) fn get(key: &EndpointKey) -> Option<&'static Endpoint> {
    // SAFETY: an entry that the agent replaces meanwhile may be read half old, half new for one packet;
    // it is plain data, and the packet goes to one of the two.
    unsafe { ENDPOINT.get(key) }
}
