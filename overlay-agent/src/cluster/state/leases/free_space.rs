//! Addresses of one family that are nobody's, as aligned blocks: the buddy scheme. Every operation
//! costs the logarithm of what there is, however large a subnet is.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Aligned blocks that do not touch each other's buddies.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct FreeSpace {
    /// By binary logarithm of the size, then by first address.
    blocks: BTreeSet<(u8, u128)>,
    /// How many addresses they have together.
    count: u128,
}

impl FreeSpace {
    /// How many addresses are free.
    pub(super) fn count(&self) -> u128 {
        self.count
    }

    /// Adds a block of 2^`exponent` addresses that is not in it, and joins it with its buddies.
    pub(super) fn add(&mut self, mut exponent: u8, mut start: u128) {
        self.count = self.count.saturating_add(1 << exponent);
        while exponent < 127 && self.blocks.remove(&(exponent, start ^ (1 << exponent))) {
            start &= !(1 << exponent);
            exponent += 1;
        }
        self.blocks.insert((exponent, start));
    }

    /// Takes the lowest block of 2^`wanted` addresses out of the smallest that has it; where there is
    /// none, the lowest of the largest that there are. Returns its exponent and first address.
    pub(super) fn take(&mut self, wanted: u8) -> Option<(u8, u128)> {
        let enough = self.blocks.range((wanted, 0)..).next().copied();
        let (mut exponent, start) = enough.or_else(|| self.lowest_of_the_largest())?;
        self.blocks.remove(&(exponent, start));
        while exponent > wanted {
            exponent -= 1;
            self.blocks.insert((exponent, start + (1 << exponent)));
        }
        self.count -= 1 << exponent;
        Some((exponent, start))
    }

    /// Takes one address out. Whether it was in.
    pub(super) fn carve(&mut self, address: u128) -> bool {
        let holds = |exponent: &u8| {
            let start = address & !((1 << exponent) - 1);
            self.blocks.contains(&(*exponent, start))
        };
        let Some(mut exponent) = (0..128).find(holds) else {
            return false;
        };
        let mut start = address & !((1 << exponent) - 1);
        self.blocks.remove(&(exponent, start));
        while exponent > 0 {
            exponent -= 1;
            let upper = start + (1 << exponent);
            if address < upper {
                self.blocks.insert((exponent, upper));
            } else {
                self.blocks.insert((exponent, start));
                start = upper;
            }
        }
        self.count -= 1;
        true
    }

    fn lowest_of_the_largest(&self) -> Option<(u8, u128)> {
        let (largest, _) = self.blocks.last()?;
        self.blocks.range((*largest, 0)..).next().copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_smallest_block_that_suffices_is_split() {
        let mut free = FreeSpace::default();
        free.add(8, 0);
        assert!(free.carve(0));

        assert_eq!(free.take(2), Some((2, 4)));
        assert_eq!(free.take(2), Some((2, 8)));
        assert_eq!(free.take(0), Some((0, 1)));
        assert_eq!(free.take(7), Some((7, 128)));
        assert_eq!(free.count(), 256 - 1 - 4 - 4 - 1 - 128);
    }

    #[test]
    fn where_no_block_suffices_the_largest_is_given() {
        let mut free = FreeSpace::default();
        free.add(1, 2);
        free.add(1, 8);
        free.add(0, 5);

        assert_eq!(free.take(6), Some((1, 2)));
        assert_eq!(free.take(6), Some((1, 8)));
        assert_eq!(free.take(6), Some((0, 5)));
        assert_eq!(free.take(6), None);
    }

    #[test]
    fn an_address_is_carved_out_once() {
        let mut free = FreeSpace::default();
        let first = 0xfd << 120;
        free.add(64, first);

        assert!(free.carve(first + 77));
        assert!(!free.carve(first + 77));
        assert!(!free.carve(5));
        free.add(0, first + 77);
        assert_eq!(free.take(64), Some((64, first)));
    }

    proptest! {
        /// Compared with a plain set of addresses.
        #[test]
        fn nothing_is_lost_or_given_twice(steps in prop::collection::vec((0..3_u8, 0..7_u8, 0..256_u128), 1..200)) {
            let mut free = FreeSpace::default();
            free.add(8, 0);
            let mut plain: BTreeSet<u128> = (0..256).collect();
            let mut taken: Vec<(u8, u128)> = Vec::new();
            for (what, exponent, address) in steps {
                match what {
                    0 => {
                        let given = free.take(exponent);
                        prop_assert_eq!(given.is_none(), plain.is_empty());
                        if let Some((exponent, start)) = given {
                            for address in start..start + (1 << exponent) {
                                prop_assert!(plain.remove(&address));
                            }
                            taken.push((exponent, start));
                        }
                    }
                    1 => {
                        let was_in = plain.remove(&address);
                        prop_assert_eq!(free.carve(address), was_in);
                        if was_in {
                            taken.push((0, address));
                        }
                    }
                    _ => {
                        if let Some((exponent, start)) = taken.pop() {
                            free.add(exponent, start);
                            plain.extend(start..start + (1 << exponent));
                        }
                    }
                }
                prop_assert_eq!(free.count(), plain.len() as u128);
            }
            for (exponent, start) in taken {
                free.add(exponent, start);
            }
            prop_assert_eq!(free.take(8), Some((8, 0)));
        }
    }
}
