//! Thousands of services: how long they take to be programmed, and what they take of a host.

use std::time::Instant;

use anyhow::Result;

use super::ours::{Ours, map_fact};
use crate::bench::{agent_use::resident_megabytes, report::Figures};

/// Maps that services fill.
const MAPS: [&str; 5] = ["VIP", "BACKEND", "RING", "FLOW", "FLOW_NEW"];

/// Brings the services to `count`, and enters what that took; the managers' files are in memory.
pub(super) fn grow(ours: &mut Ours, case: &str, count: u32, figures: &mut Figures) -> Result<()> {
    let added = count.saturating_sub(ours.services());
    let begun = Instant::now();
    ours.grow(count)?;
    if added > 0 {
        let each = begun.elapsed().as_secs_f64() * 1e3 / f64::from(added);
        figures.one(case, "create_ms", "ms", each);
    }
    let near = ours.near();
    let programmed = near.status()?["programmed_ms"].as_f64();
    if let Some(programmed) = programmed {
        figures.one(case, "programmed_ms", "ms", programmed);
    }
    for name in MAPS {
        if let Some(bytes) = map_fact(near, name, "bytes") {
            let metric = format!("map_{}_mb", name.to_lowercase());
            figures.one(case, &metric, "MB", bytes / 1e6);
        }
    }
    figures.one(case, "agent_rss_mb", "MB", resident_megabytes(near)?);
    Ok(())
}
