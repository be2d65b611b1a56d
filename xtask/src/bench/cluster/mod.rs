//! `cargo xtask bench cluster`: real agents that form one cluster, and how fast it learns.

mod events;
mod rest;

use std::time::Instant;

use anyhow::Result;
use overlay_tests::{Binaries, Session, Swarm, Wiring};

use super::{
    PACKAGES,
    machine::{self, Placement},
    report::Figures,
    sitting::Sitting,
};

/// The network that everything is measured on.
const NETWORK: &str = "bench";

/// Hosts that keep the cluster's state.
const MANAGERS: usize = 3;

/// How large the cluster is, and where the figures go.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Hosts, three of which are managers.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u8).range(5..=200))]
    nodes: u8,

    /// Endpoints that everybody knows while the agents are at rest.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    endpoints: u32,

    /// How often each event is made to happen.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Length of the looks at agents at rest and under churn, in seconds.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,

    #[command(flatten)]
    sitting: Sitting,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    options
        .sitting
        .hold(&PACKAGES, |binaries| show(options, binaries))
}

fn show(options: &Options, binaries: &Binaries) -> Result<Figures> {
    println!("{}", machine::description(Placement::Anywhere));
    let names: Vec<String> = (0..options.nodes)
        .map(|number| format!("n{number}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let case = format!("cluster-{}", options.nodes);
    let mut figures = Figures::default();

    println!("{case}: starting {} agents and joining them …", names.len());
    let session = Session::open("cluster")?;
    let begun = Instant::now();
    let mut swarm = Swarm::in_session(session, Wiring::default(), &names, MANAGERS, binaries)?;
    figures.one(&case, "formed_s", "s", begun.elapsed().as_secs_f64());
    swarm.network(NETWORK, &["--subnet", "10.64.0.0/16"])?;

    events::first_packets(&swarm, &case, options.rounds, &mut figures)?;
    rest::show(
        &swarm,
        &case,
        options.endpoints,
        options.seconds,
        &mut figures,
    )?;
    events::crashes(&mut swarm, &case, options.rounds.min(5), &mut figures)?;
    events::failovers(
        &mut swarm,
        &case,
        MANAGERS,
        options.rounds.min(5),
        &mut figures,
    )?;
    Ok(figures)
}
