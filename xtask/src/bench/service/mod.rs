//! `cargo xtask bench service`: what a VIP costs beside a direct address, and beside nftables as kube-proxy uses it.
//!
//! Each subject is two hosts of its own; in each round every run is made for every subject, in turns.

mod crowd;
mod kube;
mod names;
mod ours;
mod programming;
mod programs;
mod runs;

use anyhow::{Context as _, Result};
use overlay_tests::{Binaries, Session, Wiring};

use self::{
    kube::Kube,
    ours::Ours,
    runs::{RUNS, Subject},
};
use super::{
    effort::Effort,
    machine::{self, Placement},
    report::Figures,
    sitting::Sitting,
};

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
    /// Numbers of services that are there while one of them is measured; traffic is compared with the fewest and with
    /// the most of them.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 10_000], value_parser = clap::value_parser!(u32).range(1..=16_000))]
    services: Vec<u32>,

    /// Tasks of each service, where it is measured what the most services take of the kernel's tables.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=16))]
    tasks: u32,

    #[command(flatten)]
    effort: Effort,

    #[command(flatten)]
    sitting: Sitting,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    options
        .sitting
        .hold(&PACKAGES, |binaries| show(options, binaries))
}

fn show(options: &Options, binaries: &Binaries) -> Result<Figures> {
    let programming = programming::program(&options.sitting.need)?;
    println!("{}", machine::description(Placement::usual()));
    let mut figures = Figures::default();
    let session = Session::open("service")?;
    let mut counts = options.services.clone();
    counts.sort_unstable();
    counts.dedup();
    let (fewest, most) = (counts.first(), counts.last());
    let (fewest, most) = fewest.zip(most).context("no number of services")?;
    if let Some(program) = &programming {
        programming::show(&session, program, (*most, options.tasks), &mut figures)?;
    }
    // Two swarms, because the balancing by sockets is switched off for a whole agent.
    let mut packets = Ours::start("packets", "services: {socket_lb: false}\n", binaries)?;
    let mut sockets = Ours::start("sockets", "", binaries)?;
    let mut kube = Kube::start(&session, Wiring::direct())?;
    let mut few = None;
    for count in &counts {
        let case = format!("services-{count}");
        crowd::grow(&mut packets, &case, *count, &mut figures)?;
        programs::show(
            &packets,
            &case,
            options.effort.seconds,
            session.directory(),
            &mut figures,
        )?;
        if count == fewest {
            names::show(&packets, &case, options.effort.seconds, &mut figures)?;
        } else if count != most {
            continue;
        }
        eprintln!("{case}: as many services for the others …");
        sockets.grow(*count)?;
        kube.grow(*count)?;
        let mut subjects = vec![
            // Where sockets are balanced no port is remembered as one that was used towards the VIP.
            Subject::direct("direct", sockets.direct()),
            Subject::behind("vip-packets", packets.vip(), packets.direct()),
            Subject::behind("vip-sockets", sockets.vip(), sockets.direct()),
            Subject::behind("kernel-nftables", kube.vip(), kube.direct()),
        ];
        if count == fewest {
            subjects.push(Subject::direct("kernel-direct", kube.direct()));
        }
        let medians = runs::compare(
            &subjects,
            if count == fewest { &RUNS } else { &RUNS[1..] },
            &case,
            options.effort,
            session.directory(),
            &mut figures,
        )?;
        match &few {
            None => few = Some(medians),
            Some(few) => medians.enter_ratios_to(few, *fewest, &case, &mut figures),
        }
    }
    Ok(figures)
}
