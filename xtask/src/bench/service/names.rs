//! Names of the swarm, asked for faster than anybody would: the agent answers on one processor.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use overlay_tests::{
    process,
    traffic::{Questions, Told},
};

use super::ours::Ours;
use crate::bench::{
    agent_use::processor_seconds,
    machine::{Placement, processors},
    report::Figures,
};

/// How many questions a second.
const PACE: u32 = 10_000;

/// Where containers ask.
const SERVER: &str = "169.254.53.53:53";

/// Asks, and enters how fast and how surely answers came.
pub(super) fn show(ours: &Ours, case: &str, seconds: u32, figures: &mut Figures) -> Result<()> {
    eprintln!("{case}: {PACE} questions for names in a second …");
    let host = ours.near();
    let pid = host.agent_pid().context("the agent does not run")?;
    let (client, names) = ours.names();
    let processor = match Placement::usual() {
        Placement::Apart => Some(0),
        Placement::Anywhere => None,
    };
    let questions = Questions {
        from: client,
        server: SERVER.parse().context("reading the server's address")?,
        names: &names,
        per_second: PACE,
        processor,
    };
    let _only = processor.map(|_| Confined::to(pid, 1)).transpose()?;
    // Caches warm up, and the names are known.
    questions.ask_for(Duration::from_millis(200))?;
    let before = processor_seconds(host)?;
    let hearing = questions.ask_for(Duration::from_secs(seconds.into()))?;
    let busy = processor_seconds(host)? - before;
    for (name, told) in &hearing.told {
        let is_known = told
            .iter()
            .all(|told| matches!(told, Told::Addresses(known) if !known.is_empty()));
        ensure!(is_known, "asked for {name}, the agent told {told:?}");
    }
    let took = hearing.took.as_secs_f64();
    figures.one(
        case,
        "names_asked_per_s",
        "1/s",
        f64::from(hearing.asked) / took,
    );
    figures.one(case, "names_lost", "", f64::from(hearing.lost()));
    for (metric, share) in [("names_p50_us", 500), ("names_p99_us", 990)] {
        let time = hearing.percentile(share).context("no name was told")?;
        figures.one(case, metric, "us", time.as_secs_f64() * 1e6);
    }
    figures.one(case, "names_agent_cpu", "%", busy / took * 100.0);
    Ok(())
}

/// A process that may use one processor only, as long as this lives.
struct Confined {
    pid: u32,
}

impl Confined {
    fn to(pid: u32, processor: usize) -> Result<Self> {
        let confined = Self { pid };
        confined.allow(&processor.to_string())?;
        Ok(confined)
    }

    fn allow(&self, processors: &str) -> Result<()> {
        let mut taskset = std::process::Command::new("taskset");
        let pid = self.pid.to_string();
        taskset.args(["--all-tasks", "--cpu-list", "--pid", processors, &pid]);
        process::run(&mut taskset).map(drop)
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        let all = format!("0-{}", processors() - 1);
        if let Err(error) = self.allow(&all) {
            eprintln!("the agent stays on one processor: {error:#}");
        }
    }
}
