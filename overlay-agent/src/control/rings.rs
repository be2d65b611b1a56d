//! Where rings lie in the flat array of slots.

use std::collections::BTreeMap;

use crate::model::RingSpan;

/// Slots that are written at once; every ring begins at a multiple of it.
pub(super) const SLOTS: u32 = 32;

/// Gives regions of the array away. Of neighbours that are free one is made.
#[derive(Clone, Debug)]
pub(super) struct Regions {
    /// Length of each free region by its start, in entries of [`SLOTS`] slots.
    free: BTreeMap<u32, u32>,
    /// Given back, but perhaps still named until what follows from it is written.
    resting: Vec<RingSpan>,
}

impl Regions {
    /// An array of this many slots, of which nothing is in use.
    pub(super) fn new(slots: u32) -> Self {
        let entries = slots / SLOTS;
        Self {
            free: (entries > 0).then_some((0, entries)).into_iter().collect(),
            resting: Vec::new(),
        }
    }

    /// Takes what an earlier agent used. False if a part of it is used otherwise or not there.
    pub(super) fn claim(&mut self, ring: RingSpan) -> bool {
        let (start, length) = region(ring);
        if length == 0 || !ring.first.is_multiple_of(SLOTS) {
            return length == 0;
        }
        let Some((around, room)) = self.free.range(..=start).next_back() else {
            return false;
        };
        let (around, room) = (*around, *room);
        let (end, end_of_room) = (start.saturating_add(length), around + room);
        if end > end_of_room {
            return false;
        }
        self.free.remove(&around);
        self.put(around, start - around);
        self.put(end, end_of_room - end);
        true
    }

    /// The first region with room for so many slots.
    pub(super) fn take(&mut self, size: u32) -> Option<RingSpan> {
        let needed = size.div_ceil(SLOTS);
        let fitting = self.free.iter().find(|(_, length)| **length >= needed);
        let (start, length) = fitting.map(|(start, length)| (*start, *length))?;
        self.free.remove(&start);
        self.put(start + needed, length - needed);
        let first = start * SLOTS;
        Some(RingSpan { first, size })
    }

    /// Gives a region back; it is given away again only after [`Self::settle`].
    pub(super) fn give_back(&mut self, ring: RingSpan) {
        if region(ring).1 > 0 {
            self.resting.push(ring);
        }
    }

    /// Nothing names any more what was given back.
    pub(super) fn settle(&mut self) {
        for ring in std::mem::take(&mut self.resting) {
            let (mut start, mut length) = region(ring);
            if let Some((before, room)) = self.free.range(..start).next_back()
                && before + room == start
            {
                (start, length) = (*before, length + room);
            }
            if let Some(room) = self.free.remove(&(start + length)) {
                length += room;
            }
            self.put(start, length);
        }
    }

    fn put(&mut self, start: u32, length: u32) {
        if length > 0 {
            self.free.insert(start, length);
        }
    }
}

/// The entries of the array that a ring takes: the first, and how many.
pub(super) fn region(ring: RingSpan) -> (u32, u32) {
    match ring.size {
        RingSpan::SINGLE => (0, 0),
        size => (ring.first / SLOTS, size.div_ceil(SLOTS)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const NOTHING: u32 = 0;

    fn free(regions: &Regions) -> u32 {
        regions.free.values().sum()
    }

    #[test]
    fn what_is_given_back_is_given_away_again_only_once_it_is_settled() {
        let mut regions = Regions::new(64);
        let first = regions.take(61).unwrap();

        regions.give_back(first);

        assert_eq!(regions.take(61), None);
        regions.settle();
        assert_eq!(regions.take(61), Some(first));
    }

    #[test]
    fn what_an_earlier_agent_used_is_not_given_away() {
        let mut regions = Regions::new(512);
        let used = RingSpan {
            first: 128,
            size: 127,
        };

        assert!(regions.claim(used));
        assert!(!regions.claim(used));
        assert!(!regions.claim(RingSpan {
            first: 480,
            size: 61
        }));
        assert!(!regions.claim(RingSpan {
            first: 33,
            size: 61
        }));
        assert!(regions.claim(RingSpan {
            first: 7,
            size: NOTHING
        }));

        assert_eq!(
            regions.take(251),
            Some(RingSpan {
                first: 256,
                size: 251
            })
        );
        assert_eq!(
            regions.take(127),
            Some(RingSpan {
                first: 0,
                size: 127
            })
        );
        assert_eq!(regions.take(61), None);
    }

    proptest! {
        #[test]
        fn regions_never_overlap_and_nothing_is_lost(
            steps in prop::collection::vec((any::<bool>(), 0_usize..8, 1_u32..700), 1..200),
        ) {
            let mut regions = Regions::new(8192);
            let mut held: Vec<RingSpan> = Vec::new();
            for (takes, which, size) in steps {
                if takes {
                    held.extend(regions.take(size));
                } else if !held.is_empty() {
                    regions.give_back(held.swap_remove(which % held.len()));
                    regions.settle();
                }
                let entries: Vec<u32> = held
                    .iter()
                    .flat_map(|ring| { let (start, length) = region(*ring); start..start + length })
                    .collect();
                let distinct: BTreeSet<u32> = entries.iter().copied().collect();
                prop_assert_eq!(distinct.len(), entries.len());
                prop_assert_eq!(free(&regions) + entries.len() as u32, 8192 / SLOTS);
            }
            for ring in held {
                regions.give_back(ring);
            }
            regions.settle();
            prop_assert_eq!(regions.free, BTreeMap::from([(0, 8192 / SLOTS)]));
        }
    }
}
