//! Containers by network namespace, and what their sockets believe.

use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    macros::map,
    maps::{HashMap, LruHashMap},
};
use overlay_common::socket::{Believed, Namespace};

#[map]
static NAMESPACE: HashMap<u64, Namespace> = HashMap::pinned(16384, BPF_F_NO_PREALLOC);

#[map]
static BELIEVED: LruHashMap<u64, Believed> = LruHashMap::pinned(131_072, 0);
