//! What the underlay brings that is no VXLAN: a client's packet for a published port, an error about an
//! answer, or, most of the time, the host's own traffic, which is left alone.

use overlay_common::{
    flow::{FLOW_FORWARD, SCOPE_HOST},
    reason::Reason,
    walk::Walk,
};
use overlay_ebpf::{
    flow as keys, quote,
    transport::{self, Icmp, Transport},
    verdict::Verdict,
};

use super::{
    super::{TcFrame, flow},
    Door, Subject, published, read, serve,
};
use crate::map::{
    self,
    work::{self, Work},
};

const OUTSIDE: Door = Door {
    vni: SCOPE_HOST,
    peer: 0,
};

/// Decides about a packet that came from outside. What cannot be read is the host's own business.
#[inline(never)]
pub(in crate::program) fn decide(frame: &mut TcFrame, is_v4: bool) -> Result<Verdict, Reason> {
    let Ok(Some(transport)) = transport::find(frame, is_v4) else {
        return Ok(Verdict::Pass);
    };
    let is_of_interest = transport.has_ports() || transport.is_icmp();
    if !is_of_interest {
        return Ok(Verdict::Pass);
    }
    let work = work::get()?;
    let Ok(Some(ends)) = flow::ends(frame, SCOPE_HOST, &transport, work) else {
        return Ok(Verdict::Pass);
    };
    match ends.icmp {
        Icmp::No => {}
        Icmp::Error => return report(frame, &transport, work),
        Icmp::Query | Icmp::Reply | Icmp::Other => return Ok(Verdict::Pass),
    }
    let Ok(packet) = read(frame, is_v4) else {
        return Ok(Verdict::Pass);
    };
    let Some(port) = published(packet.destination, transport.protocol, ends.destination) else {
        return Ok(Verdict::Pass);
    };
    if map::transit::own_address(&packet.destination).is_none() {
        return Ok(Verdict::Pass);
    }
    let subject = Subject {
        flags: transport::tcp_flags(frame, &transport).unwrap_or_default(),
        packet,
        transport,
        ends,
    };
    serve::serve(frame, &subject, port, OUTSIDE, work)
}

/// Leads an ICMP error about an answer to the task that sent it.
#[inline(never)]
fn report(
    frame: &mut TcFrame,
    transport: &Transport,
    work: &mut Work,
) -> Result<Verdict, Reason> {
    let Ok(Some(quote)) = quote::read(frame, transport) else {
        return Ok(Verdict::Pass);
    };
    work.key = quote.answer_key(SCOPE_HOST);
    let Some(found) = map::flow::find(&work.key) else {
        return Ok(Verdict::Pass);
    };
    let (_, destination) = keys::addresses(frame, transport.is_v4)?;
    if found.flow().kind != FLOW_FORWARD || destination != work.key.destination {
        return Ok(Verdict::Pass);
    }
    if found.flow().peer == 0 {
        return serve::report_here(frame, transport, &quote, &found, Walk::Published);
    }
    let packet = read(frame, transport.is_v4)?;
    serve::towards(frame, &packet, found.flow().peer, &found.flow().address)
}
