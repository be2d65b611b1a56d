//! A frame that another node sent in the ingress network, taken out of its VXLAN: a client's packet for a
//! task of this node, or an answer for a client of this node.

use overlay_common::{
    address::Address,
    flow::{FLOW_ENCRYPTED, FLOW_FORWARD, Flow, FlowKey, SCOPE_HOST},
    reason::Reason,
    service::{PORT_ENCRYPTED, PORT_HOST},
};
use overlay_ebpf::{
    cover::Cover,
    flow as keys,
    header::{Ipv4, Ipv6},
    quote,
    transport::{self, Icmp},
    verdict::Verdict,
};

use super::{
    super::{
        TcFrame,
        flow::{self, Way},
        outlined::outlined,
    },
    Next, carry_out, published, read, serve,
};
use crate::map::{self, flow::Found, work::Work};

/// Whether the packet at `at` seems to be an answer for a client of this node, which leaves the node again.
#[inline(always)]
pub(in crate::program) fn is_answer(frame: &TcFrame, at: usize, is_v4: bool) -> bool {
    let source = if is_v4 {
        let ip = frame.header::<Ipv4>(at);
        ip.map(|ip| Address::from_v4(ip.source))
    } else {
        let ip = frame.header::<Ipv6>(at);
        ip.map(|ip| Address::from_v6(ip.source))
    };
    source.is_ok_and(|source| map::transit::own_address(&source).is_some())
}

/// Leads a bare frame that the node `peer` sent so on its way.
#[inline(always)]
pub(in crate::program) fn serve(
    frame: &mut TcFrame,
    vni: u32,
    (peer, came): (u32, Cover),
    is_v4: bool,
) -> Result<Verdict, Reason> {
    let work = map::work::get(vni, Cover::Plain)?;
    (work.asked, work.came) = (peer, came);
    work.packet.is_v4 = is_v4;
    lead(frame, work)
}

/// Leads a bare frame of the family `work.packet.is_v4` from the node `work.asked` on its way.
#[inline(always)]
pub(in crate::program) fn lead(frame: &mut TcFrame, work: &mut Work) -> Result<Verdict, Reason> {
    let mut next = decide(frame, work)?;
    if next == Next::Error {
        next = report(frame, work)?;
    }
    carry_out(frame, work, next, Reason::MeshStranger)
}

/// Decides about a bare frame from the node `work.asked`; `work` has the ingress network.
#[inline(always)]
fn decide(frame: &mut TcFrame, work: &mut Work) -> Result<Next, Reason> {
    outlined(frame, work, Next::NotOurs, decide_here)
}

#[inline(always)]
fn decide_here(frame: &mut TcFrame, work: &mut Work) -> Result<Next, Reason> {
    let is_v4 = work.packet.is_v4;
    work.packet = read(frame, is_v4)?;
    work.transport = transport::find(frame, is_v4)?.ok_or(Reason::MeshStranger)?;
    let ends = flow::ends(frame, work)?.ok_or(Reason::UnknownFragment)?;
    if ends.icmp == Icmp::Error {
        return Ok(Next::Error);
    }
    work.key = keys::key(frame, SCOPE_HOST, &work.transport, &ends)?;
    turn(&mut work.key);
    if let Some(found) = of_client(work) {
        expect(work, is_encrypted(found.flow()))?;
        work.task = work.key.destination;
        work.port = [0; 2];
        let flags = transport::tcp_flags(frame, &work.transport)?;
        flow::expect_fragments(frame, &ends, work)?;
        flow::progress(&found, Way::Back, flags, &work.key, &work.key);
        return Ok(Next::Out);
    }
    let protocol = work.transport.protocol;
    let port = published(work.packet.destination, protocol, ends.destination)
        .filter(|port| port.flags & PORT_HOST == 0)
        .ok_or(Reason::MeshStranger)?;
    expect(work, port.flags & PORT_ENCRYPTED != 0)?;
    serve::serve(frame, work, port, &ends)
}

/// The flow `work.key` of a client of this node whose task is on the node that sent the frame. Nothing else
/// that comes from there leaves this node.
#[inline(always)]
fn of_client(work: &Work) -> Option<Found> {
    map::transit::own_address(&work.key.destination)?;
    map::flow::find(&work.key).filter(|found| {
        let flow = found.flow();
        flow.kind == FLOW_FORWARD && flow.peer == work.asked
    })
}

/// What belongs to an encrypted port is taken only from a node that encrypted it.
#[inline(always)]
fn expect(work: &Work, is_encrypted: bool) -> Result<(), Reason> {
    if is_encrypted && work.came == Cover::Plain {
        return Err(Reason::Cleartext);
    }
    Ok(())
}

#[inline(always)]
fn is_encrypted(flow: &Flow) -> bool {
    flow.flags & FLOW_ENCRYPTED != 0
}

#[inline(always)]
fn turn(key: &mut FlowKey) {
    (key.source, key.destination) = (key.destination, key.source);
    (key.source_port, key.destination_port) = (key.destination_port, key.source_port);
}

/// Leads an ICMP error to the client that sent the quoted packet, or to the task that answered with it.
#[inline(always)]
fn report(frame: &mut TcFrame, work: &mut Work) -> Result<Next, Reason> {
    outlined(frame, work, Next::NotOurs, report_here)
}

#[inline(always)]
fn report_here(frame: &mut TcFrame, work: &mut Work) -> Result<Next, Reason> {
    work.quote = quote::read(frame, &work.transport)?.ok_or(Reason::MeshStranger)?;
    let (from, destination) = keys::addresses(frame, work.transport.is_v4)?;
    work.key = work.quote.answer_key(SCOPE_HOST);
    turn(&mut work.key);
    let is_for_client = destination == work.key.source && from == work.key.destination;
    if is_for_client && let Some(found) = of_client(work) {
        expect(work, is_encrypted(found.flow()))?;
        work.task = from;
        work.port = [0; 2];
        return Ok(Next::Out);
    }
    work.key = work.quote.answer_key(work.vni);
    let found = map::flow::find(&work.key).ok_or(Reason::MeshStranger)?;
    if found.flow().kind != FLOW_FORWARD || destination != work.key.destination {
        return Err(Reason::MeshStranger);
    }
    expect(work, is_encrypted(found.flow()))?;
    serve::report_here(frame, work, &found)
}
