//! TC ingress of the collect-metadata vxlan device: what the kernel decapsulated, and decrypted where it had to.

use overlay_common::{
    encryption,
    endpoint::{ENDPOINT_ENCRYPTED, Endpoint, EndpointKey},
    reason::Reason,
    walk::Walk,
};
use overlay_ebpf::{
    admission::Packet,
    arrival::{self, Inner},
    cover::Cover,
    header::{ETHERTYPE_IPV6, Ethernet},
    verdict::Verdict,
    way_out,
};

use super::{TcFrame, answer, deliver, mesh, service};
use crate::map::{self, config};

/// Decides about a packet from the vxlan device.
#[inline(always)]
pub(crate) fn decide(frame: &mut TcFrame) -> Result<Verdict, Reason> {
    let (source, vni) = frame.0.tunnel().ok_or(Reason::Malformed)?;
    let peer_id = map::peer::id_of(&source).ok_or(Reason::UnknownPeer)?;
    let came = came(frame, peer_id)?;

    // Ethernet and IPv4, or Ethernet and ARP.
    frame.0.ensure(42);
    if frame.header::<Ethernet>(0)?.ethertype == ETHERTYPE_IPV6 {
        // Ethernet, IPv6 and a neighbour solicitation.
        frame.0.ensure(78);
    }
    match arrival::inner::<_, 0>(frame)? {
        Inner::Packet(packet) if mesh::is_ingress(vni) => {
            mesh::peer::serve(frame, vni, (peer_id, came), packet.is_v4)
        }
        Inner::Packet(packet) => {
            let key = EndpointKey::new(vni, packet.destination);
            let endpoint = deliver::endpoint(&key)?;
            let cover = cover(endpoint, came)?;
            if cover == Cover::Encrypted && !is_owner(frame, vni, &packet, peer_id)? {
                return Err(Reason::ForeignSender);
            }
            let walk = match cover {
                Cover::Plain => Walk::Tunnelled,
                Cover::Encrypted => Walk::Decrypted,
            };
            let walk = service::restore(frame, endpoint, vni, &packet, walk)?;
            deliver::into_container(frame, endpoint, walk)
        }
        Inner::ArpQuestion { target } => {
            let key = EndpointKey::new(vni, target);
            let endpoint = deliver::endpoint(&key)?;
            cover(endpoint, came)?;
            let peer = map::peer::get(peer_id).ok_or(Reason::NoPeer)?;
            answer::arp_through_device(frame, vni, peer, endpoint)
        }
        Inner::NeighbourQuestion { target } => {
            let key = EndpointKey::new(vni, target);
            let endpoint = deliver::endpoint(&key)?;
            cover(endpoint, came)?;
            let peer = map::peer::get(peer_id).ok_or(Reason::NoPeer)?;
            answer::neighbour_through_device(frame, peer, &key, endpoint)
        }
    }
}

/// How the packet came from the peer that its outer source names. The kernel chooses the state that decrypts by other
/// fields, so the two need not be one node.
#[inline(always)]
fn came(frame: &mut TcFrame, peer_id: u32) -> Result<Cover, Reason> {
    let sender = encryption::sender(config::mark(), frame.0.mark());
    frame.0.unmark();
    match sender {
        None => Ok(Cover::Plain),
        Some(sender) if sender == peer_id => Ok(Cover::Encrypted),
        Some(_) => Err(Reason::ForeignSender),
    }
}

/// How packets for an endpoint travel between nodes; one that came otherwise is not for it.
#[inline(always)]
fn cover(endpoint: &Endpoint, came: Cover) -> Result<Cover, Reason> {
    let cover = Cover::by(endpoint.flags & ENDPOINT_ENCRYPTED != 0);
    if cover == Cover::Encrypted && came == Cover::Plain {
        return Err(Reason::Cleartext);
    }
    Ok(cover)
}

/// Whether a peer has the address from which it sends.
#[inline(always)]
fn is_owner(frame: &TcFrame, vni: u32, packet: &Packet, peer_id: u32) -> Result<bool, Reason> {
    let source = way_out::source(frame, packet.is_v4)?;
    let route = map::route::get(&EndpointKey::new(vni, source));
    Ok(route.is_some_and(|route| route.peer == peer_id))
}
