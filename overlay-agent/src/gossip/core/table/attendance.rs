//! What follows from a node's attendance: which of its streams are still going on.

use std::time::Duration;

use super::{
    super::{
        stream::Applied,
        topic::{Key, Topic},
        wire::{Head, Span, Told},
    },
    Table,
};
use crate::model::{NodeId, Vni};

impl Table {
    pub(super) fn follow_attendance(
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
                (Key::Network(vni), Told::Withdrawn { last }) => Some((vni, last)),
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

    /// The run that a node's attendance is of, once that is known from its beginning.
    pub(super) fn attendance_epoch(&self, owner: NodeId) -> u64 {
        self.ledgers
            .get(&Topic::Attendance)
            .and_then(|ledger| ledger.stream(owner))
            .filter(|stream| stream.is_complete())
            .map_or(0, |stream| stream.head.epoch)
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
}
