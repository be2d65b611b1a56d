//! `cargo xtask test`: all tests, from a machine that has nothing but Rust.

mod suite;
mod tally;

use std::{panic, process::ExitCode, thread};

use anyhow::{Result, ensure};

use self::{
    suite::{Place, Suite},
    tally::Tally,
};
use crate::{
    build::{self, Need},
    packages,
};

/// Programs that the tests call.
const PACKAGES: [&str; 11] = [
    "bpftool",
    "curl",
    "ethtool",
    "iperf3",
    "iproute2",
    "iptables",
    "iputils-ping",
    "nftables",
    "nginx-light",
    "procps",
    "tcpdump",
];

/// What `cargo xtask test` is asked to do.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Which tests to run.
    #[arg(value_enum, default_value = "all")]
    which: Which,

    /// Run only tests whose names contain this.
    #[arg(long)]
    filter: Option<String>,

    #[command(flatten)]
    need: Need,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// Tests that need neither a kernel nor root.
    Unit,
    /// Every eBPF program, packet by packet.
    Program,
    /// Hosts in network namespaces.
    Netns,
    /// Services on such hosts; long, and asked for by name only.
    Services,
    /// Debian's kernels in virtual machines.
    Vm,
    /// All of them but services.
    All,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let stages = stages(options.which);
    let suites: Vec<Suite> = stages.iter().flatten().flatten().copied().collect();
    if suites.iter().any(|suite| suite.needs_root()) {
        ensure!(
            nix::unistd::geteuid().is_root(),
            "these tests make network namespaces and load eBPF programs: run them as root, \
             or run `cargo xtask test unit`"
        );
        packages::ensure(&PACKAGES, options.need.install())?;
    }
    build::ebpf(&options.need)?;
    if suites.iter().any(|suite| suite.needs_agent()) {
        build::agent()?;
    }

    let mut tally = Tally::default();
    for stage in &stages {
        tally.add(&run_stage(stage, options.filter.as_deref()));
    }
    if tally.ignored() > 0 {
        println!("{} ignored", tally.ignored());
    }
    if options.which == Which::All {
        println!("not run: services (`cargo xtask test services`, about 15 minutes)");
    }
    println!("{} passed, {} failed", tally.passed(), tally.failed());
    Ok(if tally.failed() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Suites that run one after the other.
type Lane = Vec<Suite>;

/// Lanes that run beside each other.
type Stage = Vec<Lane>;

/// What runs after what. Hosts in namespaces wait for each other more than they work, and an emulated machine does
/// nothing but work: they share the processors well.
fn stages(which: Which) -> Vec<Stage> {
    let vms = || suite::KERNELS.map(Suite::Vm).to_vec();
    let lane = match which {
        Which::Unit => vec![Suite::Unit],
        Which::Program => vec![Suite::Program],
        Which::Netns => vec![Suite::Netns],
        Which::Services => vec![Suite::Services],
        Which::Vm => vms(),
        Which::All => {
            let first = vec![Suite::Unit, Suite::Program];
            return vec![vec![first], vec![vec![Suite::Netns], vms()]];
        }
    };
    vec![vec![lane]]
}

/// Runs the first lane in the foreground, and the others behind it.
fn run_stage(stage: &[Lane], filter: Option<&str>) -> Tally {
    let mut tally = Tally::default();
    if stage.len() > 1
        && let Err(error) = suite::build()
    {
        // Nothing is built beside tests, which would have less of the processors then.
        eprintln!("error: {error:#}");
        tally.add_failure();
        return tally;
    }
    let places = [Place::Foreground]
        .into_iter()
        .chain(std::iter::repeat(Place::Background));
    thread::scope(|scope| {
        let lanes: Vec<_> = stage
            .iter()
            .zip(places)
            .map(|(lane, place)| scope.spawn(move || run_lane(lane, filter, place)))
            .collect();
        for lane in lanes {
            match lane.join() {
                Ok(added) => tally.add(&added),
                Err(panic) => panic::resume_unwind(panic),
            }
        }
    });
    tally
}

fn run_lane(lane: &[Suite], filter: Option<&str>, place: Place) -> Tally {
    let mut tally = Tally::default();
    for suite in lane {
        let before = tally.failed();
        let outcome = suite.run(filter, place, &mut tally);
        if let Err(error) = outcome
            && tally.failed() == before
        {
            // It ended without naming a failed test: it did not build, or broke down.
            eprintln!("error: {suite}: {error:#}");
            tally.add_failure();
        }
    }
    tally
}
