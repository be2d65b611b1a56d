//! Figures that are printed as they come.

use super::{Record, short};
use crate::bench::statistics::Series;

/// The figures so far.
#[derive(Default)]
pub(crate) struct Figures {
    records: Vec<Record>,
}

impl Figures {
    /// Enters one value.
    pub(crate) fn one(&mut self, case: &str, metric: &str, unit: &str, value: f64) {
        self.many(case, metric, unit, &[value].into_iter().collect());
    }

    /// Enters the median of a series.
    pub(crate) fn many(&mut self, case: &str, metric: &str, unit: &str, series: &Series) {
        self.enter(Record::new(case, "overlay", metric, unit, series));
    }

    /// Enters one value of the kernel's own means.
    pub(crate) fn kernel(&mut self, case: &str, metric: &str, value: f64) {
        let series = [value].into_iter().collect();
        self.enter(Record::new(case, "kernel", metric, "", &series));
    }

    /// Enters the median of a series of any subject.
    pub(crate) fn of(
        &mut self,
        subject: &str,
        case: &str,
        metric: &str,
        unit: &str,
        series: &Series,
    ) {
        self.enter(Record::new(case, subject, metric, unit, series));
    }

    /// All that was entered.
    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    fn enter(&mut self, record: Option<Record>) {
        if let Some(record) = record {
            println!(
                "  {:<16} {:<12} {:<22} {:>12} {}",
                record.case,
                record.subject,
                record.metric,
                short(record.value),
                record.unit
            );
            self.records.push(record);
        }
    }
}
