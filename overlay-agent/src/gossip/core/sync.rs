//! Finding out who knows something else, and when to exchange everything.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rand::{RngExt, seq::IndexedRandom};

use super::{
    Effect, Gossip,
    topic::Topic,
    wire::{self, Digest, Kind},
};
use crate::model::NodeId;

/// With so many nodes a topic is exchanged when this node begins to take part.
const PARTNERS: u8 = 2;

/// So many exchanges are begun at a time.
const OPEN: usize = 3;

/// What has been the same for so long is not on its way any more.
const SETTLED: Duration = Duration::from_millis(800);

/// An exchange that did not end after so long has been forgotten by the transport.
const FORGOTTEN: Duration = Duration::from_mins(1);

/// See the module.
#[derive(Debug)]
pub(super) struct Sync {
    /// Topics that still have to be exchanged, with how many nodes.
    wanted: BTreeMap<Topic, u8>,
    /// Nodes with which an exchange was begun, and when.
    open: BTreeMap<NodeId, Duration>,
    /// Nodes that have begun an exchange with this one.
    accepted: BTreeSet<NodeId>,
    /// When the last one was begun because of a difference.
    last: Duration,
}

impl Sync {
    /// A node that has to learn everything.
    pub(super) fn new(topics: impl Iterator<Item = Topic>) -> Self {
        let mut sync = Self {
            wanted: BTreeMap::new(),
            open: BTreeMap::new(),
            accepted: BTreeSet::new(),
            last: Duration::ZERO,
        };
        sync.want_all(topics);
        sync
    }

    /// A topic has to be exchanged.
    pub(super) fn want(&mut self, topic: Topic) {
        self.wanted.insert(topic, PARTNERS);
    }

    /// These topics have to be exchanged.
    pub(super) fn want_all(&mut self, topics: impl Iterator<Item = Topic>) {
        topics.for_each(|topic| self.want(topic));
    }

    /// A node has begun an exchange.
    pub(super) fn accept(&mut self, from: NodeId) {
        self.accepted.insert(from);
    }

    /// A topic is left.
    pub(super) fn forget(&mut self, topic: Topic) {
        self.wanted.remove(&topic);
    }
}

impl Gossip {
    /// Begins exchanges about topics of which this node has to learn.
    pub(super) fn synchronize(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        self.sync
            .open
            .retain(|_, since| now.saturating_sub(*since) < FORGOTTEN);
        let wanted: Vec<Topic> = self.sync.wanted.keys().copied().collect();
        for topic in wanted {
            let audience = self.audience(topic);
            let is_covered = |node: &NodeId| self.table.attends(*node, topic);
            if audience.is_empty() || self.sync.open.keys().any(is_covered) {
                continue;
            }
            if let Some(node) = audience.choose(self.membership.rng()).copied() {
                self.begin(node, now, effects);
            }
        }
    }

    fn begin(&mut self, node: NodeId, now: Duration, effects: &mut Vec<Effect>) {
        if self.sync.open.len() >= OPEN || self.sync.open.contains_key(&node) {
            return;
        }
        if let Some(address) = self.membership.address(node) {
            self.sync.open.insert(node, now);
            effects.push(Effect::Exchange {
                with: node,
                address,
            });
        }
    }

    /// Exchanges everything with a random node.
    pub(super) fn exchange_with_anyone(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let active = self.membership.active().to_vec();
        if let Some(node) = active.choose(self.membership.rng()).copied() {
            self.begin(node, now, effects);
        }
    }

    /// An exchange is over; `is_complete`: both sides have told everything.
    pub(super) fn exchanged(
        &mut self,
        with: NodeId,
        is_own: bool,
        is_complete: bool,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        if is_own {
            self.sync.open.remove(&with);
        } else {
            self.sync.accepted.remove(&with);
        }
        if !is_complete {
            return;
        }
        self.counters.exchanges += 1;
        let shared: Vec<Topic> = self
            .table
            .attended()
            .filter(|topic| self.table.attends(with, *topic))
            .collect();
        for topic in shared {
            let Some(left) = self.sync.wanted.get_mut(&topic) else {
                continue;
            };
            *left -= 1;
            if *left == 0 {
                self.sync.wanted.remove(&topic);
                self.announce_own(topic, effects);
            }
        }
        self.synchronize(now, effects);
    }

    /// Fingerprints of the members and of the topics that `node` takes part in, too.
    pub(super) fn digests(&self, node: NodeId) -> Vec<Digest> {
        let topics = self
            .table
            .attended()
            .filter(|topic| self.table.attends(node, *topic))
            .filter_map(|topic| {
                Some(Digest {
                    of: Some(topic),
                    sum: self.table.ledger(topic)?.sum,
                })
            });
        let members = Digest {
            of: None,
            sum: self.membership.digest().0,
        };
        std::iter::once(members).chain(topics).collect()
    }

    /// Sends fingerprints to a random node, every other time to one that attends a network, too.
    pub(super) fn probe(&mut self, effects: &mut Vec<Effect>) {
        let topics: Vec<Topic> = self.table.attended().collect();
        let is_any = self.membership.rng().random_bool(0.5);
        let topic = match topics.choose(self.membership.rng()) {
            Some(topic) if !is_any => *topic,
            _ => Topic::Attendance,
        };
        let audience = self.audience(topic);
        let Some(node) = audience.choose(self.membership.rng()).copied() else {
            return;
        };
        let digests = self.digests(node);
        let digests = digests.iter().map(wire::encoded);
        for datagram in wire::packed(Kind::Probe, digests, self.settings.pace.datagram) {
            self.send(node, datagram, effects);
        }
    }

    /// Compares another node's fingerprints with the own ones, and exchanges everything where they
    /// differ for good.
    pub(super) fn compare(
        &mut self,
        from: NodeId,
        digests: &[Digest],
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let is_settled = |moved: Duration| now.saturating_sub(moved) >= SETTLED;
        let differs = digests.iter().any(|digest| match digest.of {
            None => {
                let (sum, moved) = self.membership.digest();
                sum != digest.sum && is_settled(moved)
            }
            Some(topic) => self
                .table
                .ledger(topic)
                .is_some_and(|ledger| ledger.sum != digest.sum && is_settled(ledger.moved)),
        });
        let is_under_way = self.sync.accepted.contains(&from);
        if differs && !is_under_way && is_settled(self.sync.last) && self.membership.is_up(from) {
            self.sync.last = now;
            self.begin(from, now, effects);
        }
    }
}
