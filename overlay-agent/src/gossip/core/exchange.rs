//! A full exchange over a stream, in turns:
//!
//! 1. who began says which fingerprints it has;
//! 2. the other tells its members and heads where they differ;
//! 3. who began tells its own, and what the other lacks;
//! 4. the other tells what the first lacks.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::{
    Effect, FRAME, Gossip, Refused,
    telling::{Cursor, Plan},
    topic::Topic,
    wire::{self, Digest, Head, Kind, Pull, ToldMember},
};
use crate::model::NodeId;

/// One exchange, from one side.
#[derive(Debug)]
pub struct Exchange {
    with: NodeId,
    is_own: bool,
    step: Step,
    /// Frames to be written before anything else.
    ready: VecDeque<Vec<u8>>,
    /// Parts of streams to be told after that.
    due: VecDeque<(Topic, NodeId, Cursor)>,
    current: Option<(Topic, NodeId, Plan)>,
    /// What the other side knows, of topics that differ.
    heads: BTreeMap<Topic, BTreeMap<NodeId, Head>>,
    heard_members: bool,
    /// How often the other side has given the turn.
    turns: u8,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    /// Write; then the other side's turn, or the end.
    Write { is_last: bool },
    /// Read.
    Read,
    /// All is told.
    Over,
}

impl Exchange {
    /// Whether both sides have told everything.
    pub fn is_over(&self) -> bool {
        self.step == Step::Over && self.ready.is_empty()
    }

    /// The other side.
    pub fn with(&self) -> NodeId {
        self.with
    }
}

impl Gossip {
    /// Begins an exchange that an [`Effect::Exchange`] asked for.
    pub fn begin_exchange(&mut self, with: NodeId) -> Exchange {
        let digests = self.digests(with);
        let hello = digests
            .iter()
            .fold(wire::Writer::new(Kind::Hello), |hello, digest| {
                hello.item(digest)
            });
        Exchange {
            with,
            is_own: true,
            step: Step::Write { is_last: false },
            ready: VecDeque::from([hello.finish()]),
            due: VecDeque::new(),
            current: None,
            heads: BTreeMap::new(),
            heard_members: false,
            turns: 0,
        }
    }

    /// Answers a stream that another node has opened.
    pub fn accept_exchange(&mut self, from: NodeId) -> Result<Exchange, Refused> {
        if self.membership.standing(from).is_none() {
            self.counters.strangers += 1;
            return Err(Refused::Stranger { node: from });
        }
        self.sync.accept(from);
        Ok(Exchange {
            with: from,
            is_own: false,
            step: Step::Read,
            ready: VecDeque::new(),
            due: VecDeque::new(),
            current: None,
            heads: BTreeMap::new(),
            heard_members: false,
            turns: 0,
        })
    }

    /// The next frame to write, at most [`FRAME`] and a few bytes long; `None`: now read, unless the
    /// exchange [is over](Exchange::is_over).
    pub fn next_frame(&self, exchange: &mut Exchange) -> Option<Vec<u8>> {
        let Step::Write { is_last } = exchange.step else {
            return None;
        };
        if let Some(frame) = exchange.ready.pop_front() {
            return Some(frame);
        }
        if let Some(frame) = self.next_spans(exchange) {
            return Some(frame);
        }
        if is_last {
            exchange.step = Step::Over;
            Some(wire::Writer::new(Kind::Done).finish())
        } else {
            exchange.step = Step::Read;
            Some(wire::Writer::new(Kind::Turn).finish())
        }
    }

    fn next_spans(&self, exchange: &mut Exchange) -> Option<Vec<u8>> {
        let mut spans = Vec::new();
        let mut room = FRAME;
        while room > FRAME / 4 {
            let Some((topic, owner, mut plan)) = self.next_plan(exchange) else {
                break;
            };
            let ledger = self.table.ledger(topic);
            let Some(stream) = ledger.and_then(|ledger| ledger.stream(owner)) else {
                continue;
            };
            if stream.head.epoch != plan.epoch {
                continue;
            }
            let span = wire::encoded(&stream.part(topic, owner, &mut plan, room));
            room = room.saturating_sub(span.len());
            spans.push(span);
            if !plan.is_done {
                exchange.current = Some((topic, owner, plan));
            }
        }
        wire::packed(Kind::Spans, spans, usize::MAX).pop()
    }

    fn next_plan(&self, exchange: &mut Exchange) -> Option<(Topic, NodeId, Plan)> {
        if let Some(current) = exchange.current.take() {
            return Some(current);
        }
        while let Some((topic, owner, cursor)) = exchange.due.pop_front() {
            let ledger = self.table.ledger(topic);
            let stream = ledger.and_then(|ledger| ledger.stream(owner));
            if let Some(stream) = stream.filter(|stream| stream.head.epoch == cursor.epoch) {
                return Some((topic, owner, stream.plan(cursor)));
            }
        }
        None
    }

    /// A frame that the other side has written.
    pub fn handle_frame(
        &mut self,
        exchange: &mut Exchange,
        frame: &[u8],
        now: Duration,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refused> {
        let handled = self.take_frame(exchange, frame, now, effects);
        self.count(handled.err());
        self.tell(now, effects);
        handled
    }

    fn take_frame(
        &mut self,
        exchange: &mut Exchange,
        frame: &[u8],
        now: Duration,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refused> {
        if exchange.step != Step::Read {
            return Err(Refused::OutOfTurn);
        }
        if self.membership.standing(exchange.with).is_none() {
            return Err(Refused::Stranger {
                node: exchange.with,
            });
        }
        let (kind, items) = wire::opened(frame)?;
        match (kind, exchange.is_own) {
            (Kind::Hello, false) => self.greeted(exchange, &wire::items(items)?),
            (Kind::Members, _) => {
                let members: Vec<ToldMember> = wire::items(items)?;
                exchange.heard_members = true;
                let (outcomes, strangers) = self.membership.learn(members, now);
                self.counters.unknown_owners += strangers as u64;
                self.follow(outcomes, now, effects);
            }
            (Kind::Heads, _) => {
                for pull in wire::items::<Pull>(items)? {
                    if pull.owner == self.settings.node {
                        self.defend(pull.topic, pull.have, now, effects);
                    }
                    let heads = exchange.heads.entry(pull.topic).or_default();
                    heads.insert(pull.owner, pull.have);
                }
            }
            (Kind::Spans, _) => {
                let spans = wire::spans(items)?;
                let before = self.counters.received;
                self.hear(exchange.with, &spans, false, now, effects);
                self.counters.exchanged += self.counters.received - before;
            }
            (Kind::Turn, true) => self.second_turn(exchange),
            (Kind::Turn, false) => self.answering_turn(exchange),
            (Kind::Done, true) => exchange.step = Step::Over,
            _ => return Err(Refused::OutOfTurn),
        }
        Ok(())
    }

    /// Answers fingerprints with what differs here.
    fn greeted(&mut self, exchange: &mut Exchange, digests: &[Digest]) {
        for digest in digests {
            match digest.of {
                None if digest.sum != self.membership.digest().0 => self.tell_members(exchange),
                Some(topic) => {
                    let sum = self.table.ledger(topic).map(|ledger| ledger.sum);
                    if sum.is_some_and(|sum| sum != digest.sum) {
                        self.tell_heads(exchange, topic);
                    }
                }
                None => {}
            }
        }
    }

    /// The other side has told its members and heads: tell ours, and what it lacks.
    fn second_turn(&mut self, exchange: &mut Exchange) {
        if exchange.heard_members {
            self.tell_members(exchange);
        }
        let topics: Vec<Topic> = exchange.heads.keys().copied().collect();
        for topic in topics {
            self.tell_heads(exchange, topic);
        }
        self.tell_lacking(exchange);
        exchange.step = Step::Write { is_last: false };
    }

    fn answering_turn(&mut self, exchange: &mut Exchange) {
        // The other side greets in its first turn and tells all in its second.
        let is_last = exchange.turns > 0;
        exchange.turns = exchange.turns.saturating_add(1);
        self.tell_lacking(exchange);
        exchange.step = Step::Write { is_last };
    }

    fn tell_members(&self, exchange: &mut Exchange) {
        let members = self.membership.told();
        let members = members.iter().map(wire::encoded);
        exchange
            .ready
            .extend(wire::packed(Kind::Members, members, FRAME));
    }

    fn tell_heads(&self, exchange: &mut Exchange, topic: Topic) {
        let Some(ledger) = self.table.ledger(topic) else {
            return;
        };
        let heads = ledger.streams().map(|(owner, stream)| {
            wire::encoded(&Pull {
                topic,
                owner,
                have: stream.head,
            })
        });
        exchange
            .ready
            .extend(wire::packed(Kind::Heads, heads, FRAME));
    }

    fn tell_lacking(&self, exchange: &mut Exchange) {
        for (topic, heads) in &exchange.heads {
            let Some(ledger) = self.table.ledger(*topic) else {
                continue;
            };
            for (owner, stream) in ledger.streams() {
                let have = heads.get(&owner).copied().unwrap_or_default();
                if let Some(cursor) = stream.cursor(have) {
                    exchange.due.push_back((*topic, owner, cursor));
                }
            }
        }
    }

    /// The stream of an exchange is closed, whether it went well or not.
    #[expect(clippy::needless_pass_by_value, reason = "it ends here")]
    pub fn end_exchange(&mut self, exchange: Exchange, now: Duration, effects: &mut Vec<Effect>) {
        let is_complete = exchange.is_over();
        self.exchanged(exchange.with, exchange.is_own, is_complete, now, effects);
        self.tell(now, effects);
    }
}
