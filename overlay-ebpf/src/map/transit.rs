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

/// The container that a transit address stands for.
#[inline(always)]
pub(crate) fn behind(address: &Address) -> Option<&'static EndpointKey> {
    // SAFETY: plain data; without preallocation an entry is freed only after every program that may see it
    // has ended.
    unsafe { TRANSIT.get(address) }
}

/// Whether an address is this node's own.
#[inline(always)]
pub(crate) fn is_own(address: &Address) -> bool {
    // SAFETY: as above; only whether there is an entry counts.
    unsafe { OWN_ADDRESS.get(address) }.is_some()
}
