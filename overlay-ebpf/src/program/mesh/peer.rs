//! A frame that another node sent in the ingress network, taken out of its VXLAN: a client's packet for a
//! task of this node, or an answer for a client of this node.

use overlay_common::{
    address::Address,
    flow::{FLOW_FORWARD, FlowKey, SCOPE_HOST},
    reason::Reason,
    service::PORT_HOST,
    walk::Walk,
};
use overlay_ebpf::{
    flow as keys,
    header::{Ipv4, Ipv6},
    quote,
    transport::{self, Icmp, Transport},
    verdict::Verdict,
};

use super::{
    super::{
        TcFrame,
        flow::{self, Way},
    },
    Door, Subject, ingress, out, published, read, serve,
};
use crate::map::{
    self,
    flow::Found,
    work::{self, Work},
};

/// Whether the packet at `at` seems to be an answer for a client of this node, which leaves the node again.
#[inline(always)]
pub(in crate::program) fn is_answer(frame: &TcFrame, at: usize, is_v4: bool) -> bool {
    let source = if is_v4 {
        frame.header::<Ipv4>(at).map(|ip| Address::from_v4(ip.source))
    } else {
        frame.header::<Ipv6>(at).map(|ip| Address::from_v6(ip.source))
    };
    source.is_ok_and(|source| map::transit::own_address(&source).is_some())
}

/// Decides about a bare frame from the node `peer`.
#[inline(never)]
pub(in crate::program) fn decide(
    frame: &mut TcFrame,
    peer: u32,
    is_v4: bool,
) -> Result<Verdict, Reason> {
    let packet = read(frame, is_v4)?;
    let transport = transport::find(frame, is_v4)?.ok_or(Reason::MeshStranger)?;
    let door = Door {
        vni: ingress(),
        peer,
    };
    let work = work::get()?;
    let ends = flow::ends(frame, door.vni, &transport, work)?.ok_or(Reason::UnknownFragment)?;
    if ends.icmp == Icmp::Error {
        return report(frame, &transport, door, work);
    }
    let flags = transport::tcp_flags(frame, &transport)?;
    work.key = keys::key(frame, SCOPE_HOST, &transport, &ends)?;
    let from = work.key.source;
    turn(&mut work.key);
    if let Some(found) = of_client(&work.key, peer) {
        flow::expect_fragments(frame, door.vni, &transport, &ends, work)?;
        flow::progress(&found, Way::Back, flags, &work.key, &work.key);
        return out(&from, Walk::MeshReturned);
    }
    let port = published(packet.destination, transport.protocol, ends.destination)
        .filter(|port| port.flags & PORT_HOST == 0)
        .ok_or(Reason::MeshStranger)?;
    let subject = Subject {
        packet,
        transport,
        ends,
        flags,
    };
    serve::serve(frame, &subject, port, door, work)
}

/// The flow of a client of this node whose task is on the node `peer`. Nothing else that comes from there
/// leaves this node.
#[inline(always)]
fn of_client(key: &FlowKey, peer: u32) -> Option<Found> {
    map::transit::own_address(&key.destination)?;
    map::flow::find(key).filter(|found| {
        let flow = found.flow();
        flow.kind == FLOW_FORWARD && flow.peer == peer
    })
}

#[inline(always)]
fn turn(key: &mut FlowKey) {
    (key.source, key.destination) = (key.destination, key.source);
    (key.source_port, key.destination_port) = (key.destination_port, key.source_port);
}

/// Leads an ICMP error to the client that sent the quoted packet, or to the task that answered with it.
#[inline(never)]
fn report(
    frame: &mut TcFrame,
    transport: &Transport,
    door: Door,
    work: &mut Work,
) -> Result<Verdict, Reason> {
    let quote = quote::read(frame, transport)?.ok_or(Reason::MeshStranger)?;
    let (from, destination) = keys::addresses(frame, transport.is_v4)?;
    work.key = quote.answer_key(SCOPE_HOST);
    turn(&mut work.key);
    let is_for_client = destination == work.key.source && from == work.key.destination;
    if is_for_client && of_client(&work.key, door.peer).is_some() {
        return out(&from, Walk::MeshReturned);
    }
    work.key = quote.answer_key(door.vni);
    let found = map::flow::find(&work.key).ok_or(Reason::MeshStranger)?;
    if found.flow().kind != FLOW_FORWARD || destination != work.key.destination {
        return Err(Reason::MeshStranger);
    }
    serve::report_here(frame, transport, &quote, &found, Walk::MeshDelivered)
}
