//! Services: what a container sends to a virtual address goes to one of the service's tasks, and the task's
//! answers come back as the virtual address's. The client's address is kept.

use overlay_common::{
    endpoint::{ENDPOINT_BALANCED, Endpoint, EndpointKey},
    flow::{FLOW_FORWARD, FLOW_REVERSE, STATE_CLOSING, STATE_NEW},
    reason::Reason,
    service::{Backend, Vip},
    walk::Walk,
};
use overlay_ebpf::{
    admission::Packet,
    cover::Cover,
    flow as keys,
    header::{PROTOCOL_TCP, Tcp},
    quote,
    transport::{self, Icmp},
};

use super::{
    TcFrame, encapsulate,
    flow::{self, Way},
    nat::{self, Side},
    outlined::outlined,
    refuse,
};
use crate::map::{
    self,
    flow::Found,
    service::ATTEMPTS,
    work::{self, Work},
};

/// What became of a packet for an address that no endpoint and no route has.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Balanced {
    /// No service has it either.
    NotAVip,
    /// It is an answer to its sender now, which is counted so.
    Answered(Walk),
    /// It is an error about an answer: one for [`report_to_task`].
    Error,
    /// It is for a task of this node now.
    Here,
    /// It is for a task of another node now.
    Away,
}

/// Leads a container's packet for a virtual address to a task. `work` has the packet and its network;
/// afterwards it says to which address and which peer the packet goes.
///
/// Like all functions that are functions to the kernel too it returns no pointers and no more than a word: what
/// is returned through memory the verifier does not know as a pointer any more.
#[inline(always)]
pub(super) fn balance(frame: &mut TcFrame, work: &mut Work) -> Result<Balanced, Reason> {
    outlined(frame, work, Balanced::NotAVip, balance_here)
}

#[inline(always)]
fn balance_here(frame: &mut TcFrame, work: &mut Work) -> Result<Balanced, Reason> {
    let key = EndpointKey::new(work.vni, work.packet.destination);
    let Some(vip) = map::service::vip(&key) else {
        return Ok(Balanced::NotAVip);
    };
    let is_v4 = work.packet.is_v4;
    work.transport = transport::find(frame, is_v4)?.ok_or(Reason::Untranslatable)?;
    let ends = flow::ends(frame, work)?.ok_or(Reason::UnknownFragment)?;
    if ends.icmp == Icmp::Error {
        return Ok(Balanced::Error);
    }
    let flags = transport::tcp_flags(frame, &work.transport)?;
    work.key = keys::key(frame, work.vni, &work.transport, &ends)?;

    let is_start = work.transport.protocol != PROTOCOL_TCP || transport::is_start(flags);
    let known = known(is_start, work);
    let backend = match known {
        Known::Task(_, backend) => Ok(backend),
        Known::Dead => Err(Reason::DeadBackend),
        Known::Nothing if ends.icmp == Icmp::Reply => return Err(Reason::UnknownFlow),
        Known::Nothing => live(work.vni, choose(vip, work)).ok_or(Reason::NoBackend),
    };
    let backend = match backend {
        Ok(backend) => backend,
        Err(reason) => {
            let walk = refuse::to_container(frame, work, reason)?;
            return Ok(Balanced::Answered(walk));
        }
    };
    let next = way_to(frame, work, backend)?;
    if let Balanced::Answered(_) = next {
        return Ok(next);
    }
    flow::expect_fragments(frame, &ends, work)?;
    match known {
        Known::Task(found, _) => follow(found, flags, work),
        Known::Dead | Known::Nothing => remember(flags, work),
    }

    // Point of no return.
    hand_to(frame, work, backend)?;
    Ok(next)
}

/// What is known of a packet's flow.
enum Known {
    /// It goes to this task.
    Task(Found, &'static Backend),
    /// Its task is gone, and with it the connection.
    Dead,
    /// Nothing, or nothing that counts any more.
    Nothing,
}

/// Looks up the flow of `work.key`, and forgets one that has no task any more.
#[inline(always)]
fn known(is_start: bool, work: &mut Work) -> Known {
    let Some(found) = map::flow::find(&work.key) else {
        return Known::Nothing;
    };
    work.twin = found.flow().twin(&work.key);
    let is_over = is_start && found.flow().state == STATE_CLOSING;
    if !is_over && let Some(backend) = live(work.vni, found.flow().backend) {
        return Known::Task(found, backend);
    }
    flow::forget_both(&work.key, &work.twin);
    if is_start {
        Known::Nothing
    } else {
        Known::Dead
    }
}

#[inline(always)]
fn live(vni: u32, number: u32) -> Option<&'static Backend> {
    map::service::backend(number).filter(|backend| backend.vni == vni)
}

/// Chooses a task for the new flow of `work.key`, and writes both directions down in `work`; 0: there is none.
/// While the ring still names a task that has just gone, or if a task serves this very client under another
/// name in a flow that could not be told from the new one, slots beside the first are asked.
#[inline(never)]
fn choose(vip: &Vip, work: &mut Work) -> u32 {
    let hash = keys::hash(&work.key);
    let mut chosen = 0;
    let mut attempt = 0;
    while attempt < ATTEMPTS {
        let Some(number) = map::service::choose(vip.ring, hash.wrapping_add(attempt)) else {
            break;
        };
        attempt += 1;
        let Some(backend) = live(work.vni, number) else {
            continue;
        };
        write_forward(vip.service, number, backend, work);
        chosen = number;
        if !is_taken(work) {
            break;
        }
    }
    chosen
}

#[inline(always)]
fn write_forward(service: u32, number: u32, backend: &Backend, work: &mut Work) {
    let is_self = backend.address == work.key.source;
    // Field by field: the whole would be put together on the stack.
    let flow = &mut work.flow;
    flow.address = backend.address;
    flow.partner.words = [0; 2];
    if is_self {
        flow.partner = work.key.destination;
    }
    flow.backend = number;
    flow.service = service;
    flow.vni = work.vni;
    flow.peer = 0;
    flow.seen = map::flow::now();
    flow.port = work.key.destination_port;
    flow.kind = FLOW_FORWARD;
    flow.state = STATE_NEW;
    flow.flags = 0;
    flow.partner_port = [0; 2];
    flow._reserved = [0; 5];
    work.twin = work.flow.twin(&work.key);
}

/// Makes the other direction of the flow in `work` from the first.
#[inline(always)]
fn turn_around(work: &mut Work) {
    work.flow.address = work.key.destination;
    if !work.flow.partner.is_unspecified() {
        work.flow.partner = work.key.source;
    }
    work.flow.port = work.key.destination_port;
    work.flow.kind = FLOW_REVERSE;
}

/// Whether the answers of the flow in `work` would be taken for those of another one.
#[inline(always)]
fn is_taken(work: &Work) -> bool {
    map::flow::find(&work.twin).is_some_and(|found| {
        let other = found.flow();
        other.address != work.key.destination
            && other.state != STATE_CLOSING
            && live(work.vni, other.backend).is_some()
    })
}

/// Remembers the flow in `work`, in both directions.
#[inline(always)]
fn remember(flags: u8, work: &mut Work) {
    if flags & (Tcp::FIN | Tcp::RST) != 0 {
        work.flow.state = STATE_CLOSING;
    }
    map::flow::remember(&work.key, &work.flow);
    // Of a task that calls itself with one port at both ends, both directions are one.
    if work.twin != work.key {
        turn_around(work);
        map::flow::remember(&work.twin, &work.flow);
    }
}

/// Notes a packet of a known flow.
#[inline(never)]
fn follow(found: Found, flags: u8, work: &mut Work) {
    // A task that calls itself sends both directions to the virtual address.
    let way = if found.flow().kind == FLOW_FORWARD {
        Way::There
    } else {
        Way::Back
    };
    if found.is_new && way == Way::There && work.twin != work.key {
        work.flow = *found.flow();
        turn_around(work);
        flow::remember_missing(&work.twin, &work.flow);
    }
    flow::progress(&found, way, flags, &work.key, &work.twin);
}

/// The way to a task. What does not fit on it is answered here, while the packet still is the sender's own.
#[inline(always)]
fn way_to(frame: &mut TcFrame, work: &mut Work, backend: &Backend) -> Result<Balanced, Reason> {
    work.peer = backend.peer;
    if backend.peer == 0 {
        let key = EndpointKey::new(work.vni, backend.address);
        map::endpoint::get(&key).ok_or(Reason::NoEndpoint)?;
        return Ok(Balanced::Here);
    }
    let peer = map::peer::get(backend.peer).ok_or(Reason::NoPeer)?;
    if encapsulate::refuse_oversize(frame, &work.packet, peer, work.cover)? {
        Ok(Balanced::Answered(Walk::MtuTold))
    } else {
        Ok(Balanced::Away)
    }
}

/// Addresses a packet for a virtual address to a task. A task that calls itself sees the virtual address as
/// its client: its own kernel would refuse a packet with its own address as the source.
#[inline(always)]
fn hand_to(frame: &mut TcFrame, work: &mut Work, backend: &Backend) -> Result<(), Reason> {
    nat::address(frame, &work.transport, Side::Destination, &backend.address)?;
    if backend.address == work.key.source {
        nat::address(frame, &work.transport, Side::Source, &work.key.destination)?;
    }
    work.packet.destination = backend.address;
    Ok(())
}

/// Leads an ICMP error about an answer to the task that sent the answer, which it then quotes. Called after
/// [`balance`] has said so.
#[inline(always)]
pub(super) fn report_to_task(frame: &mut TcFrame, work: &mut Work) -> Result<Balanced, Reason> {
    outlined(frame, work, Balanced::NotAVip, report_to_task_here)
}

#[inline(always)]
fn report_to_task_here(frame: &mut TcFrame, work: &mut Work) -> Result<Balanced, Reason> {
    work.quote = quote::read(frame, &work.transport)?.ok_or(Reason::UnknownFlow)?;
    work.key = work.quote.answer_key(work.vni);
    if work.key.destination != work.packet.destination {
        return Err(Reason::UnknownFlow);
    }
    let found = map::flow::find(&work.key).ok_or(Reason::UnknownFlow)?;
    work.twin = found.flow().twin(&work.key);
    let backend = live(work.vni, found.flow().backend).ok_or(Reason::DeadBackend)?;
    let next = way_to(frame, work, backend)?;
    if let Balanced::Answered(_) = next {
        return Ok(next);
    }

    // Point of no return.
    nat::requote(frame, &work.transport, &work.quote, &work.twin)?;
    hand_to(frame, work, backend)?;
    Ok(next)
}

/// Gives a packet that is about to be handed to a container the virtual address as its source, if it is an
/// answer that the container expects from there. Returns how the packet is counted.
#[inline(always)]
pub(super) fn restore(
    frame: &mut TcFrame,
    endpoint: &Endpoint,
    vni: u32,
    packet: &Packet,
    walk: Walk,
) -> Result<Walk, Reason> {
    if endpoint.flags & ENDPOINT_BALANCED == 0 {
        return Ok(walk);
    }
    let mut answer = Answer::No;
    answered(frame, vni, packet.is_v4, &mut answer)?;
    if answer == Answer::Error {
        // Called from here for want of stack.
        answer = Answer::No;
        reported(frame, work::get(vni, Cover::Plain)?, &mut answer)?;
    }
    Ok(if answer == Answer::Restored {
        Walk::BalancedAnswer
    } else {
        walk
    })
}

/// What a packet for a client of services turned out to be.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Answer {
    /// No answer of a task's.
    No,
    /// An ICMP error: one for [`reported`].
    Error,
    /// A task's answer, which is the virtual address's now.
    Restored,
}

/// Rewrites an answer, which then is counted as one. What cannot be read is no answer.
#[inline(never)]
fn answered(frame: &mut TcFrame, vni: u32, is_v4: bool, answer: &mut Answer) -> Result<(), Reason> {
    let work = work::get(vni, Cover::Plain)?;
    let Ok(Some(transport)) = transport::find(frame, is_v4) else {
        return Ok(());
    };
    work.transport = transport;
    let Ok(Some(ends)) = flow::ends(frame, work) else {
        return Ok(());
    };
    match ends.icmp {
        Icmp::Error => {
            *answer = Answer::Error;
            return Ok(());
        }
        Icmp::Query => return Ok(()),
        Icmp::No | Icmp::Reply | Icmp::Other => {}
    }
    work.key = keys::key(frame, vni, &work.transport, &ends)?;
    let Some(found) = map::flow::find(&work.key) else {
        return Ok(());
    };
    if found.flow().kind != FLOW_REVERSE {
        return Ok(());
    }
    work.twin = found.flow().twin(&work.key);
    let flags = transport::tcp_flags(frame, &work.transport)?;
    let begins = Tcp::SYN | Tcp::ACK;
    if flags & begins == begins && found.flow().state == STATE_CLOSING {
        // That flow is over: from the same port the client has connected to the task itself.
        flow::forget_both(&work.key, &work.twin);
        return Ok(());
    }
    flow::expect_fragments(frame, &ends, work)?;
    flow::progress(&found, Way::Back, flags, &work.key, &work.twin);

    // Point of no return.
    let address = &work.twin.destination;
    nat::address(frame, &work.transport, Side::Source, address)?;
    *answer = Answer::Restored;
    Ok(())
}

/// Rewrites an ICMP error about a packet that the container sent to a virtual address, so that it quotes what
/// the container sent. Whoever reports it keeps its address, unless it is the task.
#[inline(never)]
fn reported(frame: &mut TcFrame, work: &mut Work, answer: &mut Answer) -> Result<(), Reason> {
    let Ok(Some(quote)) = quote::read(frame, &work.transport) else {
        return Ok(());
    };
    work.quote = quote;
    work.key = quote.answer_key(work.vni);
    let Some(found) = map::flow::find(&work.key) else {
        return Ok(());
    };
    if found.flow().kind != FLOW_REVERSE {
        return Ok(());
    }
    work.twin = found.flow().twin(&work.key);
    let (reporter, _) = keys::addresses(frame, work.transport.is_v4)?;

    // Point of no return.
    nat::requote(frame, &work.transport, &work.quote, &work.twin)?;
    if reporter == work.key.source {
        let address = &work.twin.destination;
        nat::address(frame, &work.transport, Side::Source, address)?;
    }
    *answer = Answer::Restored;
    Ok(())
}
