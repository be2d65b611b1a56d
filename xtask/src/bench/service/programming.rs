//! What very many services with several tasks each take to be planned and written into the kernel's tables.
//!
//! A hundred thousand containers do not fit this machine, so nobody tells of the tasks but this; the agent's own
//! planner and its own way to the tables do the work (`overlay-agent/examples/services.rs`).

use std::{env, fs, path::PathBuf};

use anyhow::{Context as _, Result};
use overlay_tests::{Session, binaries, process};
use serde_json::Value;

use crate::{
    bench::report::Figures,
    build::{self, Need},
};

/// The example.
const PROGRAM: &str = "services";

/// The program that does it: freshly built, or beside those that `OVERLAY_BINARIES` names. None if it is not there.
pub(super) fn program(need: &Need) -> Result<Option<PathBuf>> {
    let Some(directory) = env::var_os(binaries::VARIABLE) else {
        build::ebpf(need)?;
        return build::example(PROGRAM).map(Some);
    };
    let program = PathBuf::from(directory).join(PROGRAM);
    if program.is_file() {
        return Ok(Some(program));
    }
    println!(
        "{} is not there: what services with many tasks take is not measured",
        program.display()
    );
    Ok(None)
}

/// Plans and writes so many services, each with so many tasks, and enters what that takes.
pub(super) fn show(
    session: &Session,
    program: &PathBuf,
    (services, tasks): (u32, u32),
    figures: &mut Figures,
) -> Result<()> {
    eprintln!("{services} services with {tasks} tasks each: planning and writing …");
    let namespace = session.namespace("programming")?;
    let directory = session.directory().join(PROGRAM);
    fs::create_dir(&directory).with_context(|| format!("creating {}", directory.display()))?;
    let mut command = namespace.command(program);
    command.arg(&directory);
    command.args([services.to_string(), tasks.to_string()]);
    let printed = process::run(&mut command)?;
    let told: Value = serde_json::from_str(&printed)
        .with_context(|| format!("reading the figures of the tables: {printed:?}"))?;
    let number = |value: &Value| {
        let number = value.as_f64();
        number.with_context(|| format!("a figure of the tables is missing: {printed:?}"))
    };
    let case = format!("tables-{services}x{tasks}");
    for (key, unit) in [
        ("entries", ""),
        ("planned_ms", "ms"),
        ("written_ms", "ms"),
        ("changed_entries", ""),
        ("changed_ms", "ms"),
    ] {
        figures.one(&case, key, unit, number(&told[key])?);
    }
    figures.one(&case, "rss_mb", "MB", number(&told["rss_bytes"])? / 1e6);
    for name in ["VIP", "BACKEND", "RING"] {
        let metric = format!("map_{}_mb", name.to_lowercase());
        let bytes = number(&told["map_bytes"][name])?;
        figures.one(&case, &metric, "MB", bytes / 1e6);
    }
    Ok(())
}
