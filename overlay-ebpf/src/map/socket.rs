//! Containers by network namespace, and what their sockets believe.

use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    macros::map,
    maps::{HashMap, LruHashMap},
};
use overlay_common::socket::{Believed, BelievedKey, Namespace};

#[map]
static NAMESPACE: HashMap<u64, Namespace> = HashMap::pinned(16384, BPF_F_NO_PREALLOC);

#[map]
static BELIEVED: LruHashMap<BelievedKey, Believed> = LruHashMap::pinned(131_072, 0);

/// The namespace with this cookie, if it is one of ours.
#[inline(always)]
pub(crate) fn namespace(cookie: u64) -> Option<&'static Namespace> {
    // SAFETY: plain data; without preallocation an entry is freed only after every program that may see it
    // has ended. A torn one lacks or has a network that it is about to have or lack.
    unsafe { NAMESPACE.get(cookie) }
}

/// Whom the socket's owner believes it talks to.
#[inline(always)]
pub(crate) fn believed(key: &BelievedKey) -> Option<&'static Believed> {
    // SAFETY: plain data, which one socket's own calls alone write; an entry that makes room meanwhile may be
    // read as another's once, and then the socket's owner is told a wrong name.
    unsafe { BELIEVED.get(key) }
}

/// Remembers it; false if the kernel has no memory.
#[inline(always)]
pub(crate) fn believe(key: &BelievedKey, believed: &Believed) -> bool {
    BELIEVED.insert(key, believed, 0).is_ok()
}
