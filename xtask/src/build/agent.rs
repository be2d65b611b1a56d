//! The agent and its command line.

use anyhow::Result;
use overlay_tests::Binaries;

use crate::{process, workspace};

/// Builds the agent and the command line; the eBPF object must be there.
pub(crate) fn agent() -> Result<Binaries> {
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--release", "--package", "overlay-agent"]);
    process::follow("building overlay and overlay-agent", cargo)?;
    Binaries::within(&workspace::cargo_target().join("release"))
}
