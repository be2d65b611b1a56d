//! `cargo xtask build-ebpf`: the eBPF object, from whatever the machine has.

use anyhow::Result;

use crate::build::{self, Need};

/// What `cargo xtask build-ebpf` is asked to do.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    need: Need,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    build::ebpf(&options.need).map(|_| ())
}
