//! Services: who answers at a virtual address or a published port.

use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    macros::map,
    maps::{Array, HashMap},
};
use overlay_common::{
    endpoint::EndpointKey,
    service::{Backend, PortKey, PublishedPort, RING_SINGLE, Ring, Slots, Vip},
};

#[map]
static VIP: HashMap<EndpointKey, Vip> = HashMap::pinned(65536, BPF_F_NO_PREALLOC);

#[map]
static PORT: HashMap<PortKey, PublishedPort> = HashMap::pinned(16384, BPF_F_NO_PREALLOC);

#[map]
static BACKEND: HashMap<u32, Backend> = HashMap::pinned(131_072, BPF_F_NO_PREALLOC);

#[map]
static RING: Array<Slots> = Array::pinned(1 << 15, 0);

/// The service behind a virtual address.
#[inline(always)]
pub(crate) fn vip(key: &EndpointKey) -> Option<&'static Vip> {
    // SAFETY: plain data; without preallocation an entry is freed only after every program that may see it
    // has ended. A torn ring is of two rings of one service; both name backends or nothing.
    unsafe { VIP.get(key) }
}

/// What answers at a published port.
#[inline(always)]
pub(crate) fn port(key: &PortKey) -> Option<&'static PublishedPort> {
    // SAFETY: as above.
    unsafe { PORT.get(key) }
}

/// The backend with this number, if it may still be sent packets.
#[inline(always)]
pub(crate) fn backend(number: u32) -> Option<&'static Backend> {
    // SAFETY: as above; a number is never given twice.
    unsafe { BACKEND.get(number) }
}

/// The number of the backend that a hash chooses from a ring.
#[inline(always)]
pub(crate) fn choose(ring: Ring, hash: u32) -> Option<u32> {
    if ring.size == RING_SINGLE {
        return Some(ring.first);
    }
    let (entry, place) = ring.slot(hash)?;
    let number = *RING.get(entry)?.backends.get(place)?;
    (number != 0).then_some(number)
}

/// Slots that are asked at most for one new flow.
pub(crate) const ATTEMPTS: u32 = 4;
