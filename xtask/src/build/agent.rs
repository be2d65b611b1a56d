//! The agent and its command line.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use overlay_tests::Binaries;

use crate::{process, workspace};

/// Builds the agent and the command line; the eBPF object must be there.
pub(crate) fn agent() -> Result<Binaries> {
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--release", "--package", "overlay-agent"]);
    process::follow("building overlay and overlay-agent", cargo)?;
    Binaries::within(&workspace::cargo_target().join("release"))
}

/// Builds an example of the agent; the eBPF object must be there.
pub(crate) fn example(name: &str) -> Result<PathBuf> {
    let mut cargo = workspace::cargo();
    cargo.args([
        "build",
        "--release",
        "--package",
        "overlay-agent",
        "--example",
        name,
    ]);
    process::follow(&format!("building the example {name}"), cargo)?;
    let program = workspace::cargo_target()
        .join("release/examples")
        .join(name);
    ensure!(program.is_file(), "cargo left no {}", program.display());
    Ok(program)
}
