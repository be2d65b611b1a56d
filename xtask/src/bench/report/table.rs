//! The figures as a table: a row for each case and metric, a column for each subject.

use std::collections::BTreeSet;

use comfy_table::{CellAlignment, Table, presets};

use super::short;
use crate::bench::{Name, statistics::Series, suite::Results};

/// Median with spread in each cell, and below it the ratios of the medians to host's and to kernel's.
pub(crate) fn table(results: &Results) -> String {
    let names: BTreeSet<Name> = results
        .series
        .values()
        .flat_map(|subjects| subjects.keys().copied())
        .collect();
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    let mut header = vec!["case".to_owned(), "metric".to_owned()];
    header.extend(names.iter().map(Name::to_string));
    table.set_header(header);
    for ((case, metric), subjects) in &results.series {
        let cell = |name: &Name| {
            let Some(series) = subjects.get(name) else {
                return String::new();
            };
            let ratios = [Name::Host, Name::Kernel]
                .into_iter()
                .filter(|yardstick| yardstick < name);
            let ratios: Vec<String> = ratios
                .filter_map(|yardstick| {
                    Some(format!(
                        "{:.2} of {yardstick}",
                        ratio(series, subjects.get(&yardstick)?)?
                    ))
                })
                .collect();
            let lines = [middle_and_spread(series), ratios.join(", ")];
            lines.join("\n").trim_end().to_owned()
        };
        let mut row = vec![case.to_string(), metric.name().to_owned()];
        row.extend(names.iter().map(cell));
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let legend = "median (least–greatest) of the runs; below, the ratio of the medians";
    format!("{table}\n{legend}")
}

/// Ratio of the medians.
pub(crate) fn ratio(series: &Series, yardstick: &Series) -> Option<f64> {
    let below = yardstick.median()?;
    (below > 0.0).then_some(series.median()? / below)
}

fn middle_and_spread(series: &Series) -> String {
    match (series.median(), series.spread()) {
        (Some(median), Some((least, greatest))) => {
            format!("{} ({}–{})", short(median), short(least), short(greatest))
        }
        (None, _) | (_, None) => String::new(),
    }
}
