//! TC ingress of the host end of an endpoint's veth: everything that a container sends.

use overlay_common::{
    address::derived_mac,
    endpoint::{ENDPOINT_BALANCED, EndpointKey},
    interface::{INTERFACE_ENCRYPTED, Interface},
    reason::Reason,
    route::NOBODY,
    walk::Walk,
};
use overlay_ebpf::{
    admission::{self, Admitted, Packet},
    cover::Cover,
    header::{ETHERTYPE_IPV6, Ethernet},
    verdict::Verdict,
};

use super::{
    TcFrame, answer, deliver,
    encapsulate::{self, Carriage},
    mesh::{self, Next},
    neighbour,
    outlined::outlined_verdict,
    outside,
    service::{self, Balanced},
};
use crate::map::{self, work::Work};

/// Ethernet, IPv4 and TCP without options: what the kernel keeps together at the start of a packet.
const HEADERS_V4: u32 = 54;
/// Ethernet, IPv6 and a neighbour solicitation.
const HEADERS_V6: u32 = 78;

/// How far a packet got by the tables of the network's own endpoints.
struct Direct {
    /// What becomes of it, if it is not for beyond them.
    verdict: Verdict,
    /// Who has the destination.
    whose: Whose,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Whose {
    /// An endpoint; all is decided.
    AnEndpoints,
    /// An endpoint that may expect the packet from a virtual address.
    AClients,
    /// No endpoint of the network, in which it is.
    Nobodys,
    /// Somebody outside of the network.
    AStrangers,
}

/// Decides about a packet from a container.
#[inline(always)]
pub(crate) fn decide(frame: &mut TcFrame) -> Result<Verdict, Reason> {
    let mut direct = Direct {
        verdict: Verdict::Pass,
        whose: Whose::AnEndpoints,
    };
    directly(frame, &mut direct)?;
    if direct.whose == Whose::AnEndpoints {
        return Ok(direct.verdict);
    }
    let interface = map::interface::get(frame.0.ifindex()).ok_or(Reason::UnknownInterface)?;
    let work = map::work::get(interface.vni, cover(interface))?;
    if direct.whose == Whose::AClients {
        return to_client(frame, work);
    }
    beyond(frame, interface, work, direct.whose)
}

// A function of its own to the kernel too, so that its stack is free again for what is beyond.
#[inline(never)]
fn directly(frame: &mut TcFrame, direct: &mut Direct) -> Result<(), Reason> {
    let ifindex = frame.0.ifindex();
    let interface = map::interface::get(ifindex).ok_or(Reason::UnknownInterface)?;
    frame.0.unmark();
    if frame.0.has_vlan_tag() {
        return Err(Reason::UnsupportedProtocol);
    }
    frame.0.ensure(HEADERS_V4);
    if frame.header::<Ethernet>(0)?.ethertype == ETHERTYPE_IPV6 {
        frame.0.ensure(HEADERS_V6);
    }

    direct.verdict = match admission::admit(frame, interface)? {
        Admitted::ArpQuestion { target } => {
            let mac = neighbour::mac_of(interface.vni, target)?;
            answer::arp_to_container(frame, mac)?
        }
        Admitted::NeighbourQuestion { target } => {
            let mac = neighbour::mac_of(interface.vni, target)?;
            answer::neighbour_to_container(frame, target, mac)?
        }
        Admitted::Packet(packet) => forward(frame, interface, &packet, &mut direct.whose)?,
    };
    Ok(())
}

#[inline(always)]
fn forward(
    frame: &mut TcFrame,
    interface: &Interface,
    packet: &Packet,
    whose: &mut Whose,
) -> Result<Verdict, Reason> {
    let (vni, cover) = (interface.vni, cover(interface));
    let key = EndpointKey::new(vni, packet.destination);
    if let Some(endpoint) = map::endpoint::get(&key) {
        if endpoint.flags & ENDPOINT_BALANCED != 0 {
            *whose = Whose::AClients;
            map::work::get(vni, cover)?.packet = *packet;
            return Ok(Verdict::Pass);
        }
        return deliver::into_container(frame, endpoint, Walk::Local);
    }
    let route = match map::route::get(&key) {
        Some(route) if route.peer != NOBODY => route,
        nobody => {
            *whose = if nobody.is_some() {
                Whose::Nobodys
            } else {
                Whose::AStrangers
            };
            map::work::get(vni, cover)?.packet = *packet;
            return Ok(Verdict::Pass);
        }
    };
    let peer = map::peer::get(route.peer).ok_or(Reason::NoPeer)?;
    let mac = neighbour::remote_mac(route, &packet.destination);
    let receiver = (mac, Walk::Encapsulated);
    encapsulate::towards(frame, Carriage { vni, cover }, packet, receiver, peer)
}

/// How packets of a container travel between nodes.
#[inline(always)]
fn cover(interface: &Interface) -> Cover {
    Cover::by(interface.flags & INTERFACE_ENCRYPTED != 0)
}

/// A packet for an endpoint of this node that uses services.
#[inline(always)]
fn to_client(frame: &mut TcFrame, work: &Work) -> Result<Verdict, Reason> {
    let key = EndpointKey::new(work.vni, work.packet.destination);
    let endpoint = map::endpoint::get(&key).ok_or(Reason::NoEndpoint)?;
    let walk = service::restore(frame, endpoint, work.vni, &work.packet, Walk::Local)?;
    deliver::into_container(frame, endpoint, walk)
}

/// A packet for an address that no endpoint and no route has: for a service, or for the outside. `work` has the
/// packet.
#[inline(always)]
fn beyond(
    frame: &mut TcFrame,
    interface: &Interface,
    work: &mut Work,
    whose: Whose,
) -> Result<Verdict, Reason> {
    let mut balanced = Balanced::NotAVip;
    if map::config::packet_lb() != 0 {
        balanced = service::balance(frame, work)?;
    }
    if balanced == Balanced::Error {
        balanced = service::report_to_task(frame, work)?;
    }
    match balanced {
        Balanced::NotAVip | Balanced::Error if whose == Whose::AStrangers => {
            to_outside(frame, interface, work)
        }
        Balanced::NotAVip | Balanced::Error => Err(Reason::NoRoute),
        Balanced::Answered(walk) => Ok(answer::back(frame, walk)),
        Balanced::Here => {
            let key = EndpointKey::new(work.vni, work.packet.destination);
            let endpoint = map::endpoint::get(&key).ok_or(Reason::NoEndpoint)?;
            deliver::into_container(frame, endpoint, Walk::Balanced)
        }
        Balanced::Away => outlined_verdict(frame, work, away),
    }
}

/// A balanced packet for a task of another node.
#[inline(always)]
fn away(frame: &mut TcFrame, work: &mut Work) -> Result<Verdict, Reason> {
    let peer = map::peer::get(work.peer).ok_or(Reason::NoPeer)?;
    let receiver = (derived_mac(&work.packet.destination), Walk::Balanced);
    let carriage = Carriage {
        vni: work.vni,
        cover: work.cover,
    };
    encapsulate::towards(frame, carriage, &work.packet, receiver, peer)
}

/// A packet for an address outside the network: a task's answer to a client outside, or what a container has
/// to say there itself.
#[inline(always)]
fn to_outside(
    frame: &mut TcFrame,
    interface: &Interface,
    work: &mut Work,
) -> Result<Verdict, Reason> {
    let mut next = mesh::answer::decide(frame, work)?;
    if next == Next::Error {
        next = mesh::answer::report(frame, work)?;
    }
    if next == Next::NotOurs || next == Next::Error {
        return outside::leave(frame, interface, work);
    }
    mesh::carry_out(frame, work, next, Reason::NoRoute)
}
