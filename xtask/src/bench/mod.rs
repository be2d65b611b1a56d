//! `cargo xtask bench`: overlay beside plain hosts and beside the kernel's own overlay, in one run.

mod agent_use;
mod case;
mod cluster;
mod density;
mod effort;
pub(crate) mod interruption;
mod load;
mod machine;
mod measure;
mod progress;
pub(crate) mod report;
mod service;
mod sitting;
mod statistics;
mod subject;
mod suite;

use anyhow::Result;
use overlay_tests::{Binaries, binaries};

pub(crate) use self::{
    case::Case,
    machine::Placement,
    measure::Route,
    progress::Progress,
    subject::{Name, Subject},
    suite::Suite,
};
use crate::build::{self, Need};

/// What `cargo xtask bench` is asked to do.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    suite: suite::Options,
}

#[derive(clap::Subcommand)]
enum Part {
    /// Measure thousands of endpoints on one host, and a million remote ones.
    Density(density::Options),
    /// Measure how fast a cluster of real agents learns, and what it takes of its hosts.
    Cluster(cluster::Options),
    /// Measure services: a VIP beside a direct address, and beside kube-proxy's way.
    Service(service::Options),
    /// Play one end of a request and response measurement.
    #[command(hide = true)]
    Load(load::Options),
}

pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.part {
        None => suite::run(&options.suite),
        Some(Part::Density(options)) => density::run(options),
        Some(Part::Cluster(options)) => cluster::run(options),
        Some(Part::Service(options)) => service::run(options),
        Some(Part::Load(options)) => load::run(options),
    }
}

/// Packages that the testbed's programs come from.
pub(crate) const PACKAGES: [&str; 5] =
    ["ethtool", "iperf3", "iproute2", "iputils-ping", "nftables"];

/// The agent and its command line: freshly built, or those that `OVERLAY_BINARIES` names.
pub(crate) fn build(need: &Need) -> Result<Binaries> {
    if std::env::var_os(binaries::VARIABLE).is_some() {
        return Binaries::find();
    }
    build::ebpf(need)?;
    let built = build::agent()?;
    Ok(Binaries {
        agent: built.agent,
        cli: built.cli,
    })
}
