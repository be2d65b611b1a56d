//! Who attends which network, and who claims which address there.

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

    /// The run that a node's attendance is of, once that is known from its beginning.
    fn attendance_epoch(&self, owner: NodeId) -> u64 {
        self.ledgers
            .get(&Topic::Attendance)
            .and_then(|ledger| ledger.stream(owner))
            .filter(|stream| stream.is_complete())
            .map_or(0, |stream| stream.head.epoch)
    }

    fn follow_attendance(
        &mut self,
        span: &Span<'_>,
        before: Head,
        applied: &Applied,
        now: Duration,
    ) {
        let owner = span.owner;
        for key in &applied.changed {
            let Key::Network(vni) = *key else {
                continue;
            };
            let attends = self
                .ledgers
                .get(&Topic::Attendance)
                .and_then(|ledger| ledger.stream(owner))
                .is_some_and(|stream| stream.get(key).is_some());
            self.note_attendance(owner, vni, attends);
            if !attends {
                let last = self
                    .ledger(Topic::Network(vni))
                    .map_or_else(Head::default, |ledger| ledger.head(owner));
                self.finish(owner, vni, last, now);
            }
        }
        let ended = span
            .rows
            .iter()
            .filter_map(|row| match (row.key, row.content) {
                (Key::Network(vni), super::wire::Told::Withdrawn { last }) => Some((vni, last)),
                _ => None,
            });
        for (vni, seq) in ended.collect::<Vec<_>>() {
            if !self.attends(owner, Topic::Network(vni)) {
                let epoch = span.epoch;
                self.finish(owner, vni, Head { epoch, seq }, now);
            }
        }
        if self.attendance_epoch(owner) > before.epoch || !applied.changed.is_empty() {
            self.drop_left(owner, now);
        }
    }

    fn finish(&mut self, owner: NodeId, vni: Vni, last: Head, now: Duration) {
        let Some(ledger) = self.ledgers.get_mut(&Topic::Network(vni)) else {
            return;
        };
        if ledger.is_attended && last.epoch > 0 {
            let changed = ledger.finish(owner, last, now).changed;
            self.mark(vni, &changed);
        }
    }

    /// Drops streams of earlier runs in networks that the node does not attend in this one.
    fn drop_left(&mut self, owner: NodeId, now: Duration) {
        let epoch = self.attendance_epoch(owner);
        let left: Vec<Vni> = self
            .ledgers
            .iter()
            .filter(|(topic, ledger)| {
                let head = ledger.head(owner);
                head.epoch > 0 && head.epoch < epoch && !self.attends(owner, **topic)
            })
            .filter_map(|(topic, _)| match topic {
                Topic::Attendance => None,
                Topic::Network(vni) => Some(*vni),
            })
            .collect();
        for vni in left {
            self.forget_in(Topic::Network(vni), owner, now);
        }
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

    /// Hides or shows a node's claims.
    pub(super) fn hide(&mut self, owner: NodeId, is_hidden: bool) {
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
    pub(super) fn winner(&self, vni: Vni, address: IpAddr) -> Option<(NodeId, Claim)> {
        let (index, node, value) = self.rival(vni, address)?;
        if self.own_index(vni, address) > Some((index, node)) {
            return None;
        }
        Some((node, Value::read(value)?.into_claim(vni, address, index)))
    }

    /// The best claim of another node.
    pub(super) fn rival(&self, vni: Vni, address: IpAddr) -> Option<(u64, NodeId, &[u8])> {
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
    pub(super) fn take_beaten(&mut self) -> Vec<Beaten> {
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
    pub(super) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Addresses that may have changed hands since the last call, with the winners.
    pub(super) fn take_dirty(&mut self) -> BTreeMap<(Vni, IpAddr), Option<(NodeId, Claim)>> {
        std::mem::take(&mut self.dirty)
            .into_iter()
            .map(|(vni, address)| ((vni, address), self.winner(vni, address)))
            .collect()
    }

    /// Every winning claim of another node.
    pub(super) fn winners(&self) -> BTreeMap<(Vni, IpAddr), (NodeId, Claim)> {
        self.attended()
            .filter_map(|topic| match topic {
                Topic::Attendance => None,
                Topic::Network(vni) => Some((vni, self.ledger(topic)?)),
            })
            .flat_map(|(vni, ledger)| ledger.addresses().map(move |address| (vni, address)))
            .filter_map(|(vni, address)| Some(((vni, address), self.winner(vni, address)?)))
            .collect()
    }

    /// Forgets withdrawals before `limit`, milliseconds.
    pub(super) fn reap(&mut self, limit: u64) {
        for ledger in self.ledgers.values_mut() {
            ledger.reap(limit);
        }
    }

    fn mark(&mut self, vni: Vni, keys: &[Key]) {
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

fn claimed(index: u64, value: &[u8]) -> Content {
    Content::Claimed {
        index,
        value: value.into(),
    }
}
