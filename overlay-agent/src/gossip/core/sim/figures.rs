//! What was measured, as lines of a table.

use std::{io::Write, time::Duration};

/// The least of these that so many per cent do not exceed.
pub(crate) fn percentile(times: &mut [Duration], per_cent: usize) -> Duration {
    times.sort_unstable();
    let place = (times.len() * per_cent).div_ceil(100).max(1);
    times.get(place - 1).copied().unwrap_or_default()
}

/// Prints one line.
pub(crate) fn print_row(what: &str, figures: &[(&str, String)]) {
    let figures: Vec<String> = figures
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let line = format!("| {what:<44} | {}\n", figures.join(" | "));
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// `sum` shared by `parts`, rounded down, with two digits after the point where it is small.
pub(crate) fn each(sum: u64, parts: usize) -> String {
    let hundredths = sum * 100 / (parts.max(1) as u64);
    if hundredths < 10_000 {
        format!("{}.{:02}", hundredths / 100, hundredths % 100)
    } else {
        (hundredths / 100).to_string()
    }
}
