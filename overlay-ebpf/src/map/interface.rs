//! Whose packets enter where.

use aya_ebpf::{macros::map, maps::HashMap};
use overlay_common::interface::Interface;

#[map]
static INTERFACE: HashMap<u32, Interface> = HashMap::pinned(16384, 0);

/// Who sends through this host-side interface.
#[inline(always)]
pub(crate) fn get(ifindex: u32) -> Option<&'static Interface> {
    // SAFETY: plain data; an entry changes only while its endpoint is being attached.
    unsafe { INTERFACE.get(ifindex) }
}
