//! Where remote addresses are.

use core::borrow::Borrow;

use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    macros::map,
    maps::{HashMap, LpmTrie, lpm_trie::Key},
};
use overlay_common::{
    endpoint::EndpointKey,
    route::{BlockKey, Route},
};

#[map]
static ROUTE: HashMap<EndpointKey, Route> = HashMap::pinned(65536, BPF_F_NO_PREALLOC);

#[map]
static BLOCK: LpmTrie<BlockKey, Route> = LpmTrie::pinned(16384, BPF_F_NO_PREALLOC);

/// The route to an address: its own entry, else that of the longest block around it.
#[inline(always)]
pub(crate) fn get(key: &EndpointKey) -> Option<&'static Route> {
    // SAFETY: plain data; without preallocation an entry is freed only after every program that may see
    // it has ended.
    if let Some(route) = unsafe { ROUTE.get(key) } {
        return Some(route);
    }
    let key = Aligned(Key::new(
        BlockKey::BITS,
        BlockKey::new(key.vni, key.address),
    ));
    BLOCK.get(key)
}

/// The trie's key is packed; the stack wants it aligned.
#[repr(C, align(8))]
struct Aligned(Key<BlockKey>);

impl Borrow<Key<BlockKey>> for Aligned {
    #[inline(always)]
    fn borrow(&self) -> &Key<BlockKey> {
        &self.0
    }
}
