//! Round-trip times and their percentiles.

use std::time::Duration;

/// Every round trip of one run, exactly.
#[derive(Debug, Default)]
pub(super) struct Latencies {
    nanoseconds: Vec<u32>,
}

impl Latencies {
    /// Enters one round trip; one of more than four seconds counts as four.
    pub(super) fn add(&mut self, round_trip: Duration) {
        self.nanoseconds
            .push(u32::try_from(round_trip.as_nanos()).unwrap_or(u32::MAX));
    }

    /// Takes over all of `other`.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.nanoseconds.extend_from_slice(&other.nanoseconds);
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.nanoseconds.len()
    }

    /// The times, in microseconds, below which each of `shares` (thousandths) of all lie.
    pub(super) fn percentiles_us<const N: usize>(mut self, shares: [usize; N]) -> Option<[f64; N]> {
        self.nanoseconds.sort_unstable();
        let last = self.nanoseconds.len().checked_sub(1)?;
        Some(shares.map(|share| f64::from(self.nanoseconds[last * share / 1000]) / 1e3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_times() {
        let mut latencies = Latencies::default();
        for microseconds in (1..=101).rev() {
            latencies.add(Duration::from_micros(microseconds));
        }

        assert_eq!(latencies.percentiles_us([500, 990]), Some([51.0, 100.0]));
    }

    #[test]
    fn nothing_has_no_percentiles() {
        assert_eq!(Latencies::default().percentiles_us([500]), None);
    }
}
