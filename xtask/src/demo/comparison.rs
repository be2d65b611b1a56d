//! The demo's own containers beside plain hosts and the kernel's overlay, in one run.

use anyhow::Result;
use overlay_tests::{Session, Wiring};

use super::cluster::{BLUE, Cluster};
use crate::bench::{Case, Name, Placement, Route, Subject, Suite, report};

/// Enough to see the order of things; `cargo xtask bench` is for figures to rely on.
const CASES: [&str; 5] = ["tcp-1", "udp-64", "rr-udp", "local-tcp-1", "local-rr-udp"];
const ROUNDS: u32 = 3;
const SECONDS: u32 = 1;
const PATIENCE: u32 = 3;

/// Measures, and lays the figures out as a table.
pub(super) fn table(session: &Session, cluster: &Cluster) -> Result<String> {
    let [one, two, far] = cluster.trio(BLUE)?;
    let route = |to: &super::cluster::Member| Route {
        client: one.container.namespace().clone(),
        server: to.container.namespace().clone(),
        address: to.v4.into(),
    };
    let subjects = [
        Subject::host(session, Wiring::default())?,
        Subject::kernel(session, Wiring::default())?,
        Subject::running(Name::Overlay, route(far), route(two)),
    ];
    let cases = Case::all()
        .into_iter()
        .filter(|case| CASES.contains(&case.to_string().as_str()));
    let suite = Suite {
        cases: cases.collect(),
        rounds: ROUNDS,
        seconds: SECONDS,
        patience: PATIENCE,
        placement: Placement::usual(),
    };
    let results = suite.run(&subjects, session.directory())?;
    report::warn_of_busy_runs(results.busy_runs);
    Ok(format!(
        "{}\n{ROUNDS} short runs each; `cargo xtask bench` measures more cases, longer, and on an idle machine only.",
        report::table(&results)
    ))
}
