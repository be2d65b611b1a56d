//! Sampled drops for `overlay monitor`.

use aya_ebpf::{
    helpers::bpf_ktime_get_boot_ns,
    macros::map,
    maps::{Array, RingBuf},
};
use overlay_common::event::Event;

#[map]
static EVENT: RingBuf = RingBuf::pinned(1 << 20, 0);

#[map]
static EVENT_LOST: Array<u64> = Array::pinned(1, 0);

/// Nanoseconds since boot.
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: takes no argument.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// Lets `fill` write a record in the ring, or counts that there was no room.
#[inline(always)]
pub(crate) fn report(fill: impl FnOnce(&mut Event)) {
    if let Some(mut record) = EVENT.reserve::<Event>(0) {
        // SAFETY: the record is exclusively ours until it is submitted, and every bit pattern is an `Event`.
        fill(unsafe { record.assume_init_mut() });
        record.submit(0);
        return;
    }
    if let Some(lost) = EVENT_LOST.get_ptr_mut(0) {
        // SAFETY: a valid entry; the increment may lose a race with another CPU, which is one event less
        // in a count of lost events.
        unsafe { *lost += 1 };
    }
}
