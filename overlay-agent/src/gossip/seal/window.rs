//! Which counters of a sender have been seen (RFC 6479).

const WORDS: usize = 33;
const BITS: u64 = u64::BITS as u64;

/// Counters this far behind the highest are still told apart.
pub(super) const WINDOW: u64 = (WORDS as u64 - 1) * BITS;

/// The counters seen so far. The first counter is 1.
#[derive(Clone, Debug)]
pub(super) struct Window {
    highest: u64,
    seen: [u64; WORDS],
}

impl Window {
    /// Takes everything up to `floor` for seen.
    pub(super) fn above(floor: u64) -> Self {
        Self {
            highest: floor,
            seen: [u64::MAX; WORDS],
        }
        .with_room_above(floor)
    }

    /// Whether this counter would be taken.
    pub(super) fn is_new(&self, counter: u64) -> bool {
        if counter > self.highest {
            return true;
        }
        counter != 0
            && self.highest - counter < WINDOW
            && self.seen[word(counter)] & bit(counter) == 0
    }

    /// Takes a counter that [`is_new`](Self::is_new) and whose message was authentic.
    pub(super) fn take(&mut self, counter: u64) {
        if counter > self.highest {
            let from = self.highest / BITS;
            let words = (counter / BITS - from).min(WORDS as u64);
            for step in 1..=words {
                self.seen[((from + step) % WORDS as u64) as usize] = 0;
            }
            self.highest = counter;
        }
        self.seen[word(counter)] |= bit(counter);
    }

    /// The bits above the floor in its own word belong to counters that are still to come.
    fn with_room_above(mut self, floor: u64) -> Self {
        self.seen[word(floor)] = (bit(floor) - 1) | bit(floor);
        self
    }
}

fn word(counter: u64) -> usize {
    (counter / BITS % WORDS as u64) as usize
}

fn bit(counter: u64) -> u64 {
    1 << (counter % BITS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_counter_is_taken_once_in_any_order() {
        let mut window = Window::above(0);

        for counter in [1, 3, 2, 1000, 64, 63, 65, 999, 2100, 2101, 5000, 4999] {
            assert!(window.is_new(counter), "{counter}");
            window.take(counter);
            assert!(!window.is_new(counter), "{counter}");
        }
    }

    #[test]
    fn what_is_too_old_is_not_new() {
        let mut window = Window::above(0);
        window.take(10_000);

        assert!(!window.is_new(0));
        assert!(!window.is_new(10_000 - WINDOW));
        assert!(window.is_new(10_000 - WINDOW + 1));
    }

    #[test]
    fn nothing_up_to_the_floor_is_new() {
        let window = Window::above(100);

        assert!((0..=100).all(|counter| !window.is_new(counter)));
        assert!((101..5000).all(|counter| window.is_new(counter)));
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_set(
            floor in 0u64..300,
            steps in prop::collection::vec((0u64..6000, prop::bool::ANY), 1..400),
        ) {
            let mut window = Window::above(floor);
            let mut seen: BTreeSet<u64> = (0..=floor).collect();
            let mut highest = floor;
            for (value, near) in steps {
                let counter = if near { (highest + 40).saturating_sub(value % 80) } else { value };
                let new = !seen.contains(&counter) && counter + WINDOW > highest;
                prop_assert_eq!(window.is_new(counter), new, "{} at {}", counter, highest);
                if new {
                    window.take(counter);
                    seen.insert(counter);
                    highest = highest.max(counter);
                }
            }
        }
    }
}
