//! How long to wait before the next try.

use std::{fmt, sync::Arc, time::Duration};

/// Pauses that double.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The longest first pause.
    pub first: Duration,
    /// No pause is longer.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(200),
            longest: Duration::from_secs(10),
        }
    }
}

impl Backoff {
    /// The pause after `failures` failures, the first of which is number 0. `random` picks a point between
    /// half of it and all of it, so that nodes which lost a manager together do not come back together.
    pub fn pause(self, failures: u32, random: u32) -> Duration {
        let doubled = self.first.saturating_mul(1 << failures.min(16));
        let whole = doubled.min(self.longest);
        let half = whole / 2;
        half + Duration::from_secs_f64(half.as_secs_f64() * f64::from(random) / f64::from(u32::MAX))
    }
}

/// A source of random numbers.
#[derive(Clone)]
pub struct Jitter(Arc<dyn Fn() -> u32 + Send + Sync>);

impl Jitter {
    /// From a function, which in a running agent asks the system.
    pub fn new(random: impl Fn() -> u32 + Send + Sync + 'static) -> Self {
        Self(Arc::new(random))
    }

    pub(super) fn next(&self) -> u32 {
        (self.0)()
    }
}

impl fmt::Debug for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jitter")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses = [0, 1, 2, 5, 6, 60]
            .map(|failures| Backoff::default().pause(failures, u32::MAX).as_millis());

        assert_eq!(pauses, [200, 400, 800, 6_400, 10_000, 10_000]);
    }

    proptest! {
        #[test]
        fn half_of_a_pause_is_random(failures: u32, random: u32) {
            let whole = Backoff::default().pause(failures, u32::MAX);
            let pause = Backoff::default().pause(failures, random);

            prop_assert!(whole / 2 <= pause && pause <= whole);
        }
    }
}
