//! TC ingress of the collect-metadata vxlan device: what the kernel decapsulated.

use overlay_common::{endpoint::EndpointKey, reason::Reason, walk::Walk};
use overlay_ebpf::{
    arrival::{self, Inner},
    header::{ETHERTYPE_IPV6, Ethernet},
    verdict::Verdict,
};

use super::{TcFrame, answer, deliver, mesh, service};
use crate::map;

/// Decides about a packet from the vxlan device.
#[inline(always)]
pub(crate) fn decide(frame: &mut TcFrame) -> Result<Verdict, Reason> {
    let (source, vni) = frame.0.tunnel().ok_or(Reason::Malformed)?;
    let peer_id = map::peer::id_of(&source).ok_or(Reason::UnknownPeer)?;

    // Ethernet and IPv4, or Ethernet and ARP.
    frame.0.ensure(42);
    if frame.header::<Ethernet>(0)?.ethertype == ETHERTYPE_IPV6 {
        // Ethernet, IPv6 and a neighbour solicitation.
        frame.0.ensure(78);
    }
    match arrival::inner::<_, 0>(frame)? {
        Inner::Packet(packet) if mesh::is_ingress(vni) => {
            mesh::peer::serve(frame, vni, peer_id, packet.is_v4)
        }
        Inner::Packet(packet) => {
            let key = EndpointKey::new(vni, packet.destination);
            let endpoint = deliver::endpoint(&key)?;
            let walk = service::restore(frame, endpoint, vni, &packet, Walk::Tunnelled)?;
            deliver::into_container(frame, endpoint, walk)
        }
        Inner::ArpQuestion { target } => {
            let key = EndpointKey::new(vni, target);
            let mac = deliver::endpoint(&key)?.mac;
            let peer = map::peer::get(peer_id).ok_or(Reason::NoPeer)?;
            answer::arp_through_device(frame, vni, peer, mac)
        }
        Inner::NeighbourQuestion { target } => {
            let key = EndpointKey::new(vni, target);
            let mac = deliver::endpoint(&key)?.mac;
            let peer = map::peer::get(peer_id).ok_or(Reason::NoPeer)?;
            answer::neighbour_through_device(frame, peer, &key, mac)
        }
    }
}
