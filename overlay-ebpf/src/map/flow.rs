//! Flows, and the ports of fragmented packets. The programs write these themselves.

use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    helpers::generated::bpf_ktime_get_coarse_ns,
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

const NANOSECONDS: u64 = 1_000_000_000;

/// One direction of a flow in its table.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    flow: *mut Flow,
    /// Whether it is among those that nobody has answered yet.
    pub(crate) is_new: bool,
}

impl Found {
    /// What was decided.
    #[inline(always)]
    pub(crate) fn flow(&self) -> &Flow {
        // SAFETY: a valid entry. Programs on other CPUs may write `seen` and `state` meanwhile, each in one
        // piece; an entry of the LRU table may be given to another flow by then, which sends one
        // packet astray, as if it had been forgotten.
        unsafe { &*self.flow }
    }

    /// Notes that a packet passed.
    #[inline(always)]
    pub(crate) fn touch(&self, now: u32) {
        if self.flow().seen != now {
            // SAFETY: as above; every writer writes the time.
            unsafe { (&raw mut (*self.flow).seen).write_volatile(now) };
        }
    }

    /// Changes its state.
    #[inline(always)]
    pub(crate) fn set_state(&self, state: u8) {
        // SAFETY: as above; one byte.
        unsafe { (&raw mut (*self.flow).state).write_volatile(state) };
    }
}

/// Seconds of `CLOCK_MONOTONIC`.
#[inline(always)]
pub(crate) fn now() -> u32 {
    // SAFETY: takes no argument.
    (unsafe { bpf_ktime_get_coarse_ns() } / NANOSECONDS) as u32
}

/// What is remembered of a flow in this direction.
#[inline(always)]
pub(crate) fn find(key: &FlowKey) -> Option<Found> {
    if let Some(flow) = FLOW.get_ptr_mut(key) {
        return Some(Found {
            flow,
            is_new: false,
        });
    }
    let flow = FLOW_NEW.get_ptr_mut(key)?;
    Some(Found { flow, is_new: true })
}

/// Remembers one direction of a flow that nobody has answered yet.
#[inline(always)]
pub(crate) fn remember(key: &FlowKey, flow: &Flow) {
    // A failure costs the memory of this flow: its packets are balanced by their hash alone.
    let _ = FLOW_NEW.insert(key, flow, 0);
}

/// Moves both directions of a flow to where only the agent takes them away. They stay where they are if
/// there is no room, or if one has been lost.
#[inline(always)]
pub(crate) fn promote(key: &FlowKey, twin: &FlowKey) {
    let (Some(one), Some(other)) = (FLOW_NEW.get_ptr(key), FLOW_NEW.get_ptr(twin)) else {
        return;
    };
    // SAFETY: valid entries, see `Found::flow`.
    let (one, other) = unsafe { (&*one, &*other) };
    if FLOW.insert(key, one, 0).is_err() {
        return;
    }
    if FLOW.insert(twin, other, 0).is_err() {
        let _ = FLOW.remove(key);
        return;
    }
    let _ = FLOW_NEW.remove(key);
    let _ = FLOW_NEW.remove(twin);
}

/// Forgets one direction of a flow.
#[inline(always)]
pub(crate) fn forget(key: &FlowKey) {
    let _ = FLOW.remove(key);
    let _ = FLOW_NEW.remove(key);
}

/// The ports of the packet that a later fragment belongs to.
#[inline(always)]
pub(crate) fn ports_of(key: &FragmentKey) -> Option<Fragment> {
    // SAFETY: plain data; a torn entry sends one fragment astray.
    unsafe { FRAGMENT.get(key) }.copied()
}

/// Remembers the ports of a first fragment.
#[inline(always)]
pub(crate) fn remember_ports(key: &FragmentKey, fragment: &Fragment) {
    // A failure costs the rest of this packet.
    let _ = FRAGMENT.insert(key, fragment, 0);
}
