//! The way to another node.

use overlay_common::{
    address::Mac,
    encryption,
    peer::{ENCAP_DEVICE, Peer},
    reason::Reason,
    walk::Walk,
};
use overlay_ebpf::{
    admission::{ETHERNET, Packet},
    cover::Cover,
    entropy,
    header::Ethernet,
    outer::Envelope,
    path_mtu::{self, Oversize},
    verdict::Verdict,
};

use super::{TcFrame, answer};
use crate::{
    context::{self, Headroom},
    map::{config, scratch},
};

/// The network in which a packet goes to another node, and how.
#[derive(Clone, Copy)]
pub(super) struct Carriage {
    pub(super) vni: u32,
    pub(super) cover: Cover,
}

/// Sends a container's packet to the peer that has its destination, where `mac` is to receive it; it is
/// counted as `walk` if the program encapsulates it. What is to be encrypted goes by way of the kernel, which alone
/// does that.
#[inline(always)]
pub(super) fn towards(
    frame: &mut TcFrame,
    carriage: Carriage,
    packet: &Packet,
    (mac, walk): (Mac, Walk),
    peer: &Peer,
) -> Result<Verdict, Reason> {
    if peer.ifindex == 0 {
        return Err(Reason::NoUnderlay);
    }
    let (length, gso_size) = (frame.0.length(), frame.0.gso_size());
    let limit = path_mtu::inner_mtu(peer, carriage.cover);
    if path_mtu::segment_length(frame, packet, length, gso_size)? > limit {
        return too_big(frame, carriage, packet, mac, peer, limit);
    }
    if carriage.cover == Cover::Encrypted || peer.encap == ENCAP_DEVICE {
        return through_device(frame, carriage, mac, peer, Walk::Device);
    }
    natively(frame, carriage.vni, packet, (mac, walk), peer)
}

#[inline(always)]
fn natively(
    frame: &mut TcFrame,
    vni: u32,
    packet: &Packet,
    (mac, walk): (Mac, Walk),
    peer: &Peer,
) -> Result<Verdict, Reason> {
    let envelope = Envelope {
        vni,
        length: frame.0.length(),
        class: packet.class,
        source_port: entropy::source_port(
            frame.0.flow_hash(),
            config::source_port_first(),
            config::source_port_last(),
        ),
        port: config::port(),
        identification: context::random() as u16,
    };
    // What the kernel cannot take here (a packet that is a tunnel's already, an odd aggregate) its own
    // device can.
    if frame.0.encapsulate(headroom(peer)).is_err() {
        let cover = Cover::Plain;
        return through_device(frame, Carriage { vni, cover }, mac, peer, Walk::Fallback);
    }

    // Point of no return. The room is behind the Ethernet header, which therefore still is the inner one.
    store_outer::<0>(frame, &envelope, Some(mac), peer)?;
    Ok(Verdict::to_peer(peer).counted_as(walk))
}

/// Writes the outer headers behind the underlay's Ethernet header, where there is room for them. The
/// inner Ethernet header stands at `AT`; `mac` corrects its destination.
#[inline(always)]
pub(super) fn store_outer<const AT: usize>(
    frame: &mut TcFrame,
    envelope: &Envelope,
    mac: Option<Mac>,
    peer: &Peer,
) -> Result<(), Reason> {
    let inner = frame.header::<Ethernet>(AT)?;
    match headroom(peer) {
        Headroom::V4 => {
            let outer = scratch::fill(|outer| envelope.write_v4(peer, inner, mac, outer))?;
            frame.0.store(ETHERNET as u32, outer)
        }
        Headroom::V6 => {
            let outer = scratch::fill(|outer| envelope.write_v6(peer, inner, mac, outer))?;
            frame.0.store(ETHERNET as u32, outer)
        }
    }
}

/// Which outer headers a peer needs.
#[inline(always)]
fn headroom(peer: &Peer) -> Headroom {
    if peer.remote.is_v4() {
        Headroom::V4
    } else {
        Headroom::V6
    }
}

/// Hands a frame for the Ethernet address `mac` to the collect-metadata vxlan device, whose packets the kernel encrypts if
/// they are marked. It is counted as `walk`, unless it is to be encrypted.
#[inline(always)]
pub(super) fn through_device(
    frame: &mut TcFrame,
    carriage: Carriage,
    mac: Mac,
    peer: &Peer,
    walk: Walk,
) -> Result<Verdict, Reason> {
    if frame.header::<Ethernet>(0)?.destination != mac {
        frame.0.store(0, scratch::fill(|room| *room = mac)?)?;
    }
    frame.0.set_tunnel(carriage.vni, peer)?;
    let walk = match carriage.cover {
        Cover::Plain => {
            frame.0.unmark();
            walk
        }
        Cover::Encrypted => {
            frame.0.set_mark(encryption::outbound(config::mark()));
            Walk::Encrypted
        }
    };
    Ok(Verdict::Redirect {
        ifindex: config::tunnel_ifindex(),
        walk,
    })
}

/// Turns a packet that is too big for the way to a peer into the answer that says so. `false`: it fits, or will
/// be fragmented.
#[inline(never)]
pub(super) fn refuse_oversize(
    frame: &mut TcFrame,
    packet: &Packet,
    peer: &Peer,
    cover: Cover,
) -> Result<bool, Reason> {
    let (length, gso_size) = (frame.0.length(), frame.0.gso_size());
    let limit = path_mtu::inner_mtu(peer, cover);
    if path_mtu::segment_length(frame, packet, length, gso_size)? <= limit {
        return Ok(false);
    }
    let told = match path_mtu::oversize(frame, packet, peer)? {
        Oversize::Fragment => return Ok(false),
        Oversize::Drop => return Err(Reason::TooBig),
        Oversize::Tell if packet.is_v4 => answer::fragmentation_needed(frame, limit),
        Oversize::Tell => answer::packet_too_big(frame, limit),
    };
    told.map(|_back| true)
}

#[inline(always)]
fn too_big(
    frame: &mut TcFrame,
    carriage: Carriage,
    packet: &Packet,
    mac: Mac,
    peer: &Peer,
    limit: u32,
) -> Result<Verdict, Reason> {
    match path_mtu::oversize(frame, packet, peer)? {
        Oversize::Fragment => through_device(frame, carriage, mac, peer, Walk::Fallback),
        Oversize::Drop => Err(Reason::TooBig),
        Oversize::Tell if packet.is_v4 => answer::fragmentation_needed(frame, limit),
        Oversize::Tell => answer::packet_too_big(frame, limit),
    }
}
