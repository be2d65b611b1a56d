//! Points in time as RFC 3339 writes them, in UTC.

const SECONDS_A_DAY: u64 = 86_400;
/// Days of 400 years of the Gregorian calendar.
const ERA: u64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: u64 = 719_468;

/// `2025-11-22T15:00:00Z` for seconds since 1970.
pub(super) fn seconds(unix_s: u64) -> String {
    format!("{}Z", without_zone(unix_s))
}

/// `2025-11-22T15:00:00.000000007Z` for nanoseconds since 1970.
pub(super) fn nanoseconds(unix_ns: u64) -> String {
    let (seconds, rest) = (unix_ns / 1_000_000_000, unix_ns % 1_000_000_000);
    format!("{}.{rest:09}Z", without_zone(seconds))
}

fn without_zone(unix_s: u64) -> String {
    let (year, month, day) = date(unix_s / SECONDS_A_DAY);
    let second = unix_s % SECONDS_A_DAY;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day. Years are counted from March, so that a leap day is a year's last; months
/// then have lengths of a period of five: 31, 30, 31, 30, 31.
fn date(days_since_1970: u64) -> (u64, u64, u64) {
    let days = days_since_1970 + EPOCH;
    let (era, day_of_era) = (days / ERA, days % ERA);
    let leap_days = day_of_era / 1_460 + day_of_era / (ERA - 1);
    let year_of_era = (day_of_era + day_of_era / 36_524 - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, later) = if month_from_march < 10 {
        (month_from_march + 3, 0)
    } else {
        (month_from_march - 9, 1)
    };
    (era * 400 + year_of_era + later, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        for (unix_s, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_763_823_600, "2025-11-22T15:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(seconds(unix_s), text);
        }
        assert_eq!(nanoseconds(1_000_000_007), "1970-01-01T00:00:01.000000007Z");
    }

    #[test]
    fn days_follow_each_other() {
        let is_leap =
            |y: u64| y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
        let length = |y, m| match m {
            2 if is_leap(y) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let mut expected = (1970, 1, 1);
        for day in 0..200_000 {
            assert_eq!(date(day), expected);
            let (y, m, d) = expected;
            expected = if d < length(y, m) {
                (y, m, d + 1)
            } else if m < 12 {
                (y, m + 1, 1)
            } else {
                (y + 1, 1, 1)
            };
        }
    }
}
