//! The other nodes.

use aya_ebpf::{macros::map, maps::HashMap};
use overlay_common::{address::Address, peer::Peer};

#[map]
static PEER: HashMap<u32, Peer> = HashMap::pinned(4096, 0);

#[map]
static PEER_BY_ADDR: HashMap<Address, u32> = HashMap::pinned(4096, 0);

/// The peer with this number.
#[inline(always)]
pub(crate) fn get(id: u32) -> Option<&'static Peer> {
    // SAFETY: plain data; while the agent replaces an entry one packet may go the old or the new way.
    unsafe { PEER.get(id) }
}

/// The number of the peer with this underlay address.
#[inline(always)]
pub(crate) fn id_of(address: &Address) -> Option<u32> {
    // SAFETY: one word, read at once.
    unsafe { PEER_BY_ADDR.get(address) }.copied()
}
