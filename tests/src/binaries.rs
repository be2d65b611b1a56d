//! Where the programs under test are.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

/// Names a directory that holds `overlay` and `overlay-agent` and is used instead of `target/release`.
pub const VARIABLE: &str = "OVERLAY_BINARIES";

/// The agent and its command line.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// `overlay-agent`.
    pub agent: PathBuf,
    /// `overlay`.
    pub cli: PathBuf,
}

impl Binaries {
    /// Those in the directory that [`VARIABLE`] names, else in `release` of `CARGO_TARGET_DIR`, else in this
    /// workspace's `target/release`.
    pub fn find() -> Result<Self> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let directory = std::env::var_os(VARIABLE).map_or_else(
            || {
                std::env::var_os("CARGO_TARGET_DIR")
                    .map_or(workspace.join("target"), PathBuf::from)
                    .join("release")
            },
            PathBuf::from,
        );
        Self::within(&directory)
    }

    /// Those in `directory`.
    pub fn within(directory: &Path) -> Result<Self> {
        let found = Self {
            agent: directory.join("overlay-agent"),
            cli: directory.join("overlay"),
        };
        for program in [&found.agent, &found.cli] {
            ensure!(
                program.is_file(),
                "{} is not there: `cargo xtask test` and `cargo xtask demo` build it",
                program.display()
            );
        }
        Ok(found)
    }
}
