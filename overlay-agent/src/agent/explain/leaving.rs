//! A packet from a container of this node, as `from_container` sees it.

use super::{delivery, outside, question::Question, steps::Steps};
use crate::{
    agent::{plumbing::TUNNEL_NAME, shared::Shared},
    control::{Hook, Inspect as _, Key, PortError, Program, Row, planner},
    datapath::KernelInspector,
    model::{Encap, InterfaceEntry, PeerEntry, PeerId, RouteEntry},
    netlink::Socket,
};

/// Walks to the end or to the step that stops the packet; returns whether it arrives.
pub(super) fn walk(
    shared: &Shared,
    inspector: &KernelInspector,
    question: &Question,
    steps: &mut Steps,
) -> Result<bool, PortError> {
    let Some(interface) = may_send(inspector, question, steps)? else {
        return Ok(false);
    };
    if let Some(Row::Endpoint(_, entry)) = inspector.get(&Key::Endpoint(question.target()))? {
        return Ok(delivery::explain(&entry, "on this node, through", steps));
    }
    if is_outside(inspector, question)? {
        return outside::walk(shared, inspector, question, &interface, steps);
    }
    let Some(route) = find_route(shared, inspector, question, steps)? else {
        return Ok(false);
    };
    let Some(Row::Peer(_, peer)) = inspector.get(&Key::Peer(route.peer))? else {
        return Ok(steps.stop(
            "peer",
            format!(
                "the route names peer {}, which is not in PEER; `overlay audit` repairs that",
                route.peer.0
            ),
        ));
    };
    let desired = shared.desired();
    let node = desired.node_at(peer.remote);
    let name = node.map_or("unknown", |node| node.name.as_str());
    steps.pass("peer", format!("node {name} at {}", peer.remote));
    Ok(send(
        shared,
        question,
        (&peer, interface.is_encrypted),
        steps,
    ))
}

fn may_send(
    inspector: &KernelInspector,
    question: &Question,
    steps: &mut Steps,
) -> Result<Option<InterfaceEntry>, PortError> {
    let mut stop = |step: &str, said: String| {
        steps.stop(step, said);
        Ok(None)
    };
    let Some(endpoint) = &question.source.endpoint else {
        return stop("interface", "the sender is not on this node".to_owned());
    };
    let ifindex = endpoint.host_ifindex;
    let interface = &endpoint.host_interface;
    let hook = Hook {
        program: Program::FromContainer,
        ifindex,
    };
    if let Some(reason) = &endpoint.conflict {
        return stop(
            "endpoint",
            format!("{} is cut off: {reason}", endpoint.name),
        );
    }
    if !inspector.is_attached(hook)? {
        return stop(
            "program",
            format!("from_container is not attached to {interface}; `overlay audit` attaches it"),
        );
    }
    steps.pass(
        "program",
        format!("from_container is attached to {interface}"),
    );

    let Some(Row::Interface(_, entry)) = inspector.get(&Key::Interface(ifindex))? else {
        steps.stop(
            "interface",
            format!(
                "{interface} is not in INTERFACE (unknown-interface); `overlay audit` repairs that"
            ),
        );
        return Ok(None);
    };
    let source = question.source.address;
    let allowed = if source.is_ipv4() {
        entry.ipv4
    } else {
        entry.ipv6
    };
    if entry.vni != question.network.vni || allowed != Some(source) {
        steps.stop(
            "source",
            format!("{interface} may not send as {source} (spoofed-address); `overlay audit` repairs the tables"),
        );
        return Ok(None);
    }
    steps.pass(
        "source",
        format!("{interface} may send as {source} and {}", entry.mac),
    );
    Ok(Some(entry))
}

/// Whether no subnet of the network and no route has the destination.
fn is_outside(inspector: &KernelInspector, question: &Question) -> Result<bool, PortError> {
    let target = question.target();
    let is_inside = question.network.subnet_of(target.address).is_some()
        || inspector.get(&Key::Route(target))?.is_some()
        || inspector
            .block_around(target.vni, target.address)?
            .is_some();
    Ok(!is_inside)
}

fn find_route(
    shared: &Shared,
    inspector: &KernelInspector,
    question: &Question,
    steps: &mut Steps,
) -> Result<Option<RouteEntry>, PortError> {
    let target = question.target();
    if let Some(Row::Route(_, entry)) = inspector.get(&Key::Route(target))? {
        steps.pass(
            "route",
            format!("{} has an entry of its own", target.address),
        );
        return Ok(Some(entry));
    }
    if let Some(Row::Block(_, block, entry)) = inspector.block_around(target.vni, target.address)?
        && entry.peer != PeerId::NOBODY
    {
        steps.pass("route", format!("{} is in block {block}", target.address));
        return Ok(Some(entry));
    }
    let network = &question.network;
    let why = if network.gateways.contains(&target.address) {
        "it is the gateway, which answers who it is and takes no packets".to_owned()
    } else if network.subnet_of(target.address).is_none() {
        format!("it is in no subnet of network {}", network.name)
    } else {
        let desired = shared.desired();
        let this = desired.this_node();
        let own = this.and_then(|node| node.blocks.get(&target.vni));
        let is_own =
            own.is_some_and(|blocks| blocks.iter().any(|block| block.contains(&target.address)));
        if is_own {
            "it is in this node's own block, and no endpoint has it".to_owned()
        } else {
            "it is in no node's block and no single entry".to_owned()
        }
    };
    steps.stop(
        "route",
        format!("nobody has {} (no-route): {why}", target.address),
    );
    Ok(None)
}

fn send(
    shared: &Shared,
    question: &Question,
    (peer, is_encrypted): (&PeerEntry, bool),
    steps: &mut Steps,
) -> bool {
    if peer.ifindex == 0 {
        return steps.stop(
            "underlay",
            format!(
                "the host has no route to {} (no-underlay); see `ip route get {}`",
                peer.remote, peer.remote
            ),
        );
    }
    let mut socket = match Socket::open() {
        Ok(socket) => socket,
        Err(error) => return steps.stop("underlay", error.to_string()),
    };
    match socket.link_by_index(peer.ifindex) {
        Ok(link) if link.is_up() => {
            let via = peer.next_hop.filter(|hop| *hop != peer.remote);
            let via = via.map_or_else(String::new, |hop| format!(" via {hop}"));
            steps.pass(
                "underlay",
                format!("out of {}{via}, from {}", link.name, peer.local),
            );
        }
        Ok(link) => {
            return steps.stop("underlay", format!("{} is down; switch it on", link.name));
        }
        Err(_gone) => {
            return steps.stop(
                "underlay",
                format!(
                    "interface {} is gone; `overlay audit` looks for another way",
                    peer.ifindex
                ),
            );
        }
    }
    if is_encrypted || peer.encap == Encap::Device {
        match socket.find_link(TUNNEL_NAME) {
            Ok(Some(link)) if link.is_up() => {
                steps.pass(
                    "encapsulation",
                    format!("by the kernel's device {TUNNEL_NAME}"),
                );
            }
            Ok(Some(_) | None) | Err(_) => {
                return steps.stop(
                    "encapsulation",
                    format!("{TUNNEL_NAME} is missing or down; `overlay audit` restores it"),
                );
            }
        }
    } else {
        steps.pass("encapsulation", "by the program itself");
    }
    if is_encrypted {
        let mark = shared.settings.encryption.mark.outbound();
        steps.pass(
            "encryption",
            format!("by the kernel's xfrm, which the mark {mark:#010x} asks for it"),
        );
    }
    note_mtu(shared, question, (peer, is_encrypted), steps);
    true
}

fn note_mtu(
    shared: &Shared,
    question: &Question,
    (peer, is_encrypted): (&PeerEntry, bool),
    steps: &mut Steps,
) {
    let overhead = planner::overhead(peer.remote);
    let outer = if is_encrypted {
        planner::within_esp(peer.remote, peer.mtu)
    } else {
        peer.mtu
    };
    let largest = outer.saturating_sub(overhead);
    let network = shared.summary().mtus.get(&question.network.vni).copied();
    match network {
        Some(mtu) if mtu > largest => steps.note(
            "mtu",
            format!("packets over {largest} bytes do not fit the way, the network's MTU is {mtu}: senders are told, or the kernel fragments"),
        ),
        Some(_) | None => steps.pass("mtu", format!("packets up to {largest} bytes fit")),
    }
}
