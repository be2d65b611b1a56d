//! Where what is known of a packet and its flow is put together: the stack has no room for it, and the
//! kernel insists on alignment there but not here.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use overlay_common::{
    address::Address,
    flow::{Flow, FlowKey, FragmentKey},
    reason::Reason,
};
use overlay_ebpf::{
    admission::Packet, cover::Cover, quote::Quote, transport::Transport, verdict::Verdict,
};

/// What one packet needs at most.
pub(crate) struct Work {
    /// The network of the packet.
    pub(crate) vni: u32,
    /// The packet.
    pub(crate) packet: Packet,
    /// Its transport header.
    pub(crate) transport: Transport,
    /// Key into `PEER`: where a balanced packet goes, or 0 for this node.
    pub(crate) peer: u32,
    /// What it quotes, if it is an ICMP error.
    pub(crate) quote: Quote,
    /// The packet's own direction.
    pub(crate) key: FlowKey,
    /// The other direction.
    pub(crate) twin: FlowKey,
    /// A flow to be remembered.
    pub(crate) flow: Flow,
    /// The packet that a fragment is a part of.
    pub(crate) fragment: FragmentKey,
    /// The task behind a published port, in the network `network`; of its answers the address of a node.
    pub(crate) task: Address,
    /// See `task`.
    pub(crate) network: u32,
    /// The port that goes with `task`, as it stands on the wire; 0 if nothing is to be rewritten.
    pub(crate) port: [u8; 2],
    /// The port at the other end, which is rewritten only where `port` is; 0: it stays.
    pub(crate) partner_port: [u8; 2],
    /// Key into `PEER`: the node that a client from outside asked, or 0 for this one.
    pub(crate) asked: u32,
    /// How that node sent the packet.
    pub(crate) came: Cover,
    /// How the packet goes to another node, if it does.
    pub(crate) cover: Cover,
    /// What a function of its own decided.
    pub(crate) verdict: Verdict,
}

#[map]
static WORK: PerCpuArray<Work> = PerCpuArray::with_max_entries(1, 0);

/// This CPU's room as it was left by an earlier part of the same hook.
#[inline(always)]
pub(crate) fn again() -> Result<&'static mut Work, Reason> {
    let room = WORK.get_ptr_mut(0).ok_or(Reason::Torn)?;
    // SAFETY: as in [`get`]; the earlier part has ended.
    Ok(unsafe { &mut *room })
}

/// This CPU's room; what was there before is left over but the network, and how its packets travel. Asked for once per
/// packet, where its hook's own part begins.
#[inline(always)]
pub(crate) fn get(vni: u32, cover: Cover) -> Result<&'static mut Work, Reason> {
    let room = WORK.get_ptr_mut(0).ok_or(Reason::Torn)?;
    // SAFETY: the entry is this CPU's, where programs do not interrupt one another; the zeros that it begins
    // with are valid, as is what the last packet wrote; and nobody else holds a reference: one packet
    // asks once.
    let work = unsafe { &mut *room };
    work.vni = vni;
    work.cover = cover;
    Ok(work)
}
