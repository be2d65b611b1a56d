//! `cargo xtask test`: all tests, from a machine that has nothing but Rust.

mod record;
mod suite;
mod tally;

use std::{panic, process::ExitCode, thread};

use anyhow::{Result, ensure};

use self::{
    record::Records,
    suite::{Orders, Place, Suite},
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
    /// Which tests to run; without it all but services, and virtual machines with Debian's 6.1 and 6.12 only.
    #[arg(value_enum)]
    which: Option<Which>,

    /// All there is: services, and every kernel.
    #[arg(long, conflicts_with = "which")]
    all: bool,

    /// With `vm`, the only kernel to run: one of those that are supported, as `6.12` or `newest`.
    #[arg(long, value_name = "VERSION", value_parser = kernel)]
    kernel: Option<&'static str>,

    /// With `vm`, only record what each kernel makes of the programs in tests/vm/kernels.json, with which all other
    /// runs compare, and rewrite the README's table.
    #[arg(long)]
    record: bool,

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
    /// All supported kernels of Debian's, and one that is refused, in virtual machines.
    Vm,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let stages = stages(options)?;
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
    let mut records = options.record.then(Records::read).transpose()?;
    for stage in &stages {
        let filter = options.filter.as_deref();
        tally.add(&run_stage(stage, filter, records.as_mut()));
    }
    if tally.ignored() > 0 {
        println!("{} ignored", tally.ignored());
    }
    if let Some(records) = records {
        records.write()?;
    }
    if options.which.is_none() && !options.all {
        println!(
            "not run: services, other kernels (`cargo xtask test services`, about 15 minutes; `cargo xtask test vm`)"
        );
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
fn stages(options: &Options) -> Result<Vec<Stage>> {
    let is_vm = options.which == Some(Which::Vm);
    ensure!(
        is_vm || (options.kernel.is_none() && !options.record),
        "--kernel and --record are for `cargo xtask test vm`"
    );
    let vms = |kernels: &[&'static str]| kernels.iter().copied().map(Suite::Vm).collect::<Lane>();
    let usual = |kernels| {
        let first = vec![Suite::Unit, Suite::Program];
        vec![vec![first], vec![vec![Suite::Netns], vms(kernels)]]
    };
    let lane = match options.which {
        Some(Which::Unit) => vec![Suite::Unit],
        Some(Which::Program) => vec![Suite::Program],
        Some(Which::Netns) => vec![Suite::Netns],
        Some(Which::Services) => vec![Suite::Services],
        Some(Which::Vm) => match options.kernel {
            Some(kernel) => vms(&[kernel]),
            None => vms(&suite::KERNELS),
        },
        None if options.all => {
            let mut all = usual(&suite::KERNELS);
            all.push(vec![vec![Suite::Services]]);
            return Ok(all);
        }
        None => return Ok(usual(&suite::USUAL_KERNELS)),
    };
    Ok(vec![vec![lane]])
}

/// A kernel of [`suite::KERNELS`] by its version.
fn kernel(version: &str) -> Result<&'static str, String> {
    let known = suite::KERNELS.into_iter().find(|known| *known == version);
    known.ok_or_else(|| format!("the kernels under test are {}", suite::KERNELS.join(", ")))
}

/// Runs the first lane in the foreground, and the others behind it. Only the first records.
fn run_stage(stage: &[Lane], filter: Option<&str>, mut records: Option<&mut Records>) -> Tally {
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
            .map(|(lane, place)| {
                let orders = Orders {
                    filter,
                    place,
                    records: records.take(),
                };
                scope.spawn(move || run_lane(lane, orders))
            })
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

fn run_lane(lane: &[Suite], mut orders: Orders<'_>) -> Tally {
    let mut tally = Tally::default();
    for suite in lane {
        let before = tally.failed();
        let outcome = suite.run(&mut orders, &mut tally);
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
