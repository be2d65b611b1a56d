//! Turning a packet into the answer to it. These are functions of their own to the kernel too: answers
//! are rare, and their bytes would fill the stack of the walks that are not.

use overlay_common::{
    address::{Address, Mac},
    endpoint::{ENDPOINT_ENCRYPTED, Endpoint, EndpointKey},
    peer::Peer,
    reason::Reason,
    walk::Walk,
};
use overlay_ebpf::{
    admission::ETHERNET,
    answer,
    cover::Cover,
    header::{Arp, Header, Ipv4, Ipv6},
    outer::Envelope,
    verdict::Verdict,
};

use super::{
    TcFrame,
    encapsulate::{self, Carriage},
};
use crate::{
    context,
    map::{config, scratch},
};

/// Answers a container's ARP question.
#[inline(never)]
pub(super) fn arp_to_container(frame: &mut TcFrame, mac: Mac) -> Result<Verdict, Reason> {
    let question = frame.header::<Arp>(ETHERNET)?;
    let reply = scratch::fill(|reply| answer::arp(question, mac, reply))?;
    back_to_container(frame, reply, Walk::ArpAnswered)
}

/// Answers a container's neighbour solicitation.
#[inline(never)]
pub(super) fn neighbour_to_container(
    frame: &mut TcFrame,
    target: Address,
    mac: Mac,
) -> Result<Verdict, Reason> {
    let (asker, ip) = (frame.header(0)?, frame.header(ETHERNET)?);
    let reply = scratch::fill(|reply| answer::neighbour(asker, ip, target.bytes(), mac, reply))?;
    back_to_container(frame, reply, Walk::NeighbourAnswered)
}

/// Tells a container the largest IPv4 packet for this way.
#[inline(never)]
pub(super) fn fragmentation_needed(frame: &mut TcFrame, mtu: u32) -> Result<Verdict, Reason> {
    let (ethernet, ip) = (frame.header(0)?, frame.header(ETHERNET)?);
    let start = frame.header(ETHERNET + size_of::<Ipv4>())?;
    let reply = scratch::fill(|reply| {
        answer::fragmentation_needed(ethernet, ip, start, mtu as u16, reply);
    })?;
    back_to_container(frame, reply, Walk::MtuTold)
}

/// Tells a container the largest IPv6 packet for this way.
#[inline(never)]
pub(super) fn packet_too_big(frame: &mut TcFrame, mtu: u32) -> Result<Verdict, Reason> {
    let (ethernet, ip) = (frame.header(0)?, frame.header(ETHERNET)?);
    let start = frame.header(ETHERNET + size_of::<Ipv6>())?;
    let reply = scratch::fill(|reply| answer::packet_too_big(ethernet, ip, start, mtu, reply))?;
    back_to_container(frame, reply, Walk::MtuTold)
}

#[inline(always)]
pub(super) fn back_to_container<T: Header>(
    frame: &mut TcFrame,
    reply: &T,
    walk: Walk,
) -> Result<Verdict, Reason> {
    turn_into(frame, reply)?;
    Ok(back(frame, walk))
}

/// Makes the frame `reply`.
#[inline(always)]
pub(super) fn turn_into<T: Header>(frame: &mut TcFrame, reply: &T) -> Result<(), Reason> {
    frame.0.resize(size_of::<T>() as u32)?;
    frame.0.store(0, reply)
}

/// Back to the container that the frame came from.
#[inline(always)]
pub(super) fn back(frame: &TcFrame, walk: Walk) -> Verdict {
    let ifindex = frame.0.ifindex();
    Verdict::Redirect { ifindex, walk }
}

/// Answers an ARP question that a peer sent over the underlay in network `vni`. `AT` is where the inner
/// Ethernet header stands.
#[inline(never)]
pub(super) fn arp_to_peer<const AT: usize>(
    frame: &mut TcFrame,
    vni: u32,
    peer: &Peer,
    mac: Mac,
) -> Result<Verdict, Reason> {
    let question = frame.header::<Arp>(AT + ETHERNET)?;
    let reply = scratch::fill(|reply| answer::arp(question, mac, reply))?;
    over_underlay::<AT, _>(frame, vni, peer, reply)?;
    Ok(Verdict::to_peer(peer).counted_as(Walk::ArpAnswered))
}

/// Answers a neighbour solicitation that a peer sent over the underlay.
#[inline(never)]
pub(super) fn neighbour_to_peer<const AT: usize>(
    frame: &mut TcFrame,
    peer: &Peer,
    target: &EndpointKey,
    mac: Mac,
) -> Result<Verdict, Reason> {
    let (asker, ip) = (frame.header(AT)?, frame.header(AT + ETHERNET)?);
    let target_bytes = target.address.bytes();
    let reply = scratch::fill(|reply| answer::neighbour(asker, ip, target_bytes, mac, reply))?;
    over_underlay::<AT, _>(frame, target.vni, peer, reply)?;
    Ok(Verdict::to_peer(peer).counted_as(Walk::NeighbourAnswered))
}

#[inline(always)]
fn over_underlay<const AT: usize, T: Header>(
    frame: &mut TcFrame,
    vni: u32,
    peer: &Peer,
    reply: &T,
) -> Result<(), Reason> {
    frame.0.resize((AT + size_of::<T>()) as u32)?;
    frame.0.store(AT as u32, reply)?;
    wrap::<AT>(frame, vni, peer)
}

/// Writes new outer headers before the frame at `AT`.
#[inline(never)]
fn wrap<const AT: usize>(frame: &mut TcFrame, vni: u32, peer: &Peer) -> Result<(), Reason> {
    let envelope = Envelope {
        vni,
        length: frame.0.length() - AT as u32,
        class: 0,
        source_port: config::source_port_first(),
        port: config::port(),
        identification: context::random() as u16,
    };
    encapsulate::store_outer::<AT>(frame, &envelope, None, peer)
}

/// Answers an ARP question that the vxlan device decapsulated.
#[inline(never)]
pub(super) fn arp_through_device(
    frame: &mut TcFrame,
    vni: u32,
    peer: &Peer,
    endpoint: &Endpoint,
) -> Result<Verdict, Reason> {
    let question = frame.header::<Arp>(ETHERNET)?;
    let reply = scratch::fill(|reply| answer::arp(question, endpoint.mac, reply))?;
    back_through_device(
        frame,
        carriage(vni, endpoint),
        peer,
        reply,
        reply.ethernet.destination,
        Walk::ArpAnswered,
    )
}

/// Answers a neighbour solicitation that the vxlan device decapsulated.
#[inline(never)]
pub(super) fn neighbour_through_device(
    frame: &mut TcFrame,
    peer: &Peer,
    target: &EndpointKey,
    endpoint: &Endpoint,
) -> Result<Verdict, Reason> {
    let (asker, ip) = (frame.header(0)?, frame.header(ETHERNET)?);
    let target_address = target.address.bytes();
    let reply = scratch::fill(|reply| {
        answer::neighbour(asker, ip, target_address, endpoint.mac, reply);
    })?;
    back_through_device(
        frame,
        carriage(target.vni, endpoint),
        peer,
        reply,
        reply.ethernet.destination,
        Walk::NeighbourAnswered,
    )
}

#[inline(always)]
fn carriage(vni: u32, endpoint: &Endpoint) -> Carriage {
    let cover = Cover::by(endpoint.flags & ENDPOINT_ENCRYPTED != 0);
    Carriage { vni, cover }
}

#[inline(always)]
fn back_through_device<T: Header>(
    frame: &mut TcFrame,
    carriage: Carriage,
    peer: &Peer,
    reply: &T,
    mac: Mac,
    walk: Walk,
) -> Result<Verdict, Reason> {
    frame.0.resize(size_of::<T>() as u32)?;
    frame.0.store(0, reply)?;
    encapsulate::through_device(frame, carriage, mac, peer, walk)
}
