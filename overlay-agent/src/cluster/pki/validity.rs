//! From when until when a certificate counts.

use std::fmt;

use x509_parser::time::ASN1Time;

/// Both ends are included; seconds since 1970.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    /// The first second.
    pub not_before: u64,
    /// The last second.
    pub not_after: u64,
}

/// A certificate does not count now.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ClockError {
    /// Its time is still to come.
    #[error(
        "the certificate is valid from {} on, and here it is {}: one of the two clocks is wrong; set \
         it (an NTP client keeps it right)", Moment(*.not_before), Moment(*.now)
    )]
    NotYetValid {
        /// Its first second, by the clock of the manager that signed it (less one hour).
        not_before: u64,
        /// The clock here.
        now: u64,
    },
    /// Its time is over.
    #[error(
        "the certificate was valid until {}, and here it is {}: if this clock is right, take the node \
         out with `overlay swarm leave --force` and join again; if it is wrong, set it", 
        Moment(*.not_after), Moment(*.now)
    )]
    Expired {
        /// Its last second, by the clock of the manager that signed it.
        not_after: u64,
        /// The clock here.
        now: u64,
    },
}

impl Validity {
    /// Whether the certificate counts.
    ///
    /// # Errors
    /// It does not; both clocks are named.
    pub fn check(self, now: u64) -> Result<(), ClockError> {
        let Self {
            not_before,
            not_after,
        } = self;
        if now < not_before {
            Err(ClockError::NotYetValid { not_before, now })
        } else if now > not_after {
            Err(ClockError::Expired { not_after, now })
        } else {
            Ok(())
        }
    }
}

/// When to renew a certificate, in seconds since 1970: after 50 % to 80 % of its time. `random` picks the
/// point, so that nodes which joined together do not all come at once.
pub fn renewal_due(validity: Validity, random: u32) -> u64 {
    let span = u128::from(validity.not_after.saturating_sub(validity.not_before));
    let spread = span * 3 / 10 * u128::from(random) / u128::from(u32::MAX);
    let wait = u64::try_from(span / 2 + spread).unwrap_or(u64::MAX);
    validity.not_before.saturating_add(wait)
}

/// Seconds since 1970 as a date.
struct Moment(u64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0).unwrap_or(i64::MAX);
        match ASN1Time::from_timestamp(seconds) {
            Ok(time) => time.fmt(f),
            Err(_beyond_the_calendar) => write!(f, "{seconds} seconds after 1970"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const YEAR: Validity = Validity {
        not_before: 1_000,
        not_after: 2_000,
    };

    #[test]
    fn both_ends_count() {
        assert_eq!(YEAR.check(1_000), Ok(()));
        assert_eq!(YEAR.check(2_000), Ok(()));
        assert!(matches!(
            YEAR.check(999),
            Err(ClockError::NotYetValid { .. })
        ));
        assert!(matches!(YEAR.check(2_001), Err(ClockError::Expired { .. })));
    }

    #[test]
    fn an_error_names_both_clocks() {
        let error = Validity {
            not_before: 86_400,
            not_after: 172_800,
        };
        let shown = error.check(10).unwrap_err().to_string();

        assert!(shown.contains("Jan  2"), "{shown}");
        assert!(shown.contains("Jan  1"), "{shown}");
    }

    #[test]
    fn renewals_are_spread_from_50_to_80_percent() {
        assert_eq!(renewal_due(YEAR, 0), 1_500);
        assert_eq!(renewal_due(YEAR, u32::MAX), 1_800);
    }

    proptest! {
        #[test]
        fn renewals_are_never_too_late(not_before: u64, span: u64, random: u32) {
            let not_after = not_before.saturating_add(span);
            let due = renewal_due(Validity { not_before, not_after }, random);

            prop_assert!((not_before..=not_after).contains(&due));
        }
    }
}
