//! A client's packet on its way to a task.

use overlay_common::{
    address::Address,
    endpoint::{Endpoint, EndpointKey},
    flow::{FLOW_FORWARD, FLOW_REVERSE, Flow, SCOPE_HOST, STATE_CLOSING, STATE_NEW, STATE_OPEN},
    reason::Reason,
    service::{PORT_DIRECT_RETURN, PORT_HOST, PublishedPort, Ring},
    walk::Walk,
};
use overlay_ebpf::{
    admission::Packet,
    flow as keys,
    header::{Ethernet, PROTOCOL_TCP, Tcp},
    mesh::{self, Names},
    quote::Quote,
    transport::{self, Part, Transport},
    verdict::Verdict,
};

use super::{
    super::{
        TcFrame, deliver, encapsulate,
        flow::{self, Way},
        nat::{self, Side},
        refuse,
    },
    Door, HEADERS, Subject, check_port, ingress, read, rewrite,
};
use crate::map::{
    self,
    flow::Found,
    scratch,
    service::ATTEMPTS,
    work::Work,
};

/// The task that gets a packet.
#[derive(Clone, Copy)]
struct Target {
    address: Address,
    /// Its number; 0: chosen by the node that was asked, which alone knows the number.
    backend: u32,
    /// Its node, or 0 for this one.
    peer: u32,
}

/// What is known of a packet's flow.
enum Known {
    /// It goes to this task.
    Task(Found, Target),
    /// Its task is gone, and with it the connection.
    Dead,
    /// Nothing, or nothing that counts any more.
    Nothing,
}

/// Leads a client's packet for a published port to a task.
#[inline(always)]
pub(super) fn serve(
    frame: &mut TcFrame,
    subject: &Subject,
    port: &PublishedPort,
    door: Door,
    work: &mut Work,
) -> Result<Verdict, Reason> {
    work.key = keys::key(frame, door.vni, &subject.transport, &subject.ends)?;
    let known = known(port, subject, work);
    let target = match &known {
        Known::Task(_, target) => Ok(*target),
        Known::Dead => Err(Reason::DeadBackend),
        Known::Nothing => choose(frame, port, door, work),
    };
    let target = match target {
        Ok(target) => target,
        Err(reason) => return refuse(frame, subject, door, reason),
    };
    let found = match &known {
        Known::Task(found, _) => Some(*found),
        Known::Dead | Known::Nothing => None,
    };
    if target.peer != 0 {
        return elsewhere(frame, subject, port, target, found, work);
    }
    here(frame, subject, port, door, target, found, work)
}

/// Looks up the flow of `work.key`, and forgets one that has no task any more.
#[inline(always)]
fn known(port: &PublishedPort, subject: &Subject, work: &mut Work) -> Known {
    let Some(found) = map::flow::find(&work.key) else {
        return Known::Nothing;
    };
    let is_tcp = subject.transport.protocol == PROTOCOL_TCP;
    let is_start = !is_tcp || transport::is_start(subject.flags);
    let is_over = is_tcp && is_start && found.flow().state == STATE_CLOSING;
    let target = Target {
        address: found.flow().address,
        backend: found.flow().backend,
        peer: found.flow().peer,
    };
    work.twin = found.flow().twin(&work.key);
    if !is_over && found.flow().kind == FLOW_FORWARD && is_live(port.vni, &target) {
        return Known::Task(found, target);
    }
    flow::forget_both(&work.key, &work.twin);
    if is_start { Known::Nothing } else { Known::Dead }
}

#[inline(always)]
fn is_live(vni: u32, target: &Target) -> bool {
    if target.backend == 0 {
        return map::endpoint::get(&EndpointKey::new(vni, target.address)).is_some();
    }
    map::service::backend(target.backend).is_some_and(|backend| backend.vni == vni)
}

/// Chooses a task for a new flow: on this node the one that the asked node names, if it names one.
#[inline(always)]
fn choose(
    frame: &TcFrame,
    port: &PublishedPort,
    door: Door,
    work: &mut Work,
) -> Result<Target, Reason> {
    let is_asked = door.vni == SCOPE_HOST;
    let is_anywhere = is_asked && port.flags & PORT_HOST == 0;
    let ring = if is_anywhere {
        port.everywhere
    } else {
        port.here
    };
    let target = from_ring(port, ring, work)?;
    if is_asked {
        return Ok(target);
    }
    let named = mesh::named(frame.header::<Ethernet>(0)?, &target.address);
    let Some(address) = named.filter(|named| *named != target.address) else {
        return Ok(target);
    };
    let named = Target {
        address,
        backend: 0,
        peer: 0,
    };
    if is_live(port.vni, &named) {
        return Ok(named);
    }
    Ok(target)
}

/// A live task of a ring. While the ring still names one that has just gone, slots beside it are asked.
#[inline(always)]
fn from_ring(port: &PublishedPort, ring: Ring, work: &mut Work) -> Result<Target, Reason> {
    let hash = keys::hash(&work.key);
    let mut attempt = 0;
    while attempt < ATTEMPTS {
        let number = map::service::choose(ring, hash.wrapping_add(attempt));
        let number = number.ok_or(Reason::NoBackend)?;
        attempt += 1;
        let Some(backend) = map::service::backend(number) else {
            continue;
        };
        if backend.vni == port.vni {
            return Ok(Target {
                address: backend.address,
                backend: number,
                peer: backend.peer,
            });
        }
    }
    Err(Reason::NoBackend)
}

/// Tells the client that nobody takes its packet; through the node that it asked.
#[inline(never)]
fn refuse(
    frame: &mut TcFrame,
    subject: &Subject,
    door: Door,
    reason: Reason,
) -> Result<Verdict, Reason> {
    frame.0.ensure(HEADERS);
    let told = refuse::to_container(frame, &subject.packet, &subject.transport, reason)?;
    let (Verdict::Redirect { walk, .. }, true) = (told, door.peer != 0) else {
        return Ok(told);
    };
    let answer = read(frame, subject.packet.is_v4)?;
    let peer = map::peer::get(door.peer).ok_or(Reason::NoPeer)?;
    let names = Names::of(&answer.destination);
    encapsulate::towards(
        frame,
        ingress(),
        &answer,
        (names.destination, walk),
        peer,
    )
}

/// Sends a client's packet to the node of its task.
#[inline(always)]
fn elsewhere(
    frame: &mut TcFrame,
    subject: &Subject,
    port: &PublishedPort,
    target: Target,
    found: Option<Found>,
    work: &mut Work,
) -> Result<Verdict, Reason> {
    flow::expect_fragments(frame, SCOPE_HOST, &subject.transport, &subject.ends, work)?;
    match found {
        Some(found) => {
            // Nothing comes back this way that would tell of a connection.
            let is_answered = port.flags & PORT_DIRECT_RETURN != 0
                && subject.flags & (Tcp::SYN | Tcp::ACK) == Tcp::ACK;
            if is_answered && found.flow().state == STATE_NEW {
                found.set_state(STATE_OPEN);
            }
            flow::progress(&found, Way::There, subject.flags, &work.key, &work.key);
        }
        None => {
            write_forward(port, subject, target, work);
            map::flow::remember(&work.key, &work.flow);
        }
    }
    towards(frame, &subject.packet, target.peer, &target.address)
}

/// Sends a packet as it is to the node of the task that has the address `task`.
#[inline(never)]
pub(super) fn towards(
    frame: &mut TcFrame,
    packet: &Packet,
    peer: u32,
    task: &Address,
) -> Result<Verdict, Reason> {
    let vni = ingress();
    if vni == 0 {
        return Err(Reason::NoIngress);
    }
    let peer = map::peer::get(peer).ok_or(Reason::NoPeer)?;
    if let Some(verdict) = encapsulate::refuse_oversize(frame, packet, peer)? {
        return Ok(verdict);
    }

    // Point of no return.
    let names = scratch::fill(|names| *names = Names::of(task))?;
    frame.0.store(0, names)?;
    let receiver = (names.destination, Walk::MeshSent);
    encapsulate::towards(frame, vni, packet, receiver, peer)
}

/// Hands a client's packet to a task of this node.
#[inline(always)]
fn here(
    frame: &mut TcFrame,
    subject: &Subject,
    port: &PublishedPort,
    door: Door,
    target: Target,
    found: Option<Found>,
    work: &mut Work,
) -> Result<Verdict, Reason> {
    let transport = &subject.transport;
    let Some(endpoint) = map::endpoint::get(&EndpointKey::new(port.vni, target.address)) else {
        return refuse(frame, subject, door, Reason::DeadBackend);
    };
    check_port(frame, transport, subject.ends.destination, port.target)?;
    if found.is_none() {
        write_forward(port, subject, target, work);
        if is_taken(work) {
            return refuse(frame, subject, door, Reason::NoBackend);
        }
        map::flow::remember(&work.key, &work.flow);
    }
    flow::expect_fragments(frame, door.vni, transport, &subject.ends, work)?;
    if found.is_none_or(|found| found.is_new) {
        write_reverse(port, door, target, work);
        flow::remember_missing(&work.twin, &work.flow);
    }
    if let Some(found) = found {
        flow::progress(&found, Way::There, subject.flags, &work.key, &work.twin);
    }

    // Point of no return.
    rewrite(
        frame,
        transport,
        Side::Destination,
        &target.address,
        port.target,
    )?;
    let walk = if door.peer == 0 {
        Walk::Published
    } else {
        Walk::MeshDelivered
    };
    deliver::into_container(frame, endpoint, walk)
}

/// Writes the flow of `work.key` down in `work`, and finds the key of the other direction.
#[inline(always)]
fn write_forward(port: &PublishedPort, subject: &Subject, target: Target, work: &mut Work) {
    let is_ending = subject.flags & (Tcp::FIN | Tcp::RST) != 0;
    work.flow = Flow {
        address: target.address,
        partner: Address::UNSPECIFIED,
        backend: target.backend,
        service: port.service,
        vni: port.vni,
        peer: target.peer,
        seen: map::flow::now(),
        port: port.target,
        kind: FLOW_FORWARD,
        state: if is_ending { STATE_CLOSING } else { STATE_NEW },
        _reserved: [0; 8],
    };
    work.twin = work.flow.twin(&work.key);
}

/// Writes the other direction of the flow of `work.key` down.
#[inline(always)]
fn write_reverse(port: &PublishedPort, door: Door, target: Target, work: &mut Work) {
    let is_direct = port.flags & PORT_DIRECT_RETURN != 0;
    work.flow = Flow {
        address: work.key.destination,
        partner: Address::UNSPECIFIED,
        backend: target.backend,
        service: port.service,
        vni: door.vni,
        peer: if is_direct { 0 } else { door.peer },
        seen: map::flow::now(),
        port: work.key.destination_port,
        kind: FLOW_REVERSE,
        state: STATE_NEW,
        _reserved: [0; 8],
    };
}

/// Whether the answers of the flow in `work` would be taken for those of another one: a client may use one
/// port of its own to ask two nodes.
#[inline(always)]
fn is_taken(work: &Work) -> bool {
    map::flow::find(&work.twin).is_some_and(|found| {
        let other = found.flow();
        let is_same = other.address == work.key.destination
            && other.port == work.key.destination_port
            && other.vni == work.key.scope & 0x00ff_ffff;
        !is_same && other.state == STATE_OPEN
    })
}

/// Leads an ICMP error about an answer to the task that sent it, which it then quotes.
#[inline(always)]
pub(super) fn report_here(
    frame: &mut TcFrame,
    transport: &Transport,
    quote: &Quote,
    found: &Found,
    walk: Walk,
) -> Result<Verdict, Reason> {
    let flow = found.flow();
    let endpoint: &Endpoint =
        deliver::endpoint(&EndpointKey::new(flow.vni, flow.address))?;
    if transport.part == Part::Later {
        return Err(Reason::UnknownFragment);
    }
    let task = flow.address;
    let answered = flow.twin(&quote.answer_key(0));

    // Point of no return.
    nat::requote(frame, transport, quote, &answered)?;
    nat::address(frame, transport, Side::Destination, &task)?;
    deliver::into_container(frame, endpoint, walk)
}
