//! Telling a stream to somebody who knows a part of it.

use std::collections::VecDeque;

use super::{
    stream::{Row, Stream},
    topic::{Key, Topic},
    wire::{self, Head, Manner, Span, ToldRow},
};
use crate::model::NodeId;

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

impl Stream {
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

impl Row {
    fn told(&self, key: Key) -> ToldRow<'_> {
        ToldRow {
            key,
            seq: self.seq,
            content: self.content.told(),
        }
    }
}
