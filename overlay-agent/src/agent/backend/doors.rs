//! What came to the ports of the control plane, and what was turned away there.

use crate::{
    agent::swarm::Access,
    api::types::{ControlCount, GossipStatus},
    cluster::service::Counter,
    gossip::{self, GossipCounters, Refusals},
};

/// Everything since the agent took part in the swarm, in the order of the ports' tables.
pub(super) fn counts(access: &Access) -> Vec<ControlCount> {
    let GossipCounters {
        datagrams,
        streams,
        core,
    } = access.gossip.counters();
    let mut counts = Vec::new();
    let mut add = |port: &str, events: &[(&str, u64)]| {
        counts.extend(events.iter().map(|(event, count)| ControlCount {
            port: port.to_owned(),
            event: event.replace('_', "-"),
            count: *count,
        }));
    };
    let refused = |refusals: Refusals| -> Vec<(&str, u64)> { refusals.named().collect() };
    add(
        "gossip/udp",
        &[
            ("received", datagrams.received),
            ("sent", datagrams.sent),
            ("overflowed", datagrams.overflowed),
            ("unsent", datagrams.unsent),
            ("receive-errors", datagrams.receive_errors),
        ],
    );
    add("gossip/udp", &refused(datagrams.refused));
    add(
        "gossip/tcp",
        &[
            ("accepted", streams.accepted),
            ("opened", streams.opened),
            ("crowded", streams.crowded),
            ("timed-out", streams.timed_out),
            ("too-much", streams.too_much),
            ("broken", streams.broken),
        ],
    );
    add("gossip/tcp", &refused(streams.refused));
    add(
        "gossip",
        &[
            ("strangers", core.strangers),
            ("malformed", core.malformed),
            ("unknown-owners", core.unknown_owners),
        ],
    );
    if let Some(door) = &access.door {
        let events = Counter::ALL.iter();
        let events: Vec<_> = events
            .map(|event| (event.name(), door.get(*event)))
            .collect();
        add("managers/tcp", &events);
    }
    counts
}

/// The gossip at a glance. `claims`: addresses of other nodes' endpoints.
pub(super) fn gossip(access: &Access, claims: u64) -> GossipStatus {
    let GossipCounters {
        datagrams,
        streams,
        core,
    } = access.gossip.counters();
    let states = access.gossip.states();
    let states = states.borrow();
    let count = |wanted| states.values().filter(|state| **state == wanted).count() as u64;
    GossipStatus {
        alive: count(gossip::NodeState::Up),
        failed: count(gossip::NodeState::Failed),
        claims,
        queued: core.queued,
        received: core.received,
        exchanges: core.exchanges,
        repaired: core.exchanged,
        refused: datagrams.refused.total()
            + streams.refused.total()
            + streams.crowded
            + streams.timed_out
            + streams.too_much
            + core.strangers
            + core.malformed,
        withdrawn: core.lost_claims,
    }
}
