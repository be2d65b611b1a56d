//! What changed in the view at which position of the log. Values are looked up when they are asked
//! for, so that no old secret stays here.

use std::collections::{BTreeSet, VecDeque};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::model::{NodeId, ServiceId, Vni};

/// How many changes are kept: a watcher that missed more gets the whole view.
const KEPT: usize = 1 << 14;

/// A part of the view that came, went or became another.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
pub(super) enum Touch {
    DataPathPort,
    Keys,
    Roots,
    Member(NodeId),
    Network(Vni),
    Lease(Vni, IpNet),
    Service(ServiceId),
}

/// The latest changes.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct History {
    /// Changes behind this position are complete.
    floor: u64,
    /// Position of the latest change.
    last: u64,
    /// Ascending by position.
    touched: VecDeque<(u64, Touch)>,
}

impl History {
    /// Position of the latest change.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn record(&mut self, index: u64, touched: impl IntoIterator<Item = Touch>) {
        let before = self.touched.len();
        let touched = touched.into_iter().map(|touch| (index, touch));
        self.touched.extend(touched);
        if self.touched.len() > before {
            self.last = index;
        }
        let excess = self.touched.len().saturating_sub(KEPT);
        if let Some((floor, _)) = self.touched.drain(..excess).next_back() {
            self.floor = floor;
        }
    }

    /// Forgets what was: every watcher gets the whole view.
    pub(super) fn restart(&mut self, index: u64) {
        *self = Self {
            floor: index,
            last: index,
            touched: VecDeque::new(),
        };
    }

    /// What changed behind a position, each part once; `None` if that is no longer known.
    pub(super) fn since(&self, index: u64) -> Option<BTreeSet<Touch>> {
        if index < self.floor || index > self.last {
            return None;
        }
        let first = self.touched.partition_point(|(at, _)| *at <= index);
        let later = self.touched.range(first..);
        Some(later.map(|(_, touch)| *touch).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(number: u128) -> Touch {
        Touch::Member(NodeId::from_random(number))
    }

    #[test]
    fn what_changed_since() {
        let mut history = History::default();
        history.record(3, [touch(1), touch(2)]);
        history.record(5, []);
        history.record(7, [touch(1)]);

        assert_eq!(history.last(), 7);
        assert_eq!(history.since(0), Some([touch(1), touch(2)].into()));
        assert_eq!(history.since(3), Some([touch(1)].into()));
        assert_eq!(history.since(7), Some(BTreeSet::new()));
        assert_eq!(history.since(8), None);
    }

    #[test]
    fn the_oldest_changes_are_forgotten() {
        let mut history = History::default();
        history.record(1, [touch(1)]);
        history.record(2, (0..KEPT as u128).map(touch));
        history.record(3, [touch(1)]);

        assert_eq!(history.since(0), None);
        assert_eq!(history.since(1), None);
        assert_eq!(history.since(2), Some([touch(1)].into()));
    }

    #[test]
    fn after_a_restart_nobody_is_up_to_date_with_less() {
        let mut history = History::default();
        history.record(1, [touch(1)]);
        history.restart(4);

        assert_eq!(history.since(1), None);
        assert_eq!(history.since(4), Some(BTreeSet::new()));
    }
}
