//! Addresses of this node, and those that stand for its containers outside.

use aya_ebpf::{bindings::BPF_F_NO_PREALLOC, macros::map, maps::HashMap};
use overlay_common::{address::Address, endpoint::EndpointKey};

#[map]
static TRANSIT: HashMap<Address, EndpointKey> = HashMap::pinned(16384, BPF_F_NO_PREALLOC);

#[map]
static OWN_ADDRESS: HashMap<Address, u32> = HashMap::pinned(1024, BPF_F_NO_PREALLOC);

/// Whether this node has the address.
#[inline(always)]
pub(crate) fn is_own(address: &Address) -> bool {
    OWN_ADDRESS.get_ptr(address).is_some()
}
