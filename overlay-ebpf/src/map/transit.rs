//! Addresses of this node, and those that stand for its containers outside.

use aya_ebpf::{bindings::BPF_F_NO_PREALLOC, macros::map, maps::HashMap};
use overlay_common::{address::Address, endpoint::EndpointKey};

#[map]
static TRANSIT: HashMap<Address, EndpointKey> = HashMap::pinned(16384, BPF_F_NO_PREALLOC);

#[map]
static OWN_ADDRESS: HashMap<Address, u32> = HashMap::pinned(1024, BPF_F_NO_PREALLOC);

/// The device from which answers leave that bear this address; `None`: it is not this node's, 0: no device
/// is known.
#[inline(always)]
pub(crate) fn own_address(address: &Address) -> Option<u32> {
    // SAFETY: one word, read at once.
    unsafe { OWN_ADDRESS.get(address) }.copied()
}
