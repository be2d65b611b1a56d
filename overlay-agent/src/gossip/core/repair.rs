//! Asking for parts of streams that were missed.

use std::{collections::BTreeMap, time::Duration};

use rand::seq::IndexedRandom;

use super::{
    Effect, Gossip,
    timer::Duty,
    topic::Topic,
    wire::{self, Head, Kind, Pull, Span},
};
use crate::model::NodeId;

/// So often is a part asked for; then it is left to the next exchange.
const TRIES: u8 = 6;

/// One round asks for so many streams at most.
const ROUND: usize = 64;

/// One question is answered with so many datagrams at most; who wants more asks again.
const ANSWER: usize = 16;

/// What is missing.
#[derive(Debug, Default)]
pub(super) struct Repairs {
    wants: BTreeMap<(Topic, NodeId), Want>,
}

#[derive(Debug)]
struct Want {
    /// Who has it.
    ask: NodeId,
    /// It is there once the stream is known up to here.
    target: Head,
    /// How far the stream was known when it was asked for last.
    seen: Head,
    tries: u8,
    due: Duration,
    /// It was told without rows; whoever has the rows passes that on.
    is_marker: bool,
}

impl Repairs {
    /// A span has shown that something before it is missing.
    pub(super) fn want(
        &mut self,
        span: &Span<'_>,
        from: NodeId,
        now: Duration,
        patience: Duration,
    ) {
        let is_marker = span.rows.is_empty();
        let target = Head {
            epoch: span.epoch,
            seq: span.upto,
        };
        let want = self
            .wants
            .entry((span.topic, span.owner))
            .or_insert_with(|| Want {
                ask: from,
                target,
                seen: Head::default(),
                tries: 0,
                // News that is on its way may close a gap, but not what was told by a marker.
                due: if is_marker { now } else { now + patience },
                is_marker,
            });
        want.is_marker |= is_marker;
        if target > want.target {
            want.target = target;
            want.ask = from;
        }
    }

    /// Forgets what concerns a node.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.wants.retain(|(_, owner), _| *owner != node);
    }

    /// Forgets what concerns a topic.
    pub(super) fn forget_topic(&mut self, topic: Topic) {
        self.wants.retain(|(other, _), _| *other != topic);
    }
}

impl Gossip {
    /// Asks for what is missing and due.
    pub(super) fn repair(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let mut questions: BTreeMap<NodeId, Vec<Pull>> = BTreeMap::new();
        let mut wants = std::mem::take(&mut self.repairs.wants);
        let mut asked = 0;
        wants.retain(|(topic, owner), want| {
            let Some(ledger) = self.table.ledger(*topic) else {
                return false;
            };
            let have = ledger.head(*owner);
            if have >= want.target {
                if want.is_marker {
                    let marker = self.marker(*topic, *owner);
                    self.enqueue(*topic, marker.into_iter().collect(), effects);
                }
                return false;
            }
            if have > want.seen && want.tries > 0 {
                want.tries = 0;
                want.due = now;
            }
            if want.due > now || asked >= ROUND {
                return true;
            }
            if want.tries >= TRIES {
                return false;
            }
            asked += 1;
            let ask = self.whom_to_ask(*topic, *owner, want);
            want.seen = have;
            want.due = now + self.settings.pace.repair * (1 << want.tries);
            want.tries += 1;
            questions.entry(ask).or_default().push(Pull {
                topic: *topic,
                owner: *owner,
                have,
            });
            true
        });
        self.repairs.wants = wants;
        self.counters.repairs += asked as u64;
        for (node, pulls) in questions {
            let pulls = pulls.iter().map(wire::encoded);
            for datagram in wire::packed(Kind::Pulls, pulls, self.settings.pace.datagram) {
                self.send(node, datagram, effects);
            }
        }
        if !self.repairs.wants.is_empty() {
            self.start_timer(Duty::Repair, self.settings.pace.repair / 3, effects);
        }
    }

    fn whom_to_ask(&mut self, topic: Topic, owner: NodeId, want: &Want) -> NodeId {
        match want.tries {
            0 => want.ask,
            1 if self.membership.is_up(owner) => owner,
            _ => {
                let audience = self.audience(topic);
                *audience.choose(self.membership.rng()).unwrap_or(&want.ask)
            }
        }
    }

    /// Answers a question for parts of streams.
    pub(super) fn answer(
        &mut self,
        from: NodeId,
        pulls: &[Pull],
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let datagram = self.settings.pace.datagram;
        let mut budget = ANSWER * datagram;
        let mut spans = Vec::new();
        for pull in pulls {
            if pull.owner == self.settings.node {
                self.defend(pull.topic, pull.have, now, effects);
            }
            let Some(stream) = self
                .table
                .ledger(pull.topic)
                .and_then(|ledger| ledger.stream(pull.owner))
            else {
                continue;
            };
            let Some(cursor) = stream.cursor(pull.have) else {
                continue;
            };
            let mut plan = stream.plan(cursor);
            while !plan.is_done && budget > 0 {
                let limit = datagram - wire::PREFIX;
                let span = stream.part(pull.topic, pull.owner, &mut plan, limit);
                let span = wire::encoded(&span);
                budget = budget.saturating_sub(span.len());
                spans.push(span);
            }
            if budget == 0 {
                break;
            }
        }
        for datagram in wire::packed(Kind::Answer, spans, datagram) {
            self.send(from, datagram, effects);
        }
    }
}
