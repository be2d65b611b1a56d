//! What the underlay brings that is no VXLAN: a client's packet for a published port, an error about an
//! answer, or, most of the time, the host's own traffic, which is left alone.

use overlay_common::{
    flow::{FLOW_ENCRYPTED, FLOW_FORWARD, SCOPE_HOST},
    reason::Reason,
};
use overlay_ebpf::{
    cover::Cover,
    flow as keys, quote,
    transport::{self, Icmp},
};

use super::{
    super::{TcFrame, flow, outlined::outlined},
    Next, published, read, serve,
};
use crate::map::{self, work::Work};

/// Decides about a packet that came from outside; `work` has the scope of the host. What cannot be read is the
/// host's own business.
#[inline(always)]
pub(in crate::program) fn decide(frame: &mut TcFrame, work: &mut Work) -> Result<Next, Reason> {
    outlined(frame, work, Next::NotOurs, decide_here)
}

#[inline(always)]
fn decide_here(frame: &mut TcFrame, work: &mut Work) -> Result<Next, Reason> {
    let is_v4 = work.packet.is_v4;
    let Ok(Some(transport)) = transport::find(frame, is_v4) else {
        return Ok(Next::NotOurs);
    };
    if !transport.has_ports() && !transport.is_icmp() {
        return Ok(Next::NotOurs);
    }
    work.transport = transport;
    work.asked = 0;
    let Ok(Some(ends)) = flow::ends(frame, work) else {
        return Ok(Next::NotOurs);
    };
    match ends.icmp {
        Icmp::No => {}
        Icmp::Error => return Ok(Next::Error),
        Icmp::Query | Icmp::Reply | Icmp::Other => return Ok(Next::NotOurs),
    }
    let Ok(packet) = read(frame, is_v4) else {
        return Ok(Next::NotOurs);
    };
    let Some(port) = published(packet.destination, transport.protocol, ends.destination) else {
        return Ok(Next::NotOurs);
    };
    if map::transit::own_address(&packet.destination).is_none() {
        return Ok(Next::NotOurs);
    }
    work.packet = packet;
    serve::serve(frame, work, port, &ends)
}

/// Leads an ICMP error about an answer to the task that sent it. Called after [`decide`] has said so.
#[inline(always)]
pub(in crate::program) fn report(frame: &mut TcFrame, work: &mut Work) -> Result<Next, Reason> {
    outlined(frame, work, Next::NotOurs, report_here)
}

#[inline(always)]
fn report_here(frame: &mut TcFrame, work: &mut Work) -> Result<Next, Reason> {
    let Ok(Some(quote)) = quote::read(frame, &work.transport) else {
        return Ok(Next::NotOurs);
    };
    work.quote = quote;
    work.key = work.quote.answer_key(SCOPE_HOST);
    let Some(found) = map::flow::find(&work.key) else {
        return Ok(Next::NotOurs);
    };
    let (_, destination) = keys::addresses(frame, work.transport.is_v4)?;
    if found.flow().kind != FLOW_FORWARD || destination != work.key.destination {
        return Ok(Next::NotOurs);
    }
    if found.flow().peer == 0 {
        return serve::report_here(frame, work, &found);
    }
    work.packet = read(frame, work.transport.is_v4)?;
    work.peer = found.flow().peer;
    work.task = found.flow().address;
    work.cover = Cover::by(found.flow().flags & FLOW_ENCRYPTED != 0);
    serve::towards(frame, work)
}
