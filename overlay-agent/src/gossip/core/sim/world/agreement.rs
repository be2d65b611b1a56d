//! Whether all nodes know the same, and what that has cost.

use std::collections::{BTreeMap, BTreeSet};

use super::{Traffic, World, node};
use crate::model::NodeId;

impl World {
    /// Bytes that all nodes have sent.
    pub(crate) fn total(&self) -> Traffic {
        self.traffic
            .iter()
            .fold(Traffic::default(), |sum, one| Traffic {
                datagrams: sum.datagrams + one.datagrams,
                bytes: sum.bytes + one.bytes,
                stream_bytes: sum.stream_bytes + one.stream_bytes,
                exchanges: sum.exchanges + one.exchanges,
            })
    }

    /// Whether all nodes that take part in a topic know its streams equally far.
    pub(crate) fn all_tables_are_equal(&self) -> bool {
        let mut sums = BTreeMap::new();
        self.alive().into_iter().all(|at| {
            let table = &self.gossip(at).table;
            table.attended().all(|topic| {
                let sum = table.ledger(topic).expect("attended").sum;
                *sums.entry(topic).or_insert(sum) == sum
            })
        })
    }

    /// Whether every running node holds every other running node, and no other, to be up.
    pub(crate) fn all_agree_on_members(&self) -> bool {
        let alive: BTreeSet<NodeId> = self.alive().into_iter().map(node).collect();
        self.alive().into_iter().all(|number| {
            let active = self.gossip(number).membership.active();
            active.len() + 1 == alive.len() && active.iter().all(|other| alive.contains(other))
        })
    }
}
