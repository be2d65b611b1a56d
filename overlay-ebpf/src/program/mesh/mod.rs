//! Published ports: what a client outside sends to a port of any node goes to a task, on this node or by way
//! of the `ingress` network on another one, and the task's answers come back as the node's. The client's
//! address is kept.
//!
//! | who | where | does |
//! |---|---|---|
//! | the node that was asked | [`client`] | chooses a task, remembers the flow in the scope of the host |
//! | the task's node | [`peer`] | rewrites the packet for the task, remembers both directions |
//! | the task's node | [`answer`] | rewrites the task's answers, and sends them back the same way |
//! | the node that was asked | [`peer`] | hands the answers of flows that it knows to the client |

pub(super) mod answer;
pub(super) mod client;
pub(super) mod peer;
mod serve;

use overlay_common::{
    address::Address,
    reason::Reason,
    service::{EVERY_IPV4, EVERY_IPV6, PortKey, PublishedPort},
    walk::Walk,
};
use overlay_ebpf::{
    admission::{self, ETHERNET, Packet},
    frame::Bytes as _,
    header::{Ipv4, Ipv6, PROTOCOL_SCTP},
    sctp,
    transport::{Ends, Part, Transport},
    verdict::Verdict,
};

use super::{
    TcFrame,
    nat::{self, Side},
};
use crate::map::{self, config};

/// Ethernet, IPv6 and TCP, which a refusal quotes.
const HEADERS: u32 = 74;

/// A packet that was read.
struct Subject {
    packet: Packet,
    transport: Transport,
    ends: Ends,
    /// Flags of TCP.
    flags: u8,
}

/// Where clients' packets come in.
#[derive(Clone, Copy)]
struct Door {
    /// The network part of flows' scopes: none outside, or the ingress network.
    vni: u32,
    /// The node that they asked, or 0 if it is this one.
    peer: u32,
}

/// Whether frames of this network carry what came to published ports.
#[inline(always)]
pub(super) fn is_ingress(vni: u32) -> bool {
    vni != 0 && ingress() == vni
}

/// The ingress network, or 0.
#[inline(always)]
fn ingress() -> u32 {
    map::node::get().map_or(0, |node| node.ingress_vni)
}

/// What answers at a port.
#[inline(always)]
fn published(address: Address, protocol: u8, port: [u8; 2]) -> Option<&'static PublishedPort> {
    let every = if address.is_v4() {
        EVERY_IPV4
    } else {
        EVERY_IPV6
    };
    let key = |address| PortKey {
        address,
        port,
        protocol,
        _reserved: [0; 5],
    };
    map::service::port(&key(every)).or_else(|| map::service::port(&key(address)))
}

#[inline(always)]
fn read(frame: &TcFrame, is_v4: bool) -> Result<Packet, Reason> {
    if is_v4 {
        admission::ipv4(frame, ETHERNET)
    } else {
        admission::ipv6(frame, ETHERNET)
    }
}

/// Sends a packet from this node's address `from` to a client.
#[inline(always)]
fn out(from: &Address, walk: Walk) -> Result<Verdict, Reason> {
    let device = |address: &Address| map::transit::own_address(address).filter(|device| *device != 0);
    // With direct return the address is another node's.
    let ifindex = device(from)
        .or_else(|| device(&config::local_ipv4()))
        .or_else(|| device(&config::local_ipv6()));
    Ok(Verdict::RedirectNeighbour {
        ifindex: ifindex.ok_or(Reason::NoUnderlay)?,
        next_hop: Address::UNSPECIFIED,
        walk,
    })
}

/// Fails unless a port of the packet can be replaced.
#[inline(always)]
fn check_port(
    frame: &TcFrame,
    transport: &Transport,
    old: [u8; 2],
    new: [u8; 2],
) -> Result<(), Reason> {
    let is_sctp = transport.protocol == PROTOCOL_SCTP && old != new;
    if is_sctp && (transport.part != Part::Whole || frame.0.gso_size() != 0) {
        return Err(Reason::SctpInParts);
    }
    Ok(())
}

/// Replaces an end of a packet.
#[inline(never)]
fn rewrite(
    frame: &mut TcFrame,
    transport: &Transport,
    side: Side,
    address: &Address,
    port: [u8; 2],
) -> Result<(), Reason> {
    nat::address(frame, transport, side, address)?;
    if !transport.is_here() || !transport.has_ports() {
        return Ok(());
    }
    let at = match side {
        Side::Source => transport.at,
        Side::Destination => transport.at + 2,
    };
    let old = frame.0.copy::<2>(at)?;
    if old == port {
        return Ok(());
    }
    if transport.protocol == PROTOCOL_SCTP {
        correct_sctp(frame, transport, at, old, port)?;
    }
    nat::port(frame, transport, side, port)
}

#[inline(never)]
fn correct_sctp(
    frame: &mut TcFrame,
    transport: &Transport,
    at: u32,
    old: [u8; 2],
    new: [u8; 2],
) -> Result<(), Reason> {
    let end = if transport.is_v4 {
        u32::from(frame.header::<Ipv4>(ETHERNET)?.total_length.get())
    } else {
        let payload = frame.header::<Ipv6>(ETHERNET)?.payload_length.get();
        u32::from(payload) + size_of::<Ipv6>() as u32
    };
    let behind = (end + ETHERNET as u32).saturating_sub(at + 2);
    let sum_at = transport.at + 8;
    let sum = frame.0.copy::<4>(sum_at)?;
    frame
        .0
        .store(sum_at, &sctp::corrected(sum, old, new, behind as u16))
}
