//! What came out: a table for people, records for programs, a plot for both.

mod plot;
mod record;
mod table;

pub(crate) use self::{
    plot::write_plot,
    record::{Record, records, write_json},
    table::table,
};
use super::suite::Results;

/// Says so when the machine did not let the runs alone.
pub(crate) fn warn_of_busy_runs(results: &Results) {
    if results.busy_runs > 0 {
        println!(
            "{} runs were taken on a busy machine: it was not idle for a second before them. Their \
             figures, latencies above all, mean little.",
            results.busy_runs
        );
    }
}

/// `value` with three digits that count.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    if size >= 100.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 1.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}
