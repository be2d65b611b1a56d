//! What happened how often, per CPU.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use overlay_common::{
    reason::{REASON_CAPACITY, Reason},
    walk::{Count, WALK_CAPACITY, Walk},
};

#[map]
static REASON_COUNT: PerCpuArray<Count> = PerCpuArray::pinned(REASON_CAPACITY, 0);

#[map]
static WALK_COUNT: PerCpuArray<Count> = PerCpuArray::pinned(WALK_CAPACITY, 0);

/// Counts a drop; returns how many of this reason this CPU has counted.
#[inline(always)]
pub(crate) fn count_reason(reason: Reason, length: u32) -> u64 {
    count(&REASON_COUNT, reason as u32, length)
}

/// Counts a packet that went its way.
#[inline(always)]
pub(crate) fn count_walk(walk: Walk, length: u32) {
    count(&WALK_COUNT, walk as u32, length);
}

/// Counts a socket that was refused.
#[inline(always)]
pub(crate) fn count_refused_socket(reason: Reason) {
    count_beside(&REASON_COUNT, reason as u32);
}

/// Counts a socket that was led somewhere.
#[inline(always)]
pub(crate) fn count_socket(walk: Walk) {
    count_beside(&WALK_COUNT, walk as u32);
}

/// Counts where other processes may interrupt: programs at sockets run in the processes that own them.
#[inline(always)]
fn count_beside(counters: &PerCpuArray<Count>, index: u32) {
    if let Some(counter) = counters.get_ptr_mut(index) {
        // SAFETY: a valid entry, of which no reference is made, and packets have others. Of two increments that
        // interrupt each other one may be lost.
        unsafe { (*counter).packets += 1 };
    }
}

#[inline(always)]
fn count(counters: &PerCpuArray<Count>, index: u32, length: u32) -> u64 {
    let Some(counter) = counters.get_ptr_mut(index) else {
        return 0;
    };
    // SAFETY: the entry belongs to this CPU, and TC programs are not interrupted by one another there.
    let counter = unsafe { &mut *counter };
    counter.packets += 1;
    counter.bytes += u64::from(length);
    counter.packets
}
