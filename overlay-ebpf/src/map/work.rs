//! Where the keys and values of flows are put together: the stack has no room for them.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use overlay_common::{
    flow::{Flow, FlowKey, FragmentKey},
    reason::Reason,
};

/// What one packet needs at most.
pub(crate) struct Work {
    /// The packet's own direction.
    pub(crate) key: FlowKey,
    /// The other direction.
    pub(crate) twin: FlowKey,
    /// A flow to be remembered.
    pub(crate) flow: Flow,
    /// The packet that a fragment is a part of.
    pub(crate) fragment: FragmentKey,
}

#[map]
static WORK: PerCpuArray<Work> = PerCpuArray::with_max_entries(1, 0);

/// This CPU's room; what was there before is left over. Asked for once per packet, where its hook's own part
/// begins.
#[inline(always)]
pub(crate) fn get() -> Result<&'static mut Work, Reason> {
    let room = WORK.get_ptr_mut(0).ok_or(Reason::Torn)?;
    // SAFETY: the entry is this CPU's, where programs do not interrupt one another, every bit pattern is
    // valid, and nobody else holds a reference: one packet asks once.
    Ok(unsafe { &mut *room })
}
