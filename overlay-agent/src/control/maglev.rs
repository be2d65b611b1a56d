//! Which slot of a ring stands for which backend: Maglev hashing (Eisenbud et al., "Maglev: A Fast and
//! Reliable Software Network Load Balancer", NSDI 2016, 3.4).
//!
//! Every backend has a permutation of all slots that follows from its identity alone. In turns each
//! takes the first slot of its permutation that is still free. So all have the same number of slots, give
//! or take one, whoever computes it gets the same, and where one leaves most of the others' slots stay.

/// Sizes of rings: the greatest primes below powers of two, so that a ring wastes little of the room
/// that is given away in such pieces. A prime, so that any step visits every slot.
const SIZES: [u32; 11] = [
    61, 127, 251, 509, 1021, 2039, 4093, 8191, 16_381, 32_749, 65_521,
];

/// Slots for each backend at least, for a spread within one per cent.
const SHARE: u32 = 100;

/// What takes part in a ring.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(super) struct Member {
    /// What its permutation follows from; the same on every node.
    pub(super) seed: u64,
    /// What its slots hold; this node's own.
    pub(super) number: u32,
}

/// The slots that this many backends should have: none if there are none.
pub(super) fn size_for(backends: usize) -> u32 {
    if backends == 0 {
        return 0;
    }
    let wanted = u32::try_from(backends)
        .unwrap_or(u32::MAX)
        .saturating_mul(SHARE);
    let fitting = SIZES.into_iter().find(|size| *size >= wanted);
    fitting.unwrap_or(SIZES[SIZES.len() - 1])
}

/// The next smaller size that still has a slot for each of them.
pub(super) fn smaller(size: u32, backends: usize) -> Option<u32> {
    let mut below = SIZES.into_iter().rev().filter(|other| *other < size);
    below.next().filter(|size| *size as usize >= backends)
}

/// The numbers in the slots of a ring of this size, which is one of [`size_for`]'s or [`smaller`]'s.
/// Members beyond the slots get none.
pub(super) fn fill(members: &[Member], size: u32) -> Vec<u32> {
    let mut slots = vec![0; size as usize];
    // In the order of seeds, because numbers differ from node to node.
    let mut members = members.to_vec();
    members.sort_unstable();
    members.truncate(slots.len());
    let mut turns: Vec<Turn> = members
        .iter()
        .map(|member| Turn::new(member.seed, size))
        .collect();
    let mut left = if members.is_empty() { 0 } else { slots.len() };
    while left > 0 {
        for (member, turn) in members.iter().zip(&mut turns).take(left) {
            let free = turn.next_free(&slots);
            slots[free] = member.number;
            left -= 1;
        }
    }
    slots
}

/// Where a backend is in its permutation.
struct Turn {
    next: u32,
    step: u32,
    size: u32,
}

impl Turn {
    fn new(seed: u64, size: u32) -> Self {
        let (offset, step) = (mixed(seed), mixed(!seed));
        Self {
            next: (offset % u64::from(size)) as u32,
            step: (step % u64::from(size - 1)) as u32 + 1,
            size,
        }
    }

    /// The first free slot from here on. There is one, and the permutation comes by.
    fn next_free(&mut self, slots: &[u32]) -> usize {
        loop {
            let slot = self.next as usize;
            self.next += self.step;
            if self.next >= self.size {
                self.next -= self.size;
            }
            if slots[slot] == 0 {
                return slot;
            }
        }
    }
}

/// Spreads a number over all bits (the finalizer of splitmix64).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn members(count: u32) -> Vec<Member> {
        let member = |number: u32| Member {
            seed: mixed(u64::from(number)),
            number,
        };
        (1..=count).map(member).collect()
    }

    fn shares(slots: &[u32]) -> BTreeMap<u32, usize> {
        let mut shares = BTreeMap::new();
        for number in slots {
            *shares.entry(*number).or_default() += 1;
        }
        shares
    }

    #[test]
    fn sizes_are_primes_with_a_hundred_slots_for_each() {
        for size in SIZES {
            assert!(
                (2..size)
                    .take_while(|d| d * d <= size)
                    .all(|d| size % d != 0),
                "{size}"
            );
        }
        let sizes = [0, 1, 2, 5, 10, 100, 655, 1000].map(size_for);

        assert_eq!(sizes, [0, 127, 251, 509, 1021, 16_381, 65_521, 65_521]);
        assert_eq!(smaller(1021, 10), Some(509));
        assert_eq!(smaller(127, 62), None);
        assert_eq!(smaller(61, 1), None);
    }

    #[test]
    fn all_have_the_same_number_of_slots_give_or_take_one() {
        for count in [1, 2, 5, 10, 100] {
            let slots = fill(&members(count), size_for(count as usize));

            let shares = shares(&slots);
            let least = shares.values().min().unwrap();
            let most = shares.values().max().unwrap();
            assert_eq!(shares.len(), count as usize);
            assert!(most - least <= 1, "{count}: {least} to {most}");
        }
    }

    #[test]
    fn where_one_of_a_hundred_leaves_few_slots_of_the_others_move() {
        let all = members(100);
        let size = size_for(100);
        let before = fill(&all, size);

        for gone in [1, 50, 100] {
            let rest: Vec<_> = all
                .iter()
                .copied()
                .filter(|member| member.number != gone)
                .collect();
            assert_eq!(size_for(rest.len()), size);
            let after = fill(&rest, size);

            let others = before
                .iter()
                .zip(&after)
                .filter(|(number, _)| **number != gone);
            let moved = others.clone().filter(|(was, is)| was != is).count();
            let all = others.count();
            assert!(
                moved * 100 <= 3 * all,
                "{moved} of {all} moved without {gone}"
            );
        }
    }

    #[test]
    fn every_node_fills_a_ring_alike_whatever_numbers_it_gives() {
        let here = members(7);
        let there: Vec<Member> = here
            .iter()
            .rev()
            .map(|member| Member {
                number: member.number + 1000,
                ..*member
            })
            .collect();

        let ours = fill(&here, 1021);
        let theirs = fill(&there, 1021);

        assert!(
            ours.iter()
                .zip(&theirs)
                .all(|(our, their)| our + 1000 == *their)
        );
    }

    proptest! {
        #[test]
        fn a_ring_has_no_empty_slot_and_nobody_else_in_it(
            seeds in prop::collection::btree_set(any::<u64>(), 1..80),
            smaller in any::<bool>(),
        ) {
            let count = seeds.len();
            let members: Vec<Member> = seeds
                .into_iter()
                .zip(1..)
                .map(|(seed, number)| Member { seed, number })
                .collect();
            let usual = size_for(count);
            let size = if smaller { super::smaller(usual, count).unwrap_or(usual) } else { usual };

            let slots = fill(&members, size);

            let present: BTreeSet<u32> = slots.iter().copied().collect();
            let wanted: BTreeSet<u32> = members.iter().map(|member| member.number).collect();
            prop_assert_eq!(slots.len(), size as usize);
            prop_assert_eq!(present, wanted);
            let shares = shares(&slots);
            prop_assert!(shares.values().max().unwrap() - shares.values().min().unwrap() <= 1);
        }
    }

    #[test]
    fn a_ring_of_nobody_is_empty() {
        assert_eq!(fill(&[], 0), Vec::<u32>::new());
        assert_eq!(fill(&[], 61), vec![0; 61]);
    }
}
