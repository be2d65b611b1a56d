//! Nanoseconds that a program takes for a packet, from the kernel's own statistics.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use anyhow::{Context as _, Result};
use overlay_tests::process;
use serde_json::Value;

use super::ours::Ours;
use crate::bench::{load::Protocol, machine::Placement, measure::Route, report::Figures};

/// Switches the statistics of all programs on; they cost some nanoseconds themselves.
const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// Programs on the way.
const PROGRAMS: [&str; 2] = ["from_container", "from_underlay"];

/// Time and runs of a program.
type Taken = (f64, f64);

/// Enters the nanoseconds per packet, on the way to the server itself and to the VIP.
pub(super) fn show(
    ours: &Ours,
    case: &str,
    seconds: u32,
    directory: &Path,
    figures: &mut Figures,
) -> Result<()> {
    let _statistics = Statistics::on()?;
    for (subject, route) in [("direct", ours.direct()), ("vip-packets", ours.vip())] {
        let before = taken()?;
        ask(&route, seconds, directory)?;
        let after = taken()?;
        for name in PROGRAMS {
            let of = |taken: &BTreeMap<String, Taken>| taken.get(name).copied().unwrap_or_default();
            let ((time, runs), (time_before, runs_before)) = (of(&after), of(&before));
            if runs > runs_before {
                let each = (time - time_before) / (runs - runs_before);
                let series = [each].into_iter().collect();
                figures.of(subject, case, &format!("{name}_ns"), "ns", &series);
            }
        }
    }
    Ok(())
}

fn ask(route: &Route, seconds: u32, directory: &Path) -> Result<()> {
    let route = Placement::usual().of(route);
    let any = std::net::Ipv4Addr::UNSPECIFIED.into();
    let asked = route.ask_behind(any, Protocol::Udp, 1, seconds, directory);
    asked.map(drop)
}

/// Time and runs of all programs of each name, on this machine.
fn taken() -> Result<BTreeMap<String, Taken>> {
    let printed = process::run(Command::new("bpftool").args(["-j", "prog", "show"]))?;
    let programs: Value =
        serde_json::from_str(&printed).context("reading what bpftool says of programs")?;
    let mut taken: BTreeMap<String, Taken> = BTreeMap::new();
    for program in programs.as_array().into_iter().flatten() {
        let name = program["name"].as_str().unwrap_or_default();
        let number = |key: &str| program[key].as_f64().unwrap_or_default();
        let sum = taken.entry(name.to_owned()).or_default();
        sum.0 += number("run_time_ns");
        sum.1 += number("run_cnt");
    }
    Ok(taken)
}

/// The statistics are on as long as this lives, and as they were afterwards.
struct Statistics {
    before: String,
}

impl Statistics {
    fn on() -> Result<Self> {
        let before = fs::read_to_string(SWITCH).with_context(|| format!("reading {SWITCH}"))?;
        fs::write(SWITCH, "1").with_context(|| format!("writing {SWITCH}"))?;
        Ok(Self { before })
    }
}

impl Drop for Statistics {
    fn drop(&mut self) {
        if let Err(error) = fs::write(SWITCH, &self.before) {
            eprintln!("{SWITCH} stays on: {error}");
        }
    }
}
