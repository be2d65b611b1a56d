//! What every node should know, found from what each node claims itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    super::topic::Topic,
    world::{World, node},
};
use crate::model::{Claim, NodeId, Vni};

/// Winning claims by place.
pub(crate) type Winners = BTreeMap<(Vni, IpAddr), (NodeId, Claim)>;

impl World {
    /// What a node should observe: for each address in its networks the best claim of the nodes that
    /// run, this one's own ones aside.
    pub(crate) fn expected(&self, at: usize) -> Winners {
        let attended: BTreeSet<Vni> = self
            .gossip(at)
            .table
            .attended()
            .filter_map(|topic| match topic {
                Topic::Attendance => None,
                Topic::Network(vni) => Some(vni),
            })
            .collect();
        let mut best = Winners::new();
        for other in self.alive() {
            let table = &self.gossip(other).table;
            for vni in &attended {
                for address in table.own_addresses(*vni) {
                    let claim = table.own_claim(*vni, address).expect("own");
                    let rival = best.get(&(*vni, address));
                    let is_better = rival.is_none_or(|(owner, known)| {
                        (claim.index, node(other)) > (known.index, *owner)
                    });
                    if is_better {
                        best.insert((*vni, address), (node(other), claim));
                    }
                }
            }
        }
        best.retain(|_, (owner, _)| *owner != node(at));
        best
    }

    /// What is wrong at a node; `None`: nothing.
    pub(crate) fn wrong(&self, at: usize) -> Option<String> {
        let expected = self.expected(at);
        let observed = self.gossip(at).observed().claims;
        if observed == expected {
            return None;
        }
        let missing = expected
            .iter()
            .find(|(place, claim)| observed.get(place) != Some(claim));
        let stale = observed
            .iter()
            .find(|(place, claim)| expected.get(place) != Some(claim));
        Some(format!("node {at}: should have {missing:?}, has {stale:?}"))
    }

    /// Whether every node observes exactly what it should.
    pub(crate) fn all_right(&self) -> bool {
        self.alive().into_iter().all(|at| self.wrong(at).is_none())
    }
}
