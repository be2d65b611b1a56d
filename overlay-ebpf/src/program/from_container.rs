//! TC ingress of the host end of an endpoint's veth: everything that a container sends.

use overlay_common::{
    address::derived_mac, endpoint::EndpointKey, interface::Interface, reason::Reason,
    route::NOBODY, walk::Walk,
};
use overlay_ebpf::{
    admission::{self, Admitted, Packet},
    header::{ETHERTYPE_IPV6, Ethernet},
    verdict::Verdict,
};

use super::{
    TcFrame, answer, deliver, encapsulate,
    mesh::{self, Next},
    neighbour, outside,
    service::{self, Balanced},
};
use crate::map::{self, work::Work};

/// Ethernet, IPv4 and TCP without options: what the kernel keeps together at the start of a packet.
const HEADERS_V4: u32 = 54;
/// Ethernet, IPv6 and a neighbour solicitation.
const HEADERS_V6: u32 = 78;

/// Decides about a packet from a container.
#[inline(always)]
pub(crate) fn decide(frame: &mut TcFrame) -> Result<Verdict, Reason> {
    let ifindex = frame.0.ifindex();
    let interface = map::interface::get(ifindex).ok_or(Reason::UnknownInterface)?;
    if frame.0.has_vlan_tag() {
        return Err(Reason::UnsupportedProtocol);
    }
    frame.0.ensure(HEADERS_V4);
    if frame.header::<Ethernet>(0)?.ethertype == ETHERTYPE_IPV6 {
        frame.0.ensure(HEADERS_V6);
    }

    match admission::admit(frame, interface)? {
        Admitted::ArpQuestion { target } => {
            let mac = neighbour::mac_of(interface.vni, target)?;
            answer::arp_to_container(frame, mac)
        }
        Admitted::NeighbourQuestion { target } => {
            let mac = neighbour::mac_of(interface.vni, target)?;
            answer::neighbour_to_container(frame, target, mac)
        }
        Admitted::Packet(packet) => forward(frame, interface, &packet),
    }
}

#[inline(always)]
fn forward(frame: &mut TcFrame, interface: &Interface, packet: &Packet) -> Result<Verdict, Reason> {
    let vni = interface.vni;
    let key = EndpointKey::new(vni, packet.destination);
    if let Some(endpoint) = map::endpoint::get(&key) {
        let walk = service::restore(frame, endpoint, vni, packet, Walk::Local)?;
        return deliver::into_container(frame, endpoint, walk);
    }
    let route = match map::route::get(&key) {
        Some(route) if route.peer != NOBODY => route,
        nobody => return beyond(frame, interface, packet, nobody.is_none()),
    };
    let peer = map::peer::get(route.peer).ok_or(Reason::NoPeer)?;
    let mac = neighbour::remote_mac(route, &packet.destination);
    encapsulate::towards(frame, vni, packet, (mac, Walk::Encapsulated), peer)
}

/// A packet for an address that no endpoint and no route has: for a service, or for the outside.
#[inline(always)]
fn beyond(
    frame: &mut TcFrame,
    interface: &Interface,
    packet: &Packet,
    is_outside: bool,
) -> Result<Verdict, Reason> {
    let work = map::work::get(interface.vni)?;
    work.packet = *packet;
    let balanced = match service::balance(frame, work)? {
        Balanced::Error => service::report_to_task(frame, work)?,
        other => other,
    };
    match balanced {
        Balanced::NotAVip | Balanced::Error if is_outside => to_outside(frame, interface, work),
        Balanced::NotAVip | Balanced::Error => Err(Reason::NoRoute),
        Balanced::Answered(walk) => Ok(answer::back(frame, walk)),
        Balanced::Here => {
            let key = EndpointKey::new(interface.vni, work.packet.destination);
            let endpoint = map::endpoint::get(&key).ok_or(Reason::NoEndpoint)?;
            deliver::into_container(frame, endpoint, Walk::Balanced)
        }
        Balanced::Away => {
            let mut verdict = Verdict::Pass;
            away(frame, work, &mut verdict)?;
            Ok(verdict)
        }
    }
}

/// A balanced packet for a task of another node. A function of its own to the kernel too, for want of stack.
#[inline(never)]
fn away(frame: &mut TcFrame, work: &mut Work, verdict: &mut Verdict) -> Result<(), Reason> {
    let peer = map::peer::get(work.peer).ok_or(Reason::NoPeer)?;
    let receiver = (derived_mac(&work.packet.destination), Walk::Balanced);
    *verdict = encapsulate::towards(frame, work.vni, &work.packet, receiver, peer)?;
    Ok(())
}

/// A packet for an address outside the network: a task's answer to a client outside, or what a container has
/// to say there itself.
#[inline(always)]
fn to_outside(
    frame: &mut TcFrame,
    interface: &Interface,
    work: &mut Work,
) -> Result<Verdict, Reason> {
    let next = match mesh::answer::decide(frame, work)? {
        Next::Error => mesh::answer::report(frame, work)?,
        next => next,
    };
    match next {
        Next::NotOurs | Next::Error => outside::leave(frame, interface, work),
        next => mesh::carry_out(frame, work, next, Reason::NoRoute),
    }
}
