//! Request and response over a few and over many endpoints, in turns.

use std::path::Path;

use anyhow::Result;

use crate::bench::{
    effort::Effort,
    load::Protocol,
    machine::{self, Placement},
    measure::Route,
    progress::Progress,
    report::{self, Figures},
    statistics::Series,
};

/// One side of the comparison.
pub(super) struct Side<'a> {
    /// Name of the case.
    pub(super) case: String,
    /// What to measure: the beginning of the metrics' names, and between which ends.
    pub(super) routes: Vec<(&'a str, Route)>,
}

/// Measures both sides in turns, enters p50 and p99 of each, and the ratio of `many`'s p50 to `few`'s.
pub(super) fn compare(
    few: &Side,
    many: &Side,
    effort: Effort,
    directory: &Path,
    figures: &mut Figures,
) -> Result<()> {
    let sides = [few, many];
    let mut p50 = vec![vec![Series::default(); few.routes.len()]; sides.len()];
    let mut p99 = p50.clone();
    let steps = u64::from(effort.rounds) * (few.routes.len() * sides.len()) as u64;
    let mut progress = Progress::new(steps);
    let mut busy = 0;
    for round in 0..effort.rounds as usize {
        for route in 0..few.routes.len() {
            for turn in 0..sides.len() {
                let side = (turn + round) % sides.len();
                let (name, ends) = &sides[side].routes[route];
                progress.step(&format!(
                    "round {}: {name}latency of {}",
                    round + 1,
                    sides[side].case
                ));
                busy += u32::from(!machine::wait_until_idle(effort.patience)?);
                let ends = Placement::usual().of(ends);
                let outcome = ends.ask(Protocol::Udp, 1, effort.seconds, directory)?;
                p50[side][route].add(outcome.p50_us);
                p99[side][route].add(outcome.p99_us);
            }
        }
    }
    drop(progress);
    for (side, (p50, p99)) in sides.iter().zip(p50.iter().zip(&p99)) {
        for ((name, _), (p50, p99)) in side.routes.iter().zip(p50.iter().zip(p99)) {
            figures.many(&side.case, &format!("{name}p50_us"), "us", p50);
            figures.many(&side.case, &format!("{name}p99_us"), "us", p99);
        }
    }
    for (route, (name, _)) in many.routes.iter().enumerate() {
        if let (Some(few), Some(of_many)) = (p50[0][route].median(), p50[1][route].median()) {
            figures.one(&many.case, &format!("{name}p50_ratio"), "", of_many / few);
        }
    }
    report::warn_of_busy_runs(busy);
    Ok(())
}
