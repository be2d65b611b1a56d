//! `cargo xtask bench density`: thousands of endpoints of one network on one host, and a million on others.

mod bridge;
mod endpoints;
mod latency;
mod remote;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use overlay_tests::{Binaries, Session};

use super::{
    PACKAGES, interruption,
    machine::{self, Placement},
    report::{self, Figures},
};
use crate::{build::Need, packages};

/// How many, and where the figures go.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Endpoints on one host; their figures are compared with those of 16.
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u32).range(64..=32_000))]
    endpoints: u32,

    /// Endpoints on other hosts; their figures are compared with those of 10.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..=8_000_000))]
    remote: u32,

    /// Latency runs of each kind.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Length of a latency run in seconds.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,

    /// Seconds to wait for an idle machine before each latency run.
    #[arg(long, default_value_t = 60)]
    patience: u32,

    /// Write the figures to this file.
    #[arg(long)]
    json: Option<PathBuf>,

    #[command(flatten)]
    need: Need,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(
        options.endpoints > endpoints::FEW && options.remote > remote::FEW,
        "there is nothing to compare with so few endpoints"
    );
    packages::ensure(&PACKAGES, options.need.install())?;
    let binaries = super::build(&options.need)?;
    let figures = interruption::interruptible(|| show(options, &binaries))?;
    if let Some(path) = &options.json {
        report::write_json(path, figures.records())?;
    }
    Ok(())
}

fn show(options: &Options, binaries: &Binaries) -> Result<Figures> {
    let session = Session::open("density")?;
    println!("{}", machine::description(Placement::usual()));
    let plan = latency::Plan {
        rounds: options.rounds,
        seconds: options.seconds,
        patience: options.patience,
    };
    let mut figures = Figures::default();
    bridge::show(&session, &mut figures)?;
    endpoints::show(&session, binaries, options.endpoints, plan, &mut figures)?;
    remote::show(&session, binaries, options.remote, plan, &mut figures)?;
    Ok(figures)
}
