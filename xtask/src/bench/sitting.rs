//! What benches whose figures are printed as they come have in common: the programs that they call, Ctrl-C, and
//! the file that takes the figures.

use std::path::PathBuf;

use anyhow::Result;
use overlay_tests::Binaries;

use super::{
    interruption,
    report::{self, Figures},
};
use crate::{build::Need, packages};

/// One bench from its preparation to its file.
#[derive(clap::Args)]
#[group(skip)]
pub(super) struct Sitting {
    /// Write the figures to this file.
    #[arg(long)]
    json: Option<PathBuf>,

    #[command(flatten)]
    pub(super) need: Need,
}

impl Sitting {
    /// Sees to it that the programs of `packages` are there, builds ours, measures, and writes the figures.
    pub(super) fn hold(
        &self,
        packages: &[&str],
        measure: impl FnOnce(&Binaries) -> Result<Figures>,
    ) -> Result<()> {
        packages::ensure(packages, self.need.install())?;
        let binaries = super::build(&self.need)?;
        let figures = interruption::interruptible(|| measure(&binaries))?;
        match &self.json {
            Some(path) => report::write_json(path, figures.records()),
            None => Ok(()),
        }
    }
}
