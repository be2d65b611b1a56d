//! What the doctor says.

use crate::api::types::{Check, CheckVerdict};

/// A line for each check, its remedy below it, and a summary.
pub(in crate::cli) fn checks(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.name.chars().count()).max();
    let width = width.unwrap_or_default();
    let mut lines = Vec::new();
    for check in checks {
        let (mark, name, detail) = (mark(check.verdict), &check.name, &check.detail);
        lines.push(format!("{mark} {name:<width$}  {detail}"));
        if let Some(remedy) = &check.remedy {
            lines.push(format!("  {:<width$}  → {remedy}", ""));
        }
    }
    let count = |verdict| {
        checks
            .iter()
            .filter(|check| check.verdict == verdict)
            .count()
    };
    let (ok, warn) = (count(CheckVerdict::Ok), count(CheckVerdict::Warn));
    let fail = count(CheckVerdict::Fail);
    lines.push(format!("\n{ok} ok, {warn} to know, {fail} to repair\n"));
    lines.join("\n")
}

fn mark(verdict: CheckVerdict) -> &'static str {
    match verdict {
        CheckVerdict::Ok => "✓",
        CheckVerdict::Warn => "!",
        CheckVerdict::Fail => "✗",
    }
}
