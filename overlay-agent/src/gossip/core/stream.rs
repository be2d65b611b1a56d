//! One node's changes in one table, as far as they are known here.
//!
//! Invariant: of the owner's rows as they were at `head`, every row is here that no later change has
//! replaced, and no other; rows of later changes may be here too, and until `base` is reached also rows
//! of the owner's run before.

use std::{collections::BTreeMap, time::Duration};

use super::{
    topic::Key,
    wire::{Head, Manner, Span, Told},
};

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
    pub(super) reaped: u64,
    /// Known ranges beyond a gap: start and end.
    ahead: BTreeMap<u64, u64>,
    pub(super) rows: BTreeMap<Key, Row>,
    /// Rows that came since the map was packed.
    unpacked: usize,
}

/// A row.
#[derive(Debug)]
pub(super) struct Row {
    /// Position of its last change.
    pub(super) seq: u64,
    /// Whether it is left from an earlier epoch.
    pub(super) old: bool,
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

    pub(super) fn told(&self) -> Told<'_> {
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
            if self.rows.insert(told.key, row).is_none() {
                self.unpacked += 1;
            }
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
        // A map that was filled in order is half empty.
        if self.unpacked * 4 > self.rows.len() {
            self.rows = std::mem::take(&mut self.rows).into_iter().collect();
            self.unpacked = 0;
        }
    }
}
