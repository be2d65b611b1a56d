//! Who attends which network, and who claims which address there.

mod attendance;
mod contest;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use super::{
    ledger::Ledger,
    stream::{Applied, Content, Stream},
    topic::{Key, Topic},
    value::Value,
    wire::{Head, Span},
};
use crate::model::{Claim, NodeId, Vni};

/// See the module.
#[derive(Debug)]
pub(super) struct Table {
    this: NodeId,
    /// The run of this node under which its own streams are.
    epoch: u64,
    ledgers: BTreeMap<Topic, Ledger>,
    attendees: BTreeMap<Vni, BTreeSet<NodeId>>,
    hidden: BTreeSet<NodeId>,
    /// Addresses that may have changed hands since they were last taken.
    dirty: BTreeSet<(Vni, IpAddr)>,
    /// Those of them that this node claims.
    contested: BTreeSet<(Vni, IpAddr)>,
}

/// An own claim that another one beats.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Beaten {
    /// The own claim.
    pub(super) claim: Claim,
    /// Who wins.
    pub(super) winner: NodeId,
    /// Position of the winning claim.
    pub(super) index: u64,
}

impl Table {
    /// The table of a node that knows nothing but its own claims.
    pub(super) fn new(this: NodeId, epoch: u64, claims: &[(Claim, Box<[u8]>)]) -> Self {
        let mut table = Self {
            this,
            epoch,
            ledgers: BTreeMap::new(),
            attendees: BTreeMap::new(),
            hidden: BTreeSet::new(),
            dirty: BTreeSet::new(),
            contested: BTreeSet::new(),
        };
        let networks: BTreeSet<Vni> = claims.iter().map(|(claim, _)| claim.vni).collect();
        let attended = networks
            .iter()
            .map(|vni| (Key::Network(*vni), Content::Attending));
        table.begin(Topic::Attendance, Stream::begun(epoch, attended));
        for vni in networks {
            let rows = claims
                .iter()
                .filter(|(claim, _)| claim.vni == vni)
                .map(|(claim, value)| (Key::Address(claim.address), claimed(claim.index, value)));
            table.begin(Topic::Network(vni), Stream::begun(epoch, rows));
            table.attendees.entry(vni).or_default().insert(this);
        }
        table
    }

    fn begin(&mut self, topic: Topic, stream: Stream) {
        let ledger = self.ledgers.entry(topic).or_default();
        ledger.is_attended = true;
        ledger.change_own(self.this, Duration::ZERO, |own| *own = stream);
    }

    /// Topics that this node takes part in.
    pub(super) fn attended(&self) -> impl Iterator<Item = Topic> {
        self.ledgers
            .iter()
            .filter(|(_, ledger)| ledger.is_attended)
            .map(|(topic, _)| *topic)
    }

    /// Everything about a topic that this node takes part in.
    pub(super) fn ledger(&self, topic: Topic) -> Option<&Ledger> {
        self.ledgers.get(&topic).filter(|ledger| ledger.is_attended)
    }

    /// This node's stream.
    pub(super) fn own(&self, topic: Topic) -> Option<&Stream> {
        self.ledgers.get(&topic)?.stream(self.this)
    }

    /// Whether a node takes part in a topic, as far as is known.
    pub(super) fn attends(&self, node: NodeId, topic: Topic) -> bool {
        match topic {
            Topic::Attendance => true,
            Topic::Network(vni) => self
                .attendees
                .get(&vni)
                .is_some_and(|nodes| nodes.contains(&node)),
        }
    }

    /// Nodes that take part in a network, this one included.
    pub(super) fn attendees(&self, vni: Vni) -> impl Iterator<Item = NodeId> {
        self.attendees.get(&vni).into_iter().flatten().copied()
    }

    /// This node takes part from now on. Returns whether it did not before.
    pub(super) fn attend(&mut self, vni: Vni, now: Duration) -> bool {
        let (this, epoch) = (self.this, self.epoch);
        let ledger = self.ledgers.entry(Topic::Network(vni)).or_default();
        if std::mem::replace(&mut ledger.is_attended, true) {
            return false;
        }
        if ledger.stream(this).is_none() {
            ledger.change_own(this, now, |own| *own = Stream::begun(epoch, []));
        }
        self.attendees.entry(vni).or_default().insert(this);
        self.put(
            Topic::Attendance,
            Key::Network(vni),
            Content::Attending,
            now,
        );
        true
    }

    /// This node takes no longer part. Its claims there must be withdrawn before. Returns whether it did.
    pub(super) fn leave(&mut self, vni: Vni, now: Duration) -> bool {
        let this = self.this;
        let Some(ledger) = self.ledgers.get_mut(&Topic::Network(vni)) else {
            return false;
        };
        if !std::mem::replace(&mut ledger.is_attended, false) {
            return false;
        }
        let last = ledger.head(this).seq;
        let gone = ledger.forget_others(this, now);
        self.mark(vni, &gone);
        self.note_attendance(this, vni, false);
        let content = Content::withdrawn(last, now);
        self.put(Topic::Attendance, Key::Network(vni), content, now);
        true
    }

    /// Claims an address for this node.
    pub(super) fn claim(&mut self, claim: &Claim, value: &[u8], now: Duration) {
        let content = claimed(claim.index, value);
        self.put(
            Topic::Network(claim.vni),
            Key::Address(claim.address),
            content,
            now,
        );
        self.dirty.insert((claim.vni, claim.address));
    }

    /// Withdraws an own claim. Returns whether there was one.
    pub(super) fn withdraw(&mut self, vni: Vni, address: IpAddr, now: Duration) -> bool {
        let (topic, key) = (Topic::Network(vni), Key::Address(address));
        if self.own(topic).is_none_or(|own| own.get(&key).is_none()) {
            return false;
        }
        self.put(topic, key, Content::withdrawn(0, now), now);
        self.dirty.insert((vni, address));
        true
    }

    /// Addresses that this node claims in a network.
    pub(super) fn own_addresses(&self, vni: Vni) -> Vec<IpAddr> {
        let own = self.own(Topic::Network(vni));
        own.into_iter()
            .flat_map(Stream::live)
            .filter_map(|(key, _)| match key {
                Key::Address(address) => Some(address),
                Key::Network(_) => None,
            })
            .collect()
    }

    /// This node's own claim on an address.
    pub(super) fn own_claim(&self, vni: Vni, address: IpAddr) -> Option<Claim> {
        match self.own(Topic::Network(vni))?.get(&Key::Address(address))? {
            Content::Claimed { index, value } => {
                Some(Value::read(value)?.into_claim(vni, address, *index))
            }
            Content::Attending | Content::Withdrawn { .. } => None,
        }
    }

    fn put(&mut self, topic: Topic, key: Key, content: Content, now: Duration) {
        let this = self.this;
        if let Some(ledger) = self.ledgers.get_mut(&topic) {
            ledger.change_own(this, now, |own| own.put(key, content));
        }
    }

    /// Begins a new epoch where somebody knows more of this node's streams than it does itself, which
    /// can only be from an earlier run. Returns whether that was so.
    pub(super) fn outbid(&mut self, topic: Topic, told: Head, now: Duration) -> bool {
        let own = self.own(topic).map(|own| own.head);
        let is_known = match own {
            Some(own) => told <= own,
            None => told.epoch < self.epoch,
        };
        let Some(epoch) = told
            .epoch
            .max(self.epoch)
            .checked_add(1)
            .filter(|_| !is_known)
        else {
            return false;
        };
        self.epoch = epoch;
        let this = self.this;
        for ledger in self.ledgers.values_mut() {
            if ledger.is_attended {
                ledger.change_own(this, now, |own| own.begin_again(epoch));
            } else {
                ledger.forget(this, now);
            }
        }
        true
    }

    /// Learns what a span tells about another node's stream. Returns addresses that changed hands.
    pub(super) fn apply(&mut self, span: &Span<'_>, now: Duration) -> Applied {
        let is_void = span.epoch < self.attendance_epoch(span.owner);
        let Some(ledger) = self.ledgers.get_mut(&span.topic) else {
            return Applied::default();
        };
        if is_void || !ledger.is_attended {
            return Applied::default();
        }
        let before = ledger.head(span.owner);
        let applied = ledger.apply(span, now);
        match span.topic {
            Topic::Network(vni) => self.mark(vni, &applied.changed),
            Topic::Attendance => self.follow_attendance(span, before, &applied, now),
        }
        applied
    }

    fn forget_in(&mut self, topic: Topic, owner: NodeId, now: Duration) {
        let Some(ledger) = self.ledgers.get_mut(&topic) else {
            return;
        };
        let gone = ledger.forget(owner, now);
        if let Topic::Network(vni) = topic {
            self.mark(vni, &gone);
        }
    }

    fn note_attendance(&mut self, owner: NodeId, vni: Vni, attends: bool) {
        let nodes = self.attendees.entry(vni).or_default();
        if attends {
            nodes.insert(owner);
        } else {
            nodes.remove(&owner);
        }
        if nodes.is_empty() {
            self.attendees.remove(&vni);
        }
    }

    /// Forgets all about a node.
    pub(super) fn forget(&mut self, owner: NodeId, now: Duration) {
        let topics: Vec<Topic> = self.ledgers.keys().copied().collect();
        for topic in topics {
            self.forget_in(topic, owner, now);
        }
        self.attendees.retain(|_, nodes| {
            nodes.remove(&owner);
            !nodes.is_empty()
        });
        self.hidden.remove(&owner);
    }

    /// Forgets withdrawals before `limit`, milliseconds.
    pub(super) fn reap(&mut self, limit: u64) {
        for ledger in self.ledgers.values_mut() {
            ledger.reap(limit);
        }
    }
}

fn claimed(index: u64, value: &[u8]) -> Content {
    Content::Claimed {
        index,
        value: value.into(),
    }
}
