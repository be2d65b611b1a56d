//! Who wins an address.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    super::{
        stream::Content,
        topic::{Key, Topic},
        value::Value,
    },
    Beaten, Table,
};
use crate::model::{Claim, NodeId, Vni};

impl Table {
    /// Hides or shows a node's claims.
    pub(in crate::gossip::core) fn hide(&mut self, owner: NodeId, is_hidden: bool) {
        let is_change = if is_hidden {
            self.hidden.insert(owner)
        } else {
            self.hidden.remove(&owner)
        };
        if !is_change {
            return;
        }
        let claims: Vec<(Vni, Vec<Key>)> = self
            .ledgers
            .iter()
            .filter_map(|(topic, ledger)| match topic {
                Topic::Attendance => None,
                Topic::Network(vni) => Some((*vni, ledger.stream(owner)?)),
            })
            .map(|(vni, stream)| (vni, stream.live().map(|(key, _)| key).collect()))
            .collect();
        for (vni, keys) in claims {
            self.mark(vni, &keys);
        }
    }

    /// The best claim of a node other than this one, if it is not beaten by an own one.
    pub(in crate::gossip::core) fn winner(
        &self,
        vni: Vni,
        address: IpAddr,
    ) -> Option<(NodeId, Claim)> {
        let (index, node, value) = self.winning_rival(vni, address)?;
        Some((node, Value::read(value)?.into_claim(vni, address, index)))
    }

    fn winning_rival(&self, vni: Vni, address: IpAddr) -> Option<(u64, NodeId, &[u8])> {
        let rival = self.rival(vni, address)?;
        let (index, node, _) = rival;
        (self.own_index(vni, address) <= Some((index, node))).then_some(rival)
    }

    /// The best claim of another node.
    pub(in crate::gossip::core) fn rival(
        &self,
        vni: Vni,
        address: IpAddr,
    ) -> Option<(u64, NodeId, &[u8])> {
        self.ledger(Topic::Network(vni))?
            .claims(address)
            .filter(|(_, node, _)| !self.hidden.contains(node))
            .max_by_key(|(index, node, _)| (*index, *node))
    }

    fn own_index(&self, vni: Vni, address: IpAddr) -> Option<(u64, NodeId)> {
        match self.own(Topic::Network(vni))?.get(&Key::Address(address))? {
            Content::Claimed { index, .. } => Some((*index, self.this)),
            Content::Attending | Content::Withdrawn { .. } => None,
        }
    }

    /// Own claims that are beaten since the last call.
    pub(in crate::gossip::core) fn take_beaten(&mut self) -> Vec<Beaten> {
        std::mem::take(&mut self.contested)
            .into_iter()
            .filter_map(|(vni, address)| self.beaten(vni, address))
            .collect()
    }

    fn beaten(&self, vni: Vni, address: IpAddr) -> Option<Beaten> {
        let own = self.own_index(vni, address)?;
        let (index, winner, _) = self.rival(vni, address)?;
        if own > (index, winner) {
            return None;
        }
        Some(Beaten {
            claim: self.own_claim(vni, address)?,
            winner,
            index,
        })
    }

    /// Whether some address may have changed hands.
    pub(in crate::gossip::core) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Addresses that may have changed hands since the last call, with the winners.
    pub(in crate::gossip::core) fn take_dirty(
        &mut self,
    ) -> BTreeMap<(Vni, IpAddr), Option<(NodeId, Claim)>> {
        std::mem::take(&mut self.dirty)
            .into_iter()
            .map(|(vni, address)| ((vni, address), self.winner(vni, address)))
            .collect()
    }

    /// Every winning claim of another node.
    pub(in crate::gossip::core) fn winners(&self) -> BTreeMap<(Vni, IpAddr), (NodeId, Claim)> {
        self.claimed_addresses()
            .filter_map(|(vni, address)| Some(((vni, address), self.winner(vni, address)?)))
            .collect()
    }

    /// How many winning claims of other nodes there are.
    pub(in crate::gossip::core) fn count_winners(&self) -> usize {
        self.claimed_addresses()
            .filter(|(vni, address)| self.winning_rival(*vni, *address).is_some())
            .count()
    }

    /// Nodes other than this one that have an endpoint of this name in a network.
    pub(in crate::gossip::core) fn named(&self, vni: Vni, name: &str) -> BTreeSet<NodeId> {
        let Some(ledger) = self.ledger(Topic::Network(vni)) else {
            return BTreeSet::new();
        };
        ledger
            .addresses()
            .filter_map(|address| self.winner(vni, address))
            .filter(|(_, claim)| claim.name == name)
            .map(|(node, _)| node)
            .collect()
    }

    fn claimed_addresses(&self) -> impl Iterator<Item = (Vni, IpAddr)> {
        self.attended()
            .filter_map(|topic| match topic {
                Topic::Attendance => None,
                Topic::Network(vni) => Some((vni, self.ledger(topic)?)),
            })
            .flat_map(|(vni, ledger)| ledger.addresses().map(move |address| (vni, address)))
    }

    pub(super) fn mark(&mut self, vni: Vni, keys: &[Key]) {
        for key in keys {
            let Key::Address(address) = *key else {
                continue;
            };
            self.dirty.insert((vni, address));
            if self.own_index(vni, address).is_some() {
                self.contested.insert((vni, address));
            }
        }
    }
}
