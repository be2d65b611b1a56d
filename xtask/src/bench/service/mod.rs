//! `cargo xtask bench service`: what a VIP costs beside a direct address, and beside nftables as kube-proxy uses it.
//!
//! Each subject is two hosts of its own; in each round every run is made for every subject, in turns.

mod crowd;
mod kube;
mod ours;
mod programs;
mod runs;

use std::path::PathBuf;

use anyhow::Result;
use overlay_tests::{Binaries, Session, Wiring};

use self::{kube::Kube, ours::Ours, runs::Subject};
use super::{
    interruption,
    machine::{self, Placement},
    report::{self, Figures},
};
use crate::{build::Need, packages};

/// Programs that this bench calls.
const PACKAGES: [&str; 6] = [
    "bpftool",
    "ethtool",
    "iperf3",
    "iproute2",
    "iputils-ping",
    "nftables",
];

/// Endpoints of each service that kube-proxy would lead to: all of them the one server.
const BACKENDS: usize = 1;

/// How much is measured, and where the figures go.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Numbers of services that are there while one of them is measured.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 10_000])]
    services: Vec<u32>,

    /// Runs of each kind for each subject.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Length of a run in seconds.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,

    /// Seconds to wait for an idle machine before each run, which is made and counted as busy otherwise.
    #[arg(long, default_value_t = 60)]
    patience: u32,

    /// Write the figures to this file.
    #[arg(long)]
    json: Option<PathBuf>,

    #[command(flatten)]
    need: Need,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    packages::ensure(&PACKAGES, options.need.install())?;
    let binaries = super::build(&options.need)?;
    let figures = interruption::interruptible(|| show(options, &binaries))?;
    if let Some(path) = &options.json {
        report::write_json(path, figures.records())?;
    }
    Ok(())
}

fn show(options: &Options, binaries: &Binaries) -> Result<Figures> {
    println!("{}", machine::description(Placement::usual()));
    let mut figures = Figures::default();
    let session = Session::open("service")?;
    let plan = runs::Plan {
        rounds: options.rounds,
        seconds: options.seconds,
        patience: options.patience,
    };
    // Two swarms, because the balancing by sockets is switched off for a whole agent.
    let mut packets = Ours::start("packets", "services: {socket_lb: false}\n", binaries)?;
    let mut sockets = Ours::start("sockets", "", binaries)?;
    let mut kube = Kube::start(&session, Wiring::direct())?;
    let mut services: Vec<u32> = options.services.clone();
    services.sort_unstable();
    for count in services {
        let case = format!("services-{count}");
        crowd::grow(&mut packets, &case, count, &mut figures)?;
        sockets.grow(count)?;
        kube.grow(count)?;
        let subjects = [
            Subject::direct("direct", packets.direct()),
            Subject::behind("vip-packets", packets.vip(), packets.direct()),
            Subject::behind("vip-sockets", sockets.vip(), sockets.direct()),
            Subject::direct("kernel-direct", kube.direct()),
            Subject::behind("kernel-nftables", kube.vip(), kube.direct()),
        ];
        runs::compare(&subjects, &case, plan, session.directory(), &mut figures)?;
        programs::show(
            &packets,
            &case,
            options.seconds,
            session.directory(),
            &mut figures,
        )?;
    }
    Ok(figures)
}
