//! Durations and sizes as people read them.

/// `1h 2m 5s`; leading zeroes are left out.
pub(super) fn duration(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    let parts = [(days, "d"), (hours, "h"), (minutes, "m"), (rest, "s")];
    let shown = parts.iter().skip_while(|(number, _)| *number == 0);
    let texts: Vec<String> = shown
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect();
    if texts.is_empty() {
        "0s".to_owned()
    } else {
        texts.join(" ")
    }
}

/// Binary multiples with one decimal: `7.0 MiB`.
pub(super) fn memory(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = bytes.saturating_mul(10) / 1024;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1024;
        unit = next;
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_begin_with_the_largest_unit() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m 0s"),
            (3725, "1h 2m 5s"),
            (86_400, "1d 0h 0m 0s"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn sizes_have_one_decimal() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (7_340_032, "7.0 MiB"),
            (1_610_612_736, "1.5 GiB"),
            (u64::MAX, "1638.3 PiB"),
        ] {
            assert_eq!(memory(bytes), text);
        }
    }
}
