//! What an audit found.

use super::table;
use crate::api::types::AuditReport;

/// Repairs, and how much was looked at.
pub(in crate::cli) fn audit(report: &AuditReport) -> String {
    let AuditReport {
        checked,
        repaired,
        duration_ms,
    } = report;
    let summary = format!(
        "{checked} checked, {} repaired in {duration_ms} ms\n",
        repaired.len()
    );
    if repaired.is_empty() {
        return summary;
    }
    let rows = repaired.iter().map(|repair| {
        vec![
            repair.kind.clone(),
            repair.object.clone(),
            repair.action.clone(),
        ]
    });
    format!("{}\n{summary}", table(["KIND", "OBJECT", "ACTION"], rows))
}
