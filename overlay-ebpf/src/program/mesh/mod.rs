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
mod rewrite;
mod serve;

use overlay_common::{
    address::Address,
    endpoint::EndpointKey,
    reason::Reason,
    service::{EVERY_IPV4, EVERY_IPV6, PortKey, PublishedPort},
    walk::Walk,
};
use overlay_ebpf::{
    admission::{self, ETHERNET, Packet},
    mesh::Names,
    verdict::Verdict,
};

use super::{
    TcFrame, answer as answers, deliver,
    encapsulate::{self, Carriage},
    nat::Side,
    outlined::outlined_verdict,
};
use crate::map::{self, config, scratch, work::Work};

/// What becomes of a packet. What else there is to know stands in `Work`. One variant at most has more to say:
/// then all of them fit one word, of which every bit is defined, as the kernel wants what a function returns.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Next {
    /// It has to do with no published port.
    NotOurs,
    /// It is an ICMP error, for the module's `report`: called from where this was, for want of stack.
    Error,
    /// It is an answer to its sender now.
    Answered(Walk),
    /// It is for the task `task` in the network `network`, on this node.
    Here,
    /// It goes to the node `peer`, for the task `task`.
    ToTask,
    /// It goes to the node `peer`, for a client there.
    ToAsked,
    /// It goes to a client outside; it comes from this node's address `task`.
    Out,
}

/// Does what was decided. A packet that is not ours is dropped for `reason`.
#[inline(always)]
pub(super) fn carry_out(
    frame: &mut TcFrame,
    work: &mut Work,
    next: Next,
    reason: Reason,
) -> Result<Verdict, Reason> {
    match next {
        Next::NotOurs | Next::Error => return Err(reason),
        Next::Here => rewrite::end(frame, work, Side::Destination)?,
        Next::Out | Next::ToAsked => rewrite::end(frame, work, Side::Source)?,
        Next::Answered(_) | Next::ToTask => {}
    }
    outlined_verdict(frame, work, |frame, work| send(frame, work, next))
}

/// Sends a packet on its way.
#[inline(always)]
fn send(frame: &mut TcFrame, work: &mut Work, next: Next) -> Result<Verdict, Reason> {
    let (walk, is_for_task) = match next {
        Next::NotOurs | Next::Error => return Err(Reason::MeshStranger),
        Next::Answered(walk) if work.asked == 0 => return Ok(answers::back(frame, walk)),
        Next::Here => {
            let walk = if work.asked == 0 {
                Walk::Published
            } else {
                Walk::MeshDelivered
            };
            let key = EndpointKey::new(work.network, work.task);
            return deliver::into_container(frame, deliver::endpoint(&key)?, walk);
        }
        Next::Out if work.asked == 0 => return out(&work.task, Walk::PublishedAnswer),
        Next::Out => return out(&work.task, Walk::MeshReturned),
        // Through the node that the client asked.
        Next::Answered(walk) => {
            work.peer = work.asked;
            work.packet = read(frame, work.packet.is_v4)?;
            (walk, false)
        }
        Next::ToAsked => (Walk::MeshAnswered, false),
        Next::ToTask => (Walk::MeshSent, true),
    };
    let peer = map::peer::get(work.peer).ok_or(Reason::NoPeer)?;
    let names = scratch::fill(|names| *names = Names::of(&work.task))?;
    let mac = names.destination;
    if is_for_task {
        frame.0.store(0, names)?;
    }
    let carriage = Carriage {
        vni: ingress(),
        cover: work.cover,
    };
    encapsulate::towards(frame, carriage, &work.packet, (mac, walk), peer)
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
    let mut key = PortKey {
        address: every,
        port,
        protocol,
        _reserved: [0; 5],
    };
    if let Some(published) = map::service::port(&key) {
        return Some(published);
    }
    key.address = address;
    map::service::port(&key)
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
    // With direct return the address is another node's, or its device may not be known.
    let ifindex = device(from)
        .or_else(|| device(&config::local_ipv4()))
        .or_else(|| device(&config::local_ipv6()));
    Ok(Verdict::RedirectNeighbour {
        ifindex: ifindex.ok_or(Reason::NoUnderlay)?,
        next_hop: Address::UNSPECIFIED,
        walk,
    })
}

#[inline(always)]
fn device(address: &Address) -> Option<u32> {
    map::transit::own_address(address).filter(|device| *device != 0)
}
