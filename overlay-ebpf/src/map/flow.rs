//! Flows, and the ports of fragmented packets. The programs write these themselves.

use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    macros::map,
    maps::{HashMap, LruHashMap},
};
use overlay_common::flow::{Flow, FlowKey, Fragment, FragmentKey};

#[map]
static FLOW: HashMap<FlowKey, Flow> = HashMap::pinned(262_144, BPF_F_NO_PREALLOC);

#[map]
static FLOW_NEW: LruHashMap<FlowKey, Flow> = LruHashMap::pinned(16384, 0);

#[map]
static FRAGMENT: LruHashMap<FragmentKey, Fragment> = LruHashMap::pinned(4096, 0);
