//! What a task answers to a client outside.

use overlay_common::{
    address::{Address, derived_mac},
    flow::{FLOW_REVERSE, SCOPE_HOST},
    reason::Reason,
    walk::Walk,
};
use overlay_ebpf::{
    admission::Packet,
    flow as keys, quote,
    transport::{self, Icmp, Transport},
    verdict::Verdict,
};

use super::{
    super::{
        TcFrame, encapsulate,
        flow::{self, Way},
        nat::{self, Side},
    },
    check_port, ingress, out, rewrite,
};
use crate::map::{
    self,
    flow::Found,
    work::{self, Work},
};

/// Sends a container's packet back to a client outside, if it is an answer to one. `None`: it is not.
#[inline(never)]
pub(in crate::program) fn decide(
    frame: &mut TcFrame,
    vni: u32,
    packet: &Packet,
) -> Result<Option<Verdict>, Reason> {
    let Some(transport) = transport::find(frame, packet.is_v4)? else {
        return Ok(None);
    };
    let work = work::get()?;
    let Some(ends) = flow::ends(frame, vni, &transport, work)? else {
        return Ok(None);
    };
    if ends.icmp == Icmp::Error {
        return report(frame, vni, packet, &transport, work);
    }
    work.key = keys::key(frame, vni, &transport, &ends)?;
    let Some(found) = of_client(work) else {
        return Ok(None);
    };
    let flow = found.flow();
    let (address, port, peer) = (flow.address, flow.port, flow.peer);
    check_port(frame, &transport, ends.source, port)?;
    if let Some(verdict) = told_too_big(frame, packet, peer)? {
        return Ok(Some(verdict));
    }
    let flags = transport::tcp_flags(frame, &transport)?;
    work.twin = flow.twin(&work.key);
    flow::expect_fragments(frame, vni, &transport, &ends, work)?;
    flow::progress(&found, Way::Back, flags, &work.key, &work.twin);

    // Point of no return.
    rewrite(frame, &transport, Side::Source, &address, port)?;
    send(frame, packet, peer, &address).map(Some)
}

/// The flow of `work.key`, if its client is outside.
#[inline(always)]
fn of_client(work: &Work) -> Option<Found> {
    map::flow::find(&work.key).filter(|found| {
        let flow = found.flow();
        flow.kind == FLOW_REVERSE && (flow.vni == SCOPE_HOST || flow.vni == ingress())
    })
}

/// Sends a task's ICMP error about a client's packet, which then quotes what the client sent.
#[inline(never)]
fn report(
    frame: &mut TcFrame,
    vni: u32,
    packet: &Packet,
    transport: &Transport,
    work: &mut Work,
) -> Result<Option<Verdict>, Reason> {
    let Some(quote) = quote::read(frame, transport)? else {
        return Ok(None);
    };
    work.key = quote.answer_key(vni);
    let Some(found) = of_client(work) else {
        return Ok(None);
    };
    if packet.destination != work.key.destination {
        return Ok(None);
    }
    let (address, peer) = (found.flow().address, found.flow().peer);
    work.twin = found.flow().twin(&work.key);

    // Point of no return.
    nat::requote(frame, transport, &quote, &work.twin)?;
    nat::address(frame, transport, Side::Source, &address)?;
    send(frame, packet, peer, &address).map(Some)
}

#[inline(always)]
fn told_too_big(
    frame: &mut TcFrame,
    packet: &Packet,
    peer: u32,
) -> Result<Option<Verdict>, Reason> {
    if peer == 0 {
        return Ok(None);
    }
    let peer = map::peer::get(peer).ok_or(Reason::NoPeer)?;
    encapsulate::refuse_oversize(frame, packet, peer)
}

#[inline(always)]
fn send(
    frame: &mut TcFrame,
    packet: &Packet,
    peer: u32,
    from: &Address,
) -> Result<Verdict, Reason> {
    if peer == 0 {
        return out(from, Walk::PublishedAnswer);
    }
    let peer = map::peer::get(peer).ok_or(Reason::NoPeer)?;
    let receiver = (derived_mac(&packet.destination), Walk::MeshAnswered);
    encapsulate::towards(frame, ingress(), packet, receiver, peer)
}
