//! A packet from another node, as `from_underlay` and `from_tunnel` see it.

use super::{delivery, question::Question, steps::Steps};
use crate::{
    agent::shared::Shared,
    control::{Hook, Inspect as _, Key, PortError, Program, Row},
    datapath::KernelInspector,
    model::{PeerEntry, PeerId, Place},
};

/// Walks to the end or to the step that stops the packet; returns whether it arrives.
pub(super) fn walk(
    shared: &Shared,
    inspector: &KernelInspector,
    question: &Question,
    steps: &mut Steps,
) -> Result<bool, PortError> {
    let Some((id, peer)) = sender(inspector, question)? else {
        return Ok(steps.stop(
            "sender",
            format!(
                "no other node has {}, so nobody would send as it",
                question.source.address
            ),
        ));
    };
    let desired = shared.desired();
    let node = desired.node_at(peer.remote);
    let name = node.map_or("unknown", |node| node.name.as_str());
    steps.pass(
        "sender",
        format!(
            "{} is on node {name} at {}",
            question.source.address, peer.remote
        ),
    );

    let known = inspector.get(&Key::PeerAddress(peer.remote))?;
    if known != Some(Row::PeerAddress(peer.remote, id)) {
        return Ok(steps.stop(
            "outer source",
            format!(
                "{} is not in PEER_BY_ADDR (unknown-peer); `overlay audit` repairs that",
                peer.remote
            ),
        ));
    }
    steps.pass("outer source", format!("{} is a known node", peer.remote));

    if !has_program(shared, inspector, &peer, steps)? {
        return Ok(false);
    }
    let Some(Row::Network(_, network)) = inspector.get(&Key::Network(question.network.vni))? else {
        return Ok(steps.stop(
            "network",
            "the network is not in NETWORK (unknown-network); `overlay audit` repairs that",
        ));
    };
    steps.pass(
        "network",
        format!("{} is VNI {}", question.network.name, question.network.vni),
    );
    if network.is_encrypted {
        let mark = shared.settings.encryption.mark.inbound(id);
        steps.pass(
            "encryption",
            format!("taken only with the mark {mark:#010x}, which the kernel's xfrm sets on what that node encrypted"),
        );
    }
    deliver(inspector, question, steps)
}

/// The peer that has the source address.
fn sender(
    inspector: &KernelInspector,
    question: &Question,
) -> Result<Option<(PeerId, PeerEntry)>, PortError> {
    let place = Place {
        vni: question.network.vni,
        address: question.source.address,
    };
    let route = match inspector.get(&Key::Route(place))? {
        Some(row) => Some(row),
        None => inspector.block_around(place.vni, place.address)?,
    };
    let Some(Row::Route(_, entry) | Row::Block(_, _, entry)) = route else {
        return Ok(None);
    };
    let peer = inspector.get(&Key::Peer(entry.peer))?;
    Ok(match peer {
        Some(Row::Peer(id, peer)) => Some((id, peer)),
        Some(_) | None => None,
    })
}

fn has_program(
    shared: &Shared,
    inspector: &KernelInspector,
    peer: &PeerEntry,
    steps: &mut Steps,
) -> Result<bool, PortError> {
    let underlay = Hook {
        program: Program::FromUnderlay,
        ifindex: peer.ifindex,
    };
    if peer.ifindex != 0 && inspector.is_attached(underlay)? {
        steps.pass(
            "program",
            format!("from_underlay is attached to interface {}", peer.ifindex),
        );
        return Ok(true);
    }
    let tunnel = Hook {
        program: Program::FromTunnel,
        ifindex: shared.summary().tunnel,
    };
    if inspector.is_attached(tunnel)? {
        steps.pass("program", "from_tunnel takes what the kernel decapsulates");
        return Ok(true);
    }
    Ok(steps.stop(
        "program",
        "neither from_underlay nor from_tunnel is attached; `overlay audit` attaches them",
    ))
}

fn deliver(
    inspector: &KernelInspector,
    question: &Question,
    steps: &mut Steps,
) -> Result<bool, PortError> {
    let conflict = question
        .destination
        .endpoint
        .as_ref()
        .and_then(|endpoint| endpoint.conflict.as_ref());
    if let Some(reason) = conflict {
        return Ok(steps.stop(
            "endpoint",
            format!("{} is cut off: {reason}", question.destination),
        ));
    }
    let Some(Row::Endpoint(_, entry)) = inspector.get(&Key::Endpoint(question.target()))? else {
        return Ok(steps.stop(
            "delivery",
            format!(
                "{} is not in ENDPOINT (no-endpoint); `overlay audit` repairs that",
                question.destination
            ),
        ));
    };
    Ok(delivery::explain(&entry, "through", steps))
}
