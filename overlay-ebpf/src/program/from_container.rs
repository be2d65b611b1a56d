//! TC ingress of the host end of an endpoint's veth: everything that a container sends.

use overlay_common::{
    address::derived_mac, endpoint::EndpointKey, interface::Interface, reason::Reason, walk::Walk,
};
use overlay_ebpf::{
    admission::{self, Admitted, Packet},
    header::{ETHERTYPE_IPV6, Ethernet},
    verdict::Verdict,
};

use super::{
    TcFrame, answer, deliver, encapsulate, neighbour,
    service::{self, Balanced},
};
use crate::map;

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
        Admitted::Packet(mut packet) => forward(frame, interface, &mut packet),
    }
}

#[inline(always)]
fn forward(
    frame: &mut TcFrame,
    interface: &Interface,
    packet: &mut Packet,
) -> Result<Verdict, Reason> {
    let vni = interface.vni;
    let key = EndpointKey::new(vni, packet.destination);
    if let Some(endpoint) = map::endpoint::get(&key) {
        let walk = service::restore(frame, endpoint, vni, packet, Walk::Local)?;
        return deliver::into_container(frame, endpoint, walk);
    }
    let (receiver, peer) = if let Some(route) = map::route::get(&key) {
        let peer = map::peer::get(route.peer).ok_or(Reason::NoPeer)?;
        let mac = neighbour::remote_mac(route, &packet.destination);
        ((mac, Walk::Encapsulated), peer)
    } else {
        match service::balance(frame, interface, packet)? {
            Balanced::NotAVip => return Err(Reason::NoRoute),
            Balanced::Done(verdict) => return Ok(verdict),
            Balanced::Here(endpoint) => {
                return deliver::into_container(frame, endpoint, Walk::Balanced);
            }
            Balanced::Towards(peer) => ((derived_mac(&packet.destination), Walk::Balanced), peer),
        }
    };
    encapsulate::towards(frame, vni, packet, receiver, peer)
}
