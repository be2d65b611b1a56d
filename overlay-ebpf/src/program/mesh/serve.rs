//! A client's packet on its way to a task.

use overlay_common::{
    address::Address,
    endpoint::EndpointKey,
    flow::{
        FLOW_ENCRYPTED, FLOW_FORWARD, FLOW_REVERSE, Flow, SCOPE_HOST, STATE_CLOSING, STATE_NEW,
        STATE_OPEN,
    },
    reason::Reason,
    service::{PORT_DIRECT_RETURN, PORT_ENCRYPTED, PORT_HOST, PublishedPort, Ring},
    walk::Walk,
};
use overlay_ebpf::{
    cover::Cover,
    flow as keys,
    header::{Ethernet, PROTOCOL_TCP, Tcp},
    mesh,
    transport::{self, Ends, Part},
};

use super::{
    super::{
        TcFrame, deliver, encapsulate,
        flow::{self, Way},
        nat::{self, Side},
        refuse,
    },
    Next, ingress, rewrite,
};
use crate::map::{self, flow::Found, service::ATTEMPTS, work::Work};

/// Ethernet, IPv6 and TCP, which a refusal quotes.
const HEADERS: u32 = 74;

/// What is known of a packet's flow.
enum Known {
    /// It goes to a task.
    Task(Found),
    /// Its task is gone, and with it the connection.
    Dead,
    /// Nothing, or nothing that counts any more.
    Nothing,
}

/// Leads a client's packet for a published port to a task. `work.asked` is the node that was asked.
#[inline(always)]
pub(super) fn serve(
    frame: &mut TcFrame,
    work: &mut Work,
    port: &PublishedPort,
    ends: &Ends,
) -> Result<Next, Reason> {
    let flags = transport::tcp_flags(frame, &work.transport)?;
    work.key = keys::key(frame, work.vni, &work.transport, ends)?;
    work.network = port.vni;
    work.cover = Cover::by(port.flags & PORT_ENCRYPTED != 0);
    let found = match known(port, flags, work) {
        Known::Task(found) => Some(found),
        Known::Dead => return refuse(frame, work, Reason::DeadBackend),
        Known::Nothing => None,
    };
    if found.is_none()
        && let Err(reason) = choose(frame, port, flags, work)
    {
        return refuse(frame, work, reason);
    }
    if work.peer != 0 {
        return elsewhere(frame, work, port, ends, flags, found);
    }
    here(frame, work, port, ends, flags, found)
}

/// Looks up the flow of `work.key`, and forgets one that has no task any more.
#[inline(always)]
fn known(port: &PublishedPort, flags: u8, work: &mut Work) -> Known {
    let Some(found) = map::flow::find(&work.key) else {
        return Known::Nothing;
    };
    let is_tcp = work.transport.protocol == PROTOCOL_TCP;
    let is_start = !is_tcp || transport::is_start(flags);
    let is_over = is_tcp && is_start && found.flow().state == STATE_CLOSING;
    work.task = found.flow().address;
    work.peer = found.flow().peer;
    work.twin = found.flow().twin(&work.key);
    let is_ours = !is_over && found.flow().kind == FLOW_FORWARD;
    if is_ours && is_live(port.vni, found.flow().backend, &work.task) {
        return Known::Task(found);
    }
    flow::forget_both(&work.key, &work.twin);
    if is_start {
        Known::Nothing
    } else {
        Known::Dead
    }
}

/// Whether a task may be sent packets. One without a number was chosen by the node that was asked, which alone
/// knows it.
#[inline(always)]
fn is_live(vni: u32, backend: u32, task: &Address) -> bool {
    if backend == 0 {
        return map::endpoint::get(&EndpointKey::new(vni, *task)).is_some();
    }
    map::service::backend(backend).is_some_and(|backend| backend.vni == vni)
}

/// Chooses a task for a new flow, on this node the one that the node that was asked names, and writes the flow
/// down in `work`.
#[inline(always)]
fn choose(frame: &TcFrame, port: &PublishedPort, flags: u8, work: &mut Work) -> Result<(), Reason> {
    let is_asked = work.vni == SCOPE_HOST;
    let is_anywhere = is_asked && port.flags & PORT_HOST == 0;
    // A node that has not heard yet that the last task here drains may name it all the same.
    let is_drained = !is_asked && port.here.size == 0;
    let ring = if is_anywhere || is_drained {
        port.everywhere
    } else {
        port.here
    };
    let mut number = from_ring(port, ring, work)?;
    if !is_asked {
        let named = mesh::named(frame.header::<Ethernet>(0)?, &work.task);
        if let Some(named) = named
            && named != work.task
            && is_live(port.vni, 0, &named)
        {
            work.task = named;
            number = 0;
        } else if is_drained {
            return Err(Reason::NoBackend);
        }
        work.peer = 0;
    }
    let is_ending = flags & (Tcp::FIN | Tcp::RST) != 0;
    work.flow = Flow {
        address: work.task,
        partner: Address::UNSPECIFIED,
        backend: number,
        service: port.service,
        vni: port.vni,
        peer: work.peer,
        seen: map::flow::now(),
        port: port.target,
        kind: FLOW_FORWARD,
        state: if is_ending { STATE_CLOSING } else { STATE_NEW },
        flags: if work.cover == Cover::Encrypted {
            FLOW_ENCRYPTED
        } else {
            0
        },
        partner_port: [0; 2],
        _reserved: [0; 5],
    };
    work.twin = work.flow.twin(&work.key);
    Ok(())
}

/// The number of a live task of a ring. While the ring still names one that has just gone, slots beside it are
/// asked.
#[inline(always)]
fn from_ring(port: &PublishedPort, ring: Ring, work: &mut Work) -> Result<u32, Reason> {
    let hash = keys::hash(&work.key);
    let mut attempt = 0;
    while attempt < ATTEMPTS {
        let number = map::service::choose(ring, hash.wrapping_add(attempt));
        let number = number.ok_or(Reason::NoBackend)?;
        attempt += 1;
        if let Some(backend) = map::service::backend(number)
            && backend.vni == port.vni
        {
            work.task = backend.address;
            work.peer = backend.peer;
            return Ok(number);
        }
    }
    Err(Reason::NoBackend)
}

/// Turns a packet into its refusal.
#[inline(always)]
fn refuse(frame: &mut TcFrame, work: &mut Work, reason: Reason) -> Result<Next, Reason> {
    frame.0.ensure(HEADERS);
    let walk = refuse::to_container(frame, work, reason)?;
    Ok(Next::Answered(walk))
}

/// A packet for a task of another node.
#[inline(always)]
fn elsewhere(
    frame: &mut TcFrame,
    work: &mut Work,
    port: &PublishedPort,
    ends: &Ends,
    flags: u8,
    found: Option<Found>,
) -> Result<Next, Reason> {
    flow::expect_fragments(frame, ends, work)?;
    match found {
        Some(found) => {
            // Nothing comes back this way that would tell of a connection.
            let is_answered =
                port.flags & PORT_DIRECT_RETURN != 0 && flags & (Tcp::SYN | Tcp::ACK) == Tcp::ACK;
            if is_answered && found.flow().state == STATE_NEW {
                found.set_state(STATE_OPEN);
            }
            flow::progress(&found, Way::There, flags, &work.key, &work.key);
        }
        None => map::flow::remember(&work.key, &work.flow),
    }
    towards(frame, work)
}

/// Sends a packet as it is to the task `work.task` on the node `work.peer`, the way that `work.cover` says.
#[inline(always)]
pub(super) fn towards(frame: &mut TcFrame, work: &mut Work) -> Result<Next, Reason> {
    if ingress() == 0 {
        return Err(Reason::NoIngress);
    }
    let peer = map::peer::get(work.peer).ok_or(Reason::NoPeer)?;
    if encapsulate::refuse_oversize(frame, &work.packet, peer, work.cover)? {
        return Ok(Next::Answered(Walk::MtuTold));
    }
    Ok(Next::ToTask)
}

/// A packet for a task of this node.
#[inline(always)]
fn here(
    frame: &mut TcFrame,
    work: &mut Work,
    port: &PublishedPort,
    ends: &Ends,
    flags: u8,
    found: Option<Found>,
) -> Result<Next, Reason> {
    if map::endpoint::get(&EndpointKey::new(port.vni, work.task)).is_none() {
        return refuse(frame, work, Reason::DeadBackend);
    }
    if let Some(found) = found {
        work.partner_port = found.flow().partner_port;
    } else if !stand_in(work) {
        return refuse(frame, work, Reason::NoBackend);
    }
    rewrite::check(work, ends.destination, port.target)?;
    flow::expect_fragments(frame, ends, work)?;
    if let Some(found) = found {
        if found.is_new {
            work.flow = *found.flow();
            turn_around(port, work);
            flow::remember_missing(&work.twin, &work.flow);
        }
        flow::progress(&found, Way::There, flags, &work.key, &work.twin);
    } else {
        map::flow::remember(&work.key, &work.flow);
        turn_around(port, work);
        map::flow::remember(&work.twin, &work.flow);
    }
    work.port = port.target;
    Ok(Next::Here)
}

/// Makes the other direction of the flow in `work` from the first.
#[inline(always)]
fn turn_around(port: &PublishedPort, work: &mut Work) {
    let is_direct = port.flags & PORT_DIRECT_RETURN != 0;
    work.flow.address = work.key.destination;
    work.flow.port = work.key.destination_port;
    work.flow.vni = work.vni;
    work.flow.peer = if is_direct { 0 } else { work.asked };
    work.flow.kind = FLOW_REVERSE;
    if work.flow.partner_port != [0; 2] {
        work.flow.partner_port = work.key.source_port;
    }
}

/// Gives the client of the new flow in `work` another port before its task where the task could not tell the flow
/// from another one: a client may ask two nodes from one port of its own. One that has ended counts as long as
/// it is remembered, because the task's own kernel remembers it too. False if every port that was tried is taken.
#[inline(never)]
fn stand_in(work: &mut Work) -> bool {
    work.partner_port = [0; 2];
    let hash = keys::hash(&work.key);
    let mut attempt = 0;
    while is_taken(work) {
        if attempt == ATTEMPTS {
            return false;
        }
        work.partner_port = mesh::client_port(hash.wrapping_add(attempt));
        work.flow.partner_port = work.partner_port;
        work.twin = work.flow.twin(&work.key);
        attempt += 1;
    }
    true
}

/// Whether the answers of the flow in `work` would be taken for those of another one.
#[inline(always)]
fn is_taken(work: &Work) -> bool {
    let Some(found) = map::flow::find(&work.twin) else {
        return false;
    };
    let other = found.flow();
    let client_port = if other.partner_port == [0; 2] {
        work.twin.destination_port
    } else {
        other.partner_port
    };
    let is_own = other.kind == FLOW_REVERSE
        && other.vni == work.vni
        && other.address == work.key.destination
        && other.port == work.key.destination_port
        && client_port == work.key.source_port;
    if is_own {
        // What is left of an earlier connection of the same ends would be found instead of the new flow.
        map::flow::forget(&work.twin);
    }
    !is_own
}

/// Leads an ICMP error about an answer to the task of the flow, which it then quotes.
#[inline(always)]
pub(super) fn report_here(
    frame: &mut TcFrame,
    work: &mut Work,
    found: &Found,
) -> Result<Next, Reason> {
    work.port = [0; 2];
    work.task = found.flow().address;
    work.network = found.flow().vni;
    work.twin = found.flow().twin(&work.key);
    deliver::endpoint(&EndpointKey::new(work.network, work.task))?;
    if work.transport.part == Part::Later {
        return Err(Reason::UnknownFragment);
    }

    // Point of no return.
    nat::requote(frame, &work.transport, &work.quote, &work.twin)?;
    nat::address(frame, &work.transport, Side::Destination, &work.task)?;
    Ok(Next::Here)
}
