//! What a task answers to a client outside.

use overlay_common::{
    flow::{FLOW_ENCRYPTED, FLOW_REVERSE, SCOPE_HOST},
    reason::Reason,
    walk::Walk,
};
use overlay_ebpf::{
    cover::Cover,
    flow as keys, quote,
    transport::{self, Icmp},
};

use super::{
    super::{
        TcFrame, encapsulate,
        flow::{self, Way},
        nat::{self, Side},
        outlined::outlined,
    },
    Next, ingress, rewrite,
};
use crate::map::{self, flow::Found, work::Work};

/// Rewrites a container's packet if it is an answer to a client outside; `work` has the packet and its
/// network.
#[inline(always)]
pub(in crate::program) fn decide(frame: &mut TcFrame, work: &mut Work) -> Result<Next, Reason> {
    outlined(frame, work, Next::NotOurs, decide_here)
}

#[inline(always)]
fn decide_here(frame: &mut TcFrame, work: &mut Work) -> Result<Next, Reason> {
    work.asked = 0;
    let is_v4 = work.packet.is_v4;
    let Some(transport) = transport::find(frame, is_v4)? else {
        return Ok(Next::NotOurs);
    };
    work.transport = transport;
    let Some(ends) = flow::ends(frame, work)? else {
        return Ok(Next::NotOurs);
    };
    if ends.icmp == Icmp::Error {
        return Ok(Next::Error);
    }
    work.key = keys::key(frame, work.vni, &work.transport, &ends)?;
    let Some(found) = of_client(work) else {
        return Ok(Next::NotOurs);
    };
    let port = found.flow().port;
    work.partner_port = found.flow().partner_port;
    rewrite::check(work, ends.source, port)?;
    if is_told_too_big(frame, work)? {
        return Ok(Next::Answered(Walk::MtuTold));
    }
    let flags = transport::tcp_flags(frame, &work.transport)?;
    flow::expect_fragments(frame, &ends, work)?;
    flow::progress(&found, Way::Back, flags, &work.key, &work.twin);
    work.port = port;
    Ok(next(work))
}

/// The flow of `work.key`, if its client is outside; `work` is told where the client's node is.
#[inline(always)]
fn of_client(work: &mut Work) -> Option<Found> {
    let ingress = ingress();
    let found = map::flow::find(&work.key)?;
    let flow = found.flow();
    let is_outside = matches!(flow.vni, SCOPE_HOST) || flow.vni == ingress;
    if flow.kind != FLOW_REVERSE || !is_outside {
        return None;
    }
    work.task = flow.address;
    work.peer = flow.peer;
    work.twin = flow.twin(&work.key);
    // What the container's own network asks for stays in force.
    if flow.flags & FLOW_ENCRYPTED != 0 {
        work.cover = Cover::Encrypted;
    }
    Some(found)
}

/// Sends a task's ICMP error about a client's packet, which then quotes what the client sent. Called after
/// [`decide`] has said so.
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
    work.key = work.quote.answer_key(work.vni);
    work.port = [0; 2];
    if of_client(work).is_none() || work.packet.destination != work.key.destination {
        return Ok(Next::NotOurs);
    }

    // Point of no return.
    nat::requote(frame, &work.transport, &work.quote, &work.twin)?;
    nat::address(frame, &work.transport, Side::Source, &work.task)?;
    Ok(next(work))
}

#[inline(always)]
fn is_told_too_big(frame: &mut TcFrame, work: &Work) -> Result<bool, Reason> {
    if work.peer == 0 {
        return Ok(false);
    }
    let peer = map::peer::get(work.peer).ok_or(Reason::NoPeer)?;
    encapsulate::refuse_oversize(frame, &work.packet, peer, work.cover)
}

#[inline(always)]
fn next(work: &Work) -> Next {
    if work.peer == 0 {
        Next::Out
    } else {
        Next::ToAsked
    }
}
