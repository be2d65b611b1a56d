//! What came out: a table for people, records for programs, a plot for both.

mod figures;
mod plot;
mod record;
mod table;

pub(crate) use self::{
    figures::Figures,
    plot::write_plot,
    record::{Record, records, write_json},
    table::table,
};
/// Says how many runs of a comparison were made without an idle machine.
pub(crate) fn warn_of_busy_runs(runs: u32) {
    if runs > 0 {
        println!(
            "{runs} runs were made although the machine had not been idle for a second just before: their figures, \
             latencies above all, mean little."
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
