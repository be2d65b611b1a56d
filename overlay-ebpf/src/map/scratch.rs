//! Where outgoing headers are put together. They have no alignment, and the kernel insists on alignment
//! on the stack but not here.

use core::mem::size_of;

use aya_ebpf::{macros::map, maps::PerCpuArray};
use overlay_common::reason::Reason;
use overlay_ebpf::header::Header;

/// Room for the longest: packet too big (110 bytes).
const LENGTH: usize = 128;

#[map]
static SCRATCH: PerCpuArray<[u8; LENGTH]> = PerCpuArray::with_max_entries(1, 0);

/// Lets `write` fill a `T` in this CPU's scratch space; what was there before is left over.
#[inline(always)]
pub(crate) fn fill<T: Header>(write: impl FnOnce(&mut T)) -> Result<&'static T, Reason> {
    const { assert!(size_of::<T>() <= LENGTH) };
    let room = SCRATCH.get_ptr_mut(0).ok_or(Reason::Torn)?.cast::<T>();
    // SAFETY: the entry is this CPU's, where programs do not interrupt one another; it is long enough,
    // `T` has alignment 1 and accepts every bit pattern, and nobody else holds a reference: each caller
    // uses its own before the next one fills it.
    let room = unsafe { &mut *room };
    write(room);
    Ok(room)
}
