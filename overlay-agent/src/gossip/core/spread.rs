//! Telling news: own changes at once, those of others in rounds.

use std::{collections::BTreeMap, time::Duration};

use rand::{RngExt, seq::IndexedRandom};

use super::{
    Effect, Gossip,
    queue::Item,
    telling::Cursor,
    timer::Duty,
    topic::Topic,
    wire::{self, Head, Kind, Manner, Span},
};
use crate::model::NodeId;

/// Own changes that have not been told: the position before the first, by topic.
pub(super) type Fresh = BTreeMap<Topic, u64>;

/// An own stream of at most so many datagrams is told as a whole, a longer one by its head.
const WHOLE: usize = 4;

/// How often news is passed on that its owner has told everybody.
const CONFIRMATIONS: u8 = 2;

/// About so many nodes greet one that comes back.
const GREETERS: u32 = 32;

impl Gossip {
    /// Nodes to which a topic is told: those that answer and take part.
    pub(super) fn audience(&self, topic: Topic) -> Vec<NodeId> {
        match topic {
            Topic::Attendance => self.membership.active().to_vec(),
            Topic::Network(vni) => self
                .table
                .attendees(vni)
                .filter(|node| self.membership.is_up(*node))
                .collect(),
        }
    }

    /// Remembers that this node has just changed its stream.
    pub(super) fn note_own(&mut self, topic: Topic, effects: &mut Vec<Effect>) {
        let Some(own) = self.table.own(topic) else {
            return;
        };
        self.fresh.entry(topic).or_insert(own.head.seq - 1);
        self.start_timer(Duty::Flush, self.settings.pace.flush, effects);
    }

    /// Tells own changes: to every node where they are few, else to some, who pass it on.
    pub(super) fn flush(&mut self, effects: &mut Vec<Effect>) {
        for (topic, after) in std::mem::take(&mut self.fresh) {
            let mut targets = self.audience(topic);
            let is_direct = targets.len() <= self.settings.pace.direct;
            if !is_direct {
                let some = self.settings.pace.fanout * 2;
                targets = targets
                    .sample(self.membership.rng(), some)
                    .copied()
                    .collect();
            }
            self.tell_own(topic, after, &targets, is_direct, effects);
        }
    }

    /// Tells own changes of a topic to every node that takes part.
    pub(super) fn flush_to_all(&mut self, topic: Topic, effects: &mut Vec<Effect>) {
        if let Some(after) = self.fresh.remove(&topic) {
            let targets = self.audience(topic);
            self.tell_own(topic, after, &targets, true, effects);
        }
    }

    fn tell_own(
        &mut self,
        topic: Topic,
        after: u64,
        targets: &[NodeId],
        is_direct: bool,
        effects: &mut Vec<Effect>,
    ) {
        let left = if is_direct {
            CONFIRMATIONS
        } else {
            self.transmissions(topic)
        };
        let items = self.own_items(topic, after, is_direct, left);
        let encoded: Vec<_> = items
            .iter()
            .filter_map(|item| self.rendered(item))
            .collect();
        for datagram in wire::packed(Kind::News, encoded, self.settings.pace.datagram) {
            for target in targets {
                self.send(*target, datagram.clone(), effects);
            }
        }
        self.enqueue(topic, items, effects);
    }

    fn own_items(&self, topic: Topic, after: u64, is_direct: bool, left: u8) -> Vec<Item> {
        let this = self.settings.node;
        let Some(own) = self.table.own(topic) else {
            return Vec::new();
        };
        let manner = if is_direct {
            Manner::Direct
        } else {
            Manner::Epidemic
        };
        let limit = self.settings.pace.datagram - wire::PREFIX;
        let mut plan = own.plan(Cursor::after(own.head.epoch, after));
        let mut items = Vec::new();
        while !plan.is_done {
            let span = own.part(topic, this, &mut plan, limit);
            items.push(Item {
                topic,
                owner: this,
                epoch: span.epoch,
                range: (span.after, span.upto),
                manner,
                keys: span.rows.iter().map(|row| row.key).collect(),
                left,
            });
        }
        items
    }

    /// Tells that an own stream is there, as far as it is.
    pub(super) fn announce_own(&mut self, topic: Topic, effects: &mut Vec<Effect>) {
        let left = self.transmissions(topic);
        let mut items = self.own_items(topic, 0, false, left);
        if items.len() > WHOLE {
            items = self.marker(topic, self.settings.node).into_iter().collect();
        }
        self.enqueue(topic, items, effects);
    }

    /// An item that says how far a stream is known here, and none of its rows.
    pub(super) fn marker(&self, topic: Topic, owner: NodeId) -> Option<Item> {
        let head = self.table.ledger(topic)?.stream(owner)?.head;
        Some(Item {
            topic,
            owner,
            epoch: head.epoch,
            range: (head.seq, head.seq),
            manner: Manner::Epidemic,
            keys: Vec::new(),
            left: self.transmissions(topic),
        })
    }

    pub(super) fn enqueue(&mut self, topic: Topic, items: Vec<Item>, effects: &mut Vec<Effect>) {
        let queue = self.queues.entry(topic).or_default();
        for item in items {
            queue.push(item);
        }
        self.start_timer(Duty::Gossip, self.settings.pace.gossip, effects);
    }

    /// How often one node passes on a piece of news: enough that all that take part hear it.
    fn transmissions(&self, topic: Topic) -> u8 {
        let nodes = match topic {
            Topic::Attendance => self.membership.active().len(),
            Topic::Network(vni) => self.table.attendees(vni).count(),
        };
        // Four times the decimal logarithm.
        let times = (nodes + 1).ilog2() * 6 / 5 + 1;
        times.clamp(3, 30) as u8
    }

    /// Passes on what is queued: one datagram per topic to each of a few nodes.
    pub(super) fn pass_on(&mut self, effects: &mut Vec<Effect>) {
        let topics: Vec<Topic> = self.queues.keys().copied().collect();
        let limit = self.settings.pace.datagram - wire::PREFIX;
        for topic in topics {
            let Some(mut queue) = self.queues.remove(&topic) else {
                continue;
            };
            let audience = self.audience(topic);
            let fanout = self.settings.pace.fanout;
            let targets: Vec<NodeId> = audience
                .sample(self.membership.rng(), fanout)
                .copied()
                .collect();
            for target in &targets {
                queue.order(self.settings.node);
                let mut news = Vec::new();
                queue.send(limit, |item| {
                    let bytes = self.rendered(item)?;
                    let size = bytes.len();
                    news.push(bytes);
                    Some(size)
                });
                for datagram in wire::packed(Kind::News, news, self.settings.pace.datagram) {
                    self.send(*target, datagram, effects);
                }
            }
            // Nobody to tell: who comes later asks.
            if !queue.is_empty() && !targets.is_empty() {
                self.queues.insert(topic, queue);
            }
        }
        if !self.queues.is_empty() {
            self.start_timer(Duty::Gossip, self.settings.pace.gossip, effects);
        }
    }

    fn rendered(&self, item: &Item) -> Option<Vec<u8>> {
        let ledger = self.table.ledger(item.topic)?;
        let stream = ledger.stream(item.owner)?;
        if stream.head.epoch != item.epoch {
            return None;
        }
        let span = stream.retold(item.topic, item.owner, item.range, item.manner, &item.keys);
        Some(wire::encoded(&span))
    }

    /// Learns what another node tells. News is passed on; what was asked for is not.
    pub(super) fn hear(
        &mut self,
        from: NodeId,
        spans: &[Span<'_>],
        is_news: bool,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        for span in spans {
            let told = Head {
                epoch: span.epoch,
                seq: span.upto,
            };
            if span.owner == self.settings.node {
                self.defend(span.topic, told, now, effects);
                continue;
            }
            if !self.membership.knows(span.owner) {
                self.counters.unknown_owners += 1;
                continue;
            }
            let applied = self.table.apply(span, now);
            self.counters.received += applied.changed.len() as u64;
            let is_marker = span.after == span.upto && span.upto > 0;
            if applied.is_gap {
                self.repairs
                    .want(span, from, now, self.settings.pace.repair);
                self.start_timer(Duty::Repair, self.settings.pace.repair / 3, effects);
            }
            if is_news && applied.is_news && !(is_marker && applied.is_gap) {
                let item = self.passed_on(span);
                self.enqueue(span.topic, vec![item], effects);
            }
        }
    }

    fn passed_on(&self, span: &Span<'_>) -> Item {
        Item {
            topic: span.topic,
            owner: span.owner,
            epoch: span.epoch,
            range: (span.after, span.upto),
            manner: span.manner,
            keys: span.rows.iter().map(|row| row.key).collect(),
            left: match span.manner {
                Manner::Direct => CONFIRMATIONS,
                Manner::Epidemic => self.transmissions(span.topic),
                Manner::Whole => 0,
            },
        }
    }

    /// Somebody tells of this node's own stream. Where that is more than there is, it is from an
    /// earlier run, and everything is asserted again.
    pub(super) fn defend(
        &mut self,
        topic: Topic,
        told: Head,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        if self.table.outbid(topic, told, now) {
            self.fresh.clear();
            let topics: Vec<Topic> = self.table.attended().collect();
            for topic in topics {
                self.announce_own(topic, effects);
            }
        }
    }

    /// Tells a node that comes (back) how far this node's own streams are.
    pub(super) fn greet(&mut self, node: NodeId, effects: &mut Vec<Effect>) {
        let company = self.membership.active().len().max(1) as u32;
        let greeters = GREETERS.min(company);
        if !self.membership.rng().random_ratio(greeters, company) {
            return;
        }
        let markers: Vec<Vec<u8>> = self
            .table
            .attended()
            .filter(|topic| self.table.attends(node, *topic))
            .filter_map(|topic| self.marker(topic, self.settings.node))
            .filter_map(|item| self.rendered(&item))
            .collect();
        for datagram in wire::packed(Kind::Answer, markers, self.settings.pace.datagram) {
            self.send(node, datagram, effects);
        }
    }
}
