//! One node's changes in one table, as far as they are known here.
//!
//! Invariant: of the owner's rows as they were at `head`, every row is here that no later change has
//! replaced, and no other; rows of later changes may be here too, and until `base` is reached also rows
//! of the owner's run before.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::{
    topic::{Key, Topic},
    wire::{self, Head, Manner, Span, Told, ToldRow},
};
use crate::model::NodeId;

/// So many ranges beyond a gap are remembered; more are asked for again.
const AHEAD: usize = 256;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Everything up to here is known.
    pub(super) head: Head,
    /// From this position on rows of older epochs are void.
    pub(super) base: u64,
    /// Greatest position of a withdrawal that has been forgotten.
    reaped: u64,
    /// Known ranges beyond a gap: start and end.
    ahead: BTreeMap<u64, u64>,
    rows: BTreeMap<Key, Row>,
}

/// A row.
#[derive(Debug)]
pub(super) struct Row {
    /// Position of its last change.
    pub(super) seq: u64,
    /// Whether it is left from an earlier epoch.
    old: bool,
    /// What it says.
    pub(super) content: Content,
}

/// What a row says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Content {
    /// See [`Told::Claimed`].
    Claimed {
        /// Position of the claim in the managers' log.
        index: u64,
        /// The rest of the claim.
        value: Box<[u8]>,
    },
    /// See [`Told::Attending`].
    Attending,
    /// See [`Told::Withdrawn`].
    Withdrawn {
        /// Of a network: the last position of the owner's stream in it.
        last: u64,
        /// When that became known here, milliseconds.
        since: u64,
    },
}

/// What a span did.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Applied {
    /// More is known than before.
    pub(super) is_news: bool,
    /// Something before the span is not known.
    pub(super) is_gap: bool,
    /// Rows that say something else now.
    pub(super) changed: Vec<Key>,
}

impl Content {
    fn is_withdrawn(&self) -> bool {
        matches!(self, Self::Withdrawn { .. })
    }

    /// Whether a reader would see no difference.
    fn means(&self, other: &Self) -> bool {
        self == other || self.is_withdrawn() && other.is_withdrawn()
    }

    fn told(&self) -> Told<'_> {
        match self {
            Self::Claimed { index, value } => Told::Claimed {
                index: *index,
                value,
            },
            Self::Attending => Told::Attending,
            Self::Withdrawn { last, .. } => Told::Withdrawn { last: *last },
        }
    }

    fn heard(told: Told<'_>, now: Duration) -> Self {
        match told {
            Told::Claimed { index, value } => Self::Claimed {
                index,
                value: value.into(),
            },
            Told::Attending => Self::Attending,
            Told::Withdrawn { last } => Self::withdrawn(last, now),
        }
    }

    /// Withdrawn now.
    pub(super) fn withdrawn(last: u64, now: Duration) -> Self {
        Self::Withdrawn {
            last,
            since: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl Stream {
    /// An own stream with its first rows.
    pub(super) fn begun(epoch: u64, rows: impl IntoIterator<Item = (Key, Content)>) -> Self {
        let mut stream = Self {
            head: Head { epoch, seq: 0 },
            ..Self::default()
        };
        for (key, content) in rows {
            stream.put(key, content);
        }
        stream.base = stream.head.seq;
        stream
    }

    /// An own change.
    pub(super) fn put(&mut self, key: Key, content: Content) {
        self.head.seq += 1;
        let row = Row {
            seq: self.head.seq,
            old: false,
            content,
        };
        self.rows.insert(key, row);
    }

    /// The same rows, without withdrawals, as the beginning of a new epoch.
    pub(super) fn begin_again(&mut self, epoch: u64) {
        let rows = std::mem::take(&mut self.rows);
        let live = rows
            .into_iter()
            .filter(|(_, row)| !row.content.is_withdrawn())
            .map(|(key, row)| (key, row.content));
        *self = Self::begun(epoch, live);
    }

    /// What the row says, unless it is withdrawn.
    pub(super) fn get(&self, key: &Key) -> Option<&Content> {
        self.rows
            .get(key)
            .map(|row| &row.content)
            .filter(|content| !content.is_withdrawn())
    }

    /// Every row that is not withdrawn.
    pub(super) fn live(&self) -> impl Iterator<Item = (Key, &Content)> {
        self.rows
            .iter()
            .filter(|(_, row)| !row.content.is_withdrawn())
            .map(|(key, row)| (*key, &row.content))
    }

    /// Whether everything of the owner's present epoch is known that it began with.
    pub(super) fn is_complete(&self) -> bool {
        self.head.seq >= self.base
    }

    /// Learns what a span tells.
    pub(super) fn apply(&mut self, span: &Span<'_>, now: Duration) -> Applied {
        let mut applied = Applied::default();
        if span.epoch < self.head.epoch {
            return applied;
        }
        if span.epoch > self.head.epoch {
            if span.after > 0 {
                applied.is_gap = true;
                return applied;
            }
            self.turn_to(span.epoch, span.base);
            applied.is_news = true;
        } else if span.manner == Manner::Whole {
            self.drop_unlisted(span, &mut applied.changed);
        }
        self.insert(span, now, &mut applied.changed);
        applied.is_news |= self.advance(span.after, span.upto);
        applied.is_gap = span.upto > self.head.seq;
        if self.is_complete() {
            self.drop_old(&mut applied.changed);
        }
        applied
    }

    fn turn_to(&mut self, epoch: u64, base: u64) {
        self.head = Head { epoch, seq: 0 };
        self.base = base;
        self.reaped = 0;
        self.ahead.clear();
        for row in self.rows.values_mut() {
            row.old = true;
        }
    }

    fn insert(&mut self, span: &Span<'_>, now: Duration, changed: &mut Vec<Key>) {
        for told in &span.rows {
            let known = self.rows.get(&told.key);
            if known.is_some_and(|row| !row.old && row.seq >= told.seq)
                || known.is_none() && told.seq <= self.head.seq
            {
                continue;
            }
            let content = Content::heard(told.content, now);
            let is_change = match known {
                Some(row) => !row.content.means(&content),
                None => !content.is_withdrawn(),
            };
            if is_change {
                changed.push(told.key);
            }
            let row = Row {
                seq: told.seq,
                old: false,
                content,
            };
            self.rows.insert(told.key, row);
        }
    }

    /// Returns whether anything in the range was not known.
    fn advance(&mut self, after: u64, upto: u64) -> bool {
        if upto <= self.head.seq {
            return false;
        }
        if after > self.head.seq {
            let is_new = self.ahead.get(&after).is_none_or(|known| *known < upto);
            if is_new && self.ahead.len() < AHEAD {
                self.ahead.insert(after, upto);
            }
            return is_new;
        }
        self.head.seq = upto;
        while let Some((start, end)) = self.ahead.pop_first() {
            if start > self.head.seq {
                self.ahead.insert(start, end);
                break;
            }
            self.head.seq = self.head.seq.max(end);
        }
        true
    }

    fn drop_unlisted(&mut self, span: &Span<'_>, changed: &mut Vec<Key>) {
        let is_listed = |key: &Key| span.rows.iter().any(|told| told.key == *key);
        self.drop_if(changed, |key, row| {
            !row.old && row.seq > span.after && row.seq <= span.upto && !is_listed(key)
        });
        self.reaped = self.reaped.max(span.upto.min(self.head.seq));
    }

    fn drop_old(&mut self, changed: &mut Vec<Key>) {
        self.drop_if(changed, |_, row| row.old);
    }

    fn drop_if(&mut self, changed: &mut Vec<Key>, gone: impl Fn(&Key, &Row) -> bool) {
        self.rows.retain(|key, row| {
            let is_gone = gone(key, row);
            if is_gone && !row.content.is_withdrawn() {
                changed.push(*key);
            }
            !is_gone
        });
    }

    /// The owner is known to have withdrawn everything and stopped at `last`.
    pub(super) fn finish(&mut self, last: Head) -> Applied {
        let mut applied = Applied::default();
        if last < self.head {
            return applied;
        }
        applied.is_news = last > self.head;
        if last.epoch > self.head.epoch {
            self.turn_to(last.epoch, 0);
        }
        self.drop_if(&mut applied.changed, |_, row| {
            row.old || row.seq <= last.seq
        });
        self.advance(0, last.seq);
        self.reaped = self.reaped.max(last.seq);
        applied
    }

    /// Forgets withdrawals before `limit`, milliseconds.
    pub(super) fn reap(&mut self, limit: u64) {
        let head = self.head.seq;
        let mut reaped = self.reaped;
        self.rows.retain(|_, row| {
            let is_due = matches!(row.content, Content::Withdrawn { since, .. } if since < limit)
                && row.seq <= head;
            if is_due && !row.old {
                reaped = reaped.max(row.seq);
            }
            !is_due
        });
        self.reaped = reaped;
    }

    /// Where to begin for somebody who knows the stream up to `have`; `None`: it lacks nothing.
    pub(super) fn cursor(&self, have: Head) -> Option<Cursor> {
        if have >= self.head {
            return None;
        }
        let is_same = have.epoch == self.head.epoch;
        let is_forgotten = is_same && have.seq < self.reaped;
        Some(Cursor {
            epoch: self.head.epoch,
            after: if is_same && !is_forgotten {
                have.seq
            } else {
                0
            },
            manner: if is_forgotten {
                Manner::Whole
            } else {
                Manner::Epidemic
            },
        })
    }

    /// Everything behind a cursor as it is now, to be told in parts.
    pub(super) fn plan(&self, cursor: Cursor) -> Plan {
        let mut rows: Vec<(u64, Key)> = self
            .rows
            .iter()
            .filter(|(_, row)| !row.old && row.seq > cursor.after && row.seq <= self.head.seq)
            .map(|(key, row)| (row.seq, *key))
            .collect();
        rows.sort_unstable();
        Plan {
            epoch: cursor.epoch,
            manner: cursor.manner,
            after: cursor.after,
            upto: self.head.seq,
            rows: rows.into(),
            is_done: false,
        }
    }

    /// The next part of a plan, of at most `limit` bytes or one row. Rows that have changed since it
    /// was made are left out: they come as news.
    pub(super) fn part<'a>(
        &'a self,
        topic: Topic,
        owner: NodeId,
        plan: &mut Plan,
        limit: usize,
    ) -> Span<'a> {
        let mut span = self.span(topic, owner, (plan.after, plan.upto), plan.manner);
        let mut size = wire::SPAN_SIZE;
        while let Some((seq, key)) = plan.rows.front().copied() {
            let row = self.rows.get(&key).filter(|row| !row.old && row.seq == seq);
            if let Some(told) = row.map(|row| row.told(key)) {
                size += wire::row_size(&told);
                if size > limit && !span.rows.is_empty() {
                    span.upto = seq - 1;
                    break;
                }
                span.rows.push(told);
            }
            plan.rows.pop_front();
        }
        plan.after = span.upto;
        plan.is_done = plan.rows.is_empty();
        span
    }

    /// A span with the given rows as they are now, without those that changed after `upto`.
    pub(super) fn retold<'a>(
        &'a self,
        topic: Topic,
        owner: NodeId,
        range: (u64, u64),
        manner: Manner,
        keys: &[Key],
    ) -> Span<'a> {
        let mut span = self.span(topic, owner, range, manner);
        span.rows = keys
            .iter()
            .filter_map(|key| Some((*key, self.rows.get(key)?)))
            .filter(|(_, row)| !row.old && row.seq > range.0 && row.seq <= range.1)
            .map(|(key, row)| row.told(key))
            .collect();
        span
    }

    fn span(
        &self,
        topic: Topic,
        owner: NodeId,
        (after, upto): (u64, u64),
        manner: Manner,
    ) -> Span<'static> {
        Span {
            topic,
            owner,
            epoch: self.head.epoch,
            base: self.base,
            after,
            upto,
            manner,
            rows: Vec::new(),
        }
    }
}

/// Where somebody's knowledge of a stream ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    /// Void when the stream has another epoch by now.
    pub(super) epoch: u64,
    after: u64,
    manner: Manner,
}

/// What of a stream has still to be told to somebody.
#[derive(Debug)]
pub(super) struct Plan {
    /// Void when the stream has another epoch by now.
    pub(super) epoch: u64,
    /// Whether all is told.
    pub(super) is_done: bool,
    manner: Manner,
    after: u64,
    upto: u64,
    rows: VecDeque<(u64, Key)>,
}

impl Cursor {
    /// Begins behind a position.
    pub(super) fn after(epoch: u64, after: u64) -> Self {
        Self {
            epoch,
            after,
            manner: Manner::Epidemic,
        }
    }
}

impl Row {
    fn told(&self, key: Key) -> ToldRow<'_> {
        ToldRow {
            key,
            seq: self.seq,
            content: self.content.told(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Topic {
        Topic::Network(4096.try_into().unwrap())
    }

    fn owner() -> NodeId {
        NodeId::from_random(1)
    }

    fn key(last: u8) -> Key {
        Key::Address(std::net::Ipv4Addr::new(10, 0, 0, last).into())
    }

    fn claimed(index: u64) -> Content {
        Content::Claimed {
            index,
            value: [].into(),
        }
    }

    fn began(epoch: u64, addresses: u8) -> Stream {
        Stream::begun(epoch, (1..=addresses).map(|last| (key(last), claimed(1))))
    }

    /// Tells everything that `to` lacks, in parts of one row.
    fn tell(from: &Stream, to: &mut Stream) -> Vec<Key> {
        let Some(cursor) = from.cursor(to.head) else {
            return Vec::new();
        };
        let mut plan = from.plan(cursor);
        let mut changed = Vec::new();
        while !plan.is_done {
            let part = from.part(network(), owner(), &mut plan, 0);
            changed.extend(to.apply(&part, Duration::ZERO).changed);
        }
        changed
    }

    fn live(stream: &Stream) -> Vec<Key> {
        stream.live().map(|(key, _)| key).collect()
    }

    fn news(from: &Stream, after: u64, upto: u64, keys: &[Key]) -> Span<'static> {
        let span = from.retold(network(), owner(), (after, upto), Manner::Direct, keys);
        let bytes: &'static [u8] = wire::encoded(&span).leak();
        postcard::from_bytes(bytes).unwrap()
    }

    #[test]
    fn only_what_is_missing_is_told() {
        let mut own = began(5, 3);
        let mut known = Stream::default();
        tell(&own, &mut known);
        own.put(key(9), claimed(2));

        let changed = tell(&own, &mut known);

        assert_eq!(changed, [key(9)]);
        assert_eq!(known.head, own.head);
        assert!(own.cursor(known.head).is_none());
    }

    #[test]
    fn what_comes_in_disorder_is_known_without_a_gap_in_the_end() {
        let mut own = began(5, 1);
        let mut known = Stream::default();
        tell(&own, &mut known);
        for last in 2..=4 {
            own.put(key(last), claimed(1));
        }

        let last = known.apply(&news(&own, 3, 4, &[key(4)]), Duration::ZERO);
        let middle = known.apply(&news(&own, 2, 3, &[key(3)]), Duration::ZERO);
        assert!(last.is_gap && middle.is_gap && middle.is_news);
        assert_eq!(known.head.seq, 1);
        let first = known.apply(&news(&own, 1, 2, &[key(2)]), Duration::ZERO);

        assert!(!first.is_gap);
        assert_eq!((known.head, live(&known)), (own.head, live(&own)));
    }

    #[test]
    fn late_news_does_not_bring_back_what_is_withdrawn() {
        let mut own = began(5, 1);
        let mut known = Stream::default();
        own.put(key(7), claimed(1));
        let late = news(&own, 1, 2, &[key(7)]);
        own.put(key(7), Content::withdrawn(0, Duration::ZERO));
        tell(&own, &mut known);
        known.reap(1);

        let applied = known.apply(&late, Duration::ZERO);

        assert_eq!(applied, Applied::default());
        assert_eq!(live(&known), [key(1)]);
    }

    #[test]
    fn who_missed_a_withdrawal_that_is_forgotten_is_told_the_whole() {
        let mut own = began(5, 3);
        let mut known = Stream::default();
        tell(&own, &mut known);
        own.put(key(2), Content::withdrawn(0, Duration::ZERO));
        own.reap(1);

        let changed = tell(&own, &mut known);

        assert_eq!(changed, [key(2)]);
        assert_eq!(live(&known), [key(1), key(3)]);
    }

    #[test]
    fn rows_of_an_earlier_run_stay_until_the_new_one_is_known_and_then_go() {
        let before = began(5, 3);
        let mut known = Stream::default();
        tell(&before, &mut known);
        let after = Stream::begun(6, [1, 2].map(|last| (key(last), claimed(1))));
        let mut plan = after.plan(after.cursor(known.head).unwrap());

        let first = after.part(network(), owner(), &mut plan, 0);
        assert_eq!(known.apply(&first, Duration::ZERO).changed, []);
        assert_eq!(live(&known).len(), 3);
        let second = after.part(network(), owner(), &mut plan, 0);
        let changed = known.apply(&second, Duration::ZERO).changed;

        assert_eq!(changed, [key(3)]);
        assert_eq!(live(&known), [key(1), key(2)]);
    }

    #[test]
    fn a_finished_stream_is_empty_and_stays_so() {
        let mut own = began(5, 2);
        let mut known = Stream::default();
        tell(&own, &mut known);
        own.put(key(3), claimed(1));
        let late = news(&own, 2, 3, &[key(3)]);

        let applied = known.finish(Head { epoch: 5, seq: 6 });

        assert_eq!(applied.changed, [key(1), key(2)]);
        assert_eq!(known.apply(&late, Duration::ZERO), Applied::default());
        assert_eq!(live(&known), []);
    }
}
