//! The figures as JSON.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::bench::{statistics::Series, suite::Results};

/// One figure: the median over its runs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Record {
    /// Name of the case.
    pub(crate) case: String,
    /// Name of the subject.
    pub(crate) subject: String,
    /// What it says.
    pub(crate) metric: String,
    /// The median.
    pub(crate) value: f64,
    /// Unit of the value and of the runs.
    pub(crate) unit: String,
    /// The value of each run, in their order.
    pub(crate) runs: Vec<f64>,
}

impl Record {
    /// The median of `series`; nothing if that is empty.
    pub(crate) fn new(
        case: &str,
        subject: &str,
        metric: &str,
        unit: &str,
        series: &Series,
    ) -> Option<Self> {
        Some(Self {
            case: case.to_owned(),
            subject: subject.to_owned(),
            metric: metric.to_owned(),
            value: series.median()?,
            unit: unit.to_owned(),
            runs: series.values().to_vec(),
        })
    }
}

/// All figures of a suite, by case, metric and subject.
pub(crate) fn records(results: &Results) -> Vec<Record> {
    let mut records = Vec::new();
    for ((case, metric), subjects) in &results.series {
        for (subject, series) in subjects {
            let (case, subject) = (case.to_string(), subject.to_string());
            records.extend(Record::new(
                &case,
                &subject,
                metric.name(),
                metric.unit(),
                series,
            ));
        }
    }
    records
}

/// Writes `records` as a JSON list.
pub(crate) fn write_json(path: &Path, records: &[Record]) -> Result<()> {
    let text = serde_json::to_string_pretty(records).context("writing the figures as JSON")?;
    fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))?;
    println!("figures written to {}", path.display());
    Ok(())
}
