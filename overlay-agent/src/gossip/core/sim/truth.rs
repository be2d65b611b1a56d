//! What every node should know, found from what each node claims itself.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    super::topic::Topic,
    world::{World, node},
};
use crate::model::{Claim, NodeId, Vni};

/// Winning claims by network and address.
type Winners = BTreeMap<Vni, BTreeMap<IpAddr, (NodeId, Claim)>>;

impl World {
    fn networks(&self, at: usize) -> impl Iterator<Item = Vni> {
        self.gossip(at)
            .table
            .attended()
            .filter_map(|topic| match topic {
                Topic::Attendance => None,
                Topic::Network(vni) => Some(vni),
            })
    }

    /// For each address the best claim of the nodes that run.
    fn winners(&self) -> Winners {
        let mut winners = Winners::new();
        for at in self.alive() {
            let table = &self.gossip(at).table;
            for vni in self.networks(at) {
                let network = winners.entry(vni).or_default();
                for address in table.own_addresses(vni) {
                    let claim = table.own_claim(vni, address).expect("own");
                    let is_better = network.get(&address).is_none_or(|(owner, known)| {
                        (claim.index, node(at)) > (known.index, *owner)
                    });
                    if is_better {
                        network.insert(address, (node(at), claim));
                    }
                }
            }
        }
        winners
    }

    fn wrong_in(&self, at: usize, winners: &Winners) -> Option<String> {
        let expected: BTreeMap<_, _> = self
            .networks(at)
            .filter_map(|vni| Some((vni, winners.get(&vni)?)))
            .flat_map(|(vni, network)| {
                network
                    .iter()
                    .map(move |(address, winner)| ((vni, *address), winner))
            })
            .filter(|(_, (owner, _))| *owner != node(at))
            .collect();
        let observed = self.gossip(at).observed().claims;
        let missing = expected
            .iter()
            .find(|(place, winner)| observed.get(place) != Some(winner));
        let stale = observed
            .iter()
            .find(|(place, winner)| expected.get(place) != Some(winner));
        (missing.is_some() || stale.is_some())
            .then(|| format!("node {at}: should have {missing:?}, has {stale:?}"))
    }

    /// What is wrong at a node that observes something else than the best claims of the nodes that
    /// run, its own aside; `None`: nothing.
    pub(crate) fn wrong(&self, at: usize) -> Option<String> {
        self.wrong_in(at, &self.winners())
    }

    /// Whether every node observes exactly what it should.
    pub(crate) fn all_right(&self) -> bool {
        let winners = self.winners();
        self.alive()
            .into_iter()
            .all(|at| self.wrong_in(at, &winners).is_none())
    }
}
