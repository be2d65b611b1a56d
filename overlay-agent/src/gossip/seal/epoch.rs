//! Which run of a node sent something.

/// Random bits of an epoch; the rest is the start of the run.
const RANDOM_BITS: u32 = 80;
const LATEST: u64 = (1 << (u128::BITS - RANDOM_BITS)) - 1;

/// One run of a node: 48 bits of milliseconds since 1970 at its start, then 80 random bits. A later
/// run has a greater one as long as the clock goes forward, and no two runs have the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(crate) struct Epoch(u128);

impl Epoch {
    /// The run that starts now.
    pub(crate) fn starting(unix_ms: u64, random: u128) -> Self {
        let random = random & ((1 << RANDOM_BITS) - 1);
        Self(u128::from(unix_ms.min(LATEST)) << RANDOM_BITS | random)
    }

    /// This run under a number above another's: for a node whose clock went backwards. The same
    /// random bits keep it apart from every other run.
    pub(super) fn above(self, other: Self) -> Self {
        Self::starting(((other.0 >> RANDOM_BITS) as u64).saturating_add(1), self.0)
    }

    pub(super) fn bits(self) -> u128 {
        self.0
    }

    pub(super) fn from_bits(bits: u128) -> Self {
        Self(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_start_is_greater_whatever_the_random_bits() {
        assert!(Epoch::starting(5, u128::MAX) < Epoch::starting(6, 0));
    }

    #[test]
    fn a_run_can_step_over_another() {
        let ahead = Epoch::starting(9_000, u128::MAX);
        let behind = Epoch::starting(1_000, 77);

        assert!(behind.above(ahead) > ahead);
        assert_ne!(behind.above(ahead), Epoch::starting(1_000, 78).above(ahead));
    }

    #[test]
    fn a_clock_beyond_the_field_stays_in_it() {
        let last = Epoch::starting(u64::MAX, 3);

        assert_eq!(last.above(last), last);
        assert!(last > Epoch::starting(LATEST - 1, u128::MAX));
    }
}
