//! TC ingress of the underlay device: VXLAN is taken off, clients of published ports are served, the rest
//! passes.

use overlay_common::{
    address::Mac,
    encryption,
    endpoint::{ENDPOINT_BALANCED, ENDPOINT_ENCRYPTED, Endpoint, EndpointKey},
    flow::SCOPE_HOST,
    reason::Reason,
    walk::Walk,
};
use overlay_ebpf::{
    admission::{ETHERNET, Packet},
    arrival::{self, Carrier, INNER_V4, INNER_V6, Inner, Outer},
    cover::Cover,
    ecn::{self, Arrival},
    header::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, Ethernet, Ipv4, Ipv6},
    verdict::Verdict,
};

use super::{
    TcFrame, answer, deliver,
    mesh::{self, Next},
    service,
};
use crate::{
    context::Headroom,
    map::{self, config, scratch, work::Work},
};

/// Who goes on with a packet.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Whose {
    /// Nobody: all is decided.
    Decided,
    /// A container's that may expect it from a virtual address; bare.
    AClients,
    /// Another node's, of what came to published ports; bare.
    TheMeshs,
    /// No VXLAN for this node: a client's, or the host's own.
    AStrangers,
}

/// Decides about a packet from the underlay.
#[inline(always)]
pub(crate) fn decide(frame: &mut TcFrame) -> Result<Verdict, Reason> {
    let mut whose = Whose::Decided;
    sort(frame, &mut whose)?;
    let work = map::work::again()?;
    match whose {
        Whose::Decided => Ok(work.verdict),
        Whose::AClients => to_client(frame, work),
        Whose::TheMeshs => mesh::peer::lead(frame, work),
        Whose::AStrangers => from_outside(frame, work),
    }
}

// A function of its own to the kernel too: its stack is free again for what follows, and what follows is looked
// at once, whichever headers came before. What is decided stands in `Work`, for want of stack.
#[inline(never)]
fn sort(frame: &mut TcFrame, whose: &mut Whose) -> Result<(), Reason> {
    let verdict = take_apart(frame, whose)?;
    map::work::again()?.verdict = verdict;
    Ok(())
}

#[inline(always)]
fn take_apart(frame: &mut TcFrame, whose: &mut Whose) -> Result<Verdict, Reason> {
    if frame.0.is_for_another_host() {
        return Ok(Verdict::Pass);
    }
    // No more than every TCP packet of the host has at its start anyway: making more readable would
    // copy the host's own traffic.
    frame.0.ensure(INNER_V4 as u32);
    let Ok(ethernet) = frame.header::<Ethernet>(0) else {
        return Ok(Verdict::Pass);
    };
    match ethernet.ethertype {
        ETHERTYPE_IPV4 => {
            let local = config::local_ipv4().last_four();
            let outer = arrival::outer_v4(frame, local, config::port())?;
            arrived::<INNER_V4>(frame, Headroom::V4, outer, whose)
        }
        ETHERTYPE_IPV6 => {
            frame.0.ensure(INNER_V6 as u32);
            let local = config::local_ipv6().bytes();
            let outer = arrival::outer_v6(frame, local, config::port())?;
            arrived::<INNER_V6>(frame, Headroom::V6, outer, whose)
        }
        _ => Ok(Verdict::Pass),
    }
}

#[inline(always)]
fn arrived<const AT: usize>(
    frame: &mut TcFrame,
    room: Headroom,
    outer: Outer,
    whose: &mut Whose,
) -> Result<Verdict, Reason> {
    let carrier = match outer {
        Outer::NotOurs => {
            *whose = Whose::AStrangers;
            let work = map::work::get(SCOPE_HOST, Cover::Plain)?;
            work.packet.is_v4 = matches!(room, Headroom::V4);
            return Ok(Verdict::Pass);
        }
        Outer::KernelOnly => return Ok(Verdict::Leave(Walk::LeftToKernel)),
        Outer::Vxlan(carrier) => carrier,
    };
    // Decrypted before it came here, as some devices do it: `from_tunnel` sees the mark again.
    if encryption::sender(config::mark(), frame.0.mark()).is_some() {
        return Ok(Verdict::Leave(Walk::LeftToKernel));
    }
    let peer_id = map::peer::id_of(&carrier.source).ok_or(Reason::UnknownPeer)?;

    // Inner Ethernet and IPv4.
    frame.0.ensure(AT as u32 + 34);
    if frame.header::<Ethernet>(AT)?.ethertype == ETHERTYPE_IPV6 {
        // Inner Ethernet, IPv6 and a neighbour solicitation.
        frame.0.ensure(AT as u32 + 78);
    }
    if mesh::is_ingress(carrier.vni) {
        return from_ingress::<AT>(frame, room, &carrier, peer_id, whose);
    }
    match arrival::inner::<_, AT>(frame)? {
        Inner::Packet(packet) => decapsulate::<AT>(frame, room, &carrier, &packet, whose),
        Inner::ArpQuestion { target } => {
            let key = EndpointKey::new(carrier.vni, target);
            let mac = open(&key)?.mac;
            let peer = map::peer::get(peer_id).ok_or(Reason::NoPeer)?;
            answer::arp_to_peer::<AT>(frame, carrier.vni, peer, mac)
        }
        Inner::NeighbourQuestion { target } => {
            let key = EndpointKey::new(carrier.vni, target);
            let mac = open(&key)?.mac;
            let peer = map::peer::get(peer_id).ok_or(Reason::NoPeer)?;
            answer::neighbour_to_peer::<AT>(frame, peer, &key, mac)
        }
    }
}

#[inline(always)]
fn decapsulate<const AT: usize>(
    frame: &mut TcFrame,
    room: Headroom,
    carrier: &Carrier,
    packet: &Packet,
    whose: &mut Whose,
) -> Result<Verdict, Reason> {
    let key = EndpointKey::new(carrier.vni, packet.destination);
    let endpoint = open(&key)?;
    if let Some(verdict) = unwrap::<AT>(frame, room, carrier, packet, Some(endpoint.mac))? {
        return Ok(verdict);
    }
    if endpoint.flags & ENDPOINT_BALANCED != 0 {
        *whose = Whose::AClients;
        map::work::get(carrier.vni, Cover::Plain)?.packet = *packet;
        return Ok(Verdict::Pass);
    }
    Ok(deliver::hand_over(frame, endpoint, Walk::Decapsulated))
}

/// The container for which something comes unencrypted.
#[inline(always)]
fn open(key: &EndpointKey) -> Result<&'static Endpoint, Reason> {
    let endpoint = deliver::endpoint(key)?;
    if endpoint.flags & ENDPOINT_ENCRYPTED != 0 {
        return Err(Reason::Cleartext);
    }
    Ok(endpoint)
}

/// A bare packet for a container that uses services.
#[inline(always)]
fn to_client(frame: &mut TcFrame, work: &Work) -> Result<Verdict, Reason> {
    let key = EndpointKey::new(work.vni, work.packet.destination);
    let endpoint = deliver::endpoint(&key)?;
    let walk = service::restore(frame, endpoint, work.vni, &work.packet, Walk::Decapsulated)?;
    Ok(deliver::hand_over(frame, endpoint, walk))
}

/// What another node sent of what came to published ports.
#[inline(always)]
fn from_ingress<const AT: usize>(
    frame: &mut TcFrame,
    room: Headroom,
    carrier: &Carrier,
    peer_id: u32,
    whose: &mut Whose,
) -> Result<Verdict, Reason> {
    let Inner::Packet(packet) = arrival::inner::<_, AT>(frame)? else {
        return Err(Reason::MeshStranger);
    };
    // An aggregate keeps a mark of the tunnel that it came through. Where it would be sent on, the kernel has
    // to take it off.
    if frame.0.gso_size() != 0 && mesh::peer::is_answer(frame, AT + ETHERNET, packet.is_v4) {
        return Ok(Verdict::Leave(Walk::LeftToKernel));
    }
    if let Some(verdict) = unwrap::<AT>(frame, room, carrier, &packet, None)? {
        return Ok(verdict);
    }
    *whose = Whose::TheMeshs;
    let work = map::work::get(carrier.vni, Cover::Plain)?;
    work.asked = peer_id;
    work.came = Cover::Plain;
    work.packet.is_v4 = packet.is_v4;
    Ok(Verdict::Pass)
}

/// What is no VXLAN for this node: a client's, or the host's own.
#[inline(always)]
fn from_outside(frame: &mut TcFrame, work: &mut Work) -> Result<Verdict, Reason> {
    let mut next = mesh::client::decide(frame, work)?;
    if next == Next::Error {
        next = mesh::client::report(frame, work)?;
    }
    if next == Next::NotOurs {
        return Ok(Verdict::Pass);
    }
    mesh::carry_out(frame, work, next, Reason::MeshStranger)
}

/// Takes the outer headers off. `None`: it is done, and the frame is as the other node had it, but for its
/// receiver.
#[inline(always)]
fn unwrap<const AT: usize>(
    frame: &mut TcFrame,
    room: Headroom,
    carrier: &Carrier,
    packet: &Packet,
    receiver: Option<Mac>,
) -> Result<Option<Verdict>, Reason> {
    let congestion = ecn::decapsulate(carrier.class, packet.class);
    if congestion == Arrival::Drop {
        return Err(Reason::Congestion);
    }
    let is_mixed = matches!(room, Headroom::V4) != packet.is_v4;
    if is_mixed && config::decap_l3() == 0 {
        return Ok(Some(Verdict::Leave(Walk::LeftToKernel)));
    }
    let inner = frame.header::<Ethernet>(AT)?;
    let ethernet = scratch::fill(|ethernet: &mut Ethernet| {
        *ethernet = *inner;
        if let Some(receiver) = receiver {
            ethernet.destination = receiver;
        }
    })?;
    if frame.0.decapsulate(room, packet.is_v4).is_err() {
        return Ok(Some(Verdict::Leave(Walk::LeftToKernel)));
    }

    // Point of no return.
    frame.0.store(0, ethernet)?;
    if congestion == Arrival::MarkCongestion {
        mark_congestion(frame, packet)?;
    }
    Ok(None)
}

#[inline(always)]
fn mark_congestion(frame: &mut TcFrame, packet: &Packet) -> Result<(), Reason> {
    if packet.is_v4 {
        let arrived = frame.header::<Ipv4>(ETHERNET)?;
        let marked = scratch::fill(|ip: &mut Ipv4| {
            *ip = *arrived;
            ip.mark_congestion();
        })?;
        frame.0.store(ETHERNET as u32, marked)
    } else {
        let arrived = frame.header::<Ipv6>(ETHERNET)?;
        let marked = scratch::fill(|ip: &mut Ipv6| {
            *ip = *arrived;
            ip.mark_congestion();
        })?;
        frame.0.store_summed(ETHERNET as u32, marked)
    }
}
