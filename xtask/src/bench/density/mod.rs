//! `cargo xtask bench density`: thousands of endpoints of one network on one host, and a million on others.

mod bridge;
mod endpoints;
mod latency;
mod remote;

use anyhow::{Result, ensure};
use overlay_tests::{Binaries, Session};

use super::{
    PACKAGES,
    effort::Effort,
    machine::{self, Placement},
    report::Figures,
    sitting::Sitting,
};

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

    #[command(flatten)]
    effort: Effort,

    #[command(flatten)]
    sitting: Sitting,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(
        options.endpoints > endpoints::FEW && options.remote > remote::FEW,
        "there is nothing to compare with so few endpoints"
    );
    options
        .sitting
        .hold(&PACKAGES, |binaries| show(options, binaries))
}

fn show(options: &Options, binaries: &Binaries) -> Result<Figures> {
    let session = Session::open("density")?;
    println!("{}", machine::description(Placement::usual()));
    let effort = options.effort;
    let mut figures = Figures::default();
    bridge::show(&session, &mut figures)?;
    endpoints::show(&session, binaries, options.endpoints, effort, &mut figures)?;
    remote::show(&session, binaries, options.remote, effort, &mut figures)?;
    Ok(figures)
}
