//! `cargo xtask test`: all tests, from a machine that has nothing but Rust.

mod suite;
mod tally;

use std::process::ExitCode;

use anyhow::{Result, ensure};

use self::{suite::Suite, tally::Tally};
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
    /// Services on such hosts.
    Services,
    /// Debian's kernels in virtual machines.
    Vm,
    /// All of them.
    All,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let suites = suites(options.which);
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
    for suite in suites {
        let before = tally.failed();
        let outcome = suite.run(options.filter.as_deref(), &mut tally);
        if let Err(error) = outcome
            && tally.failed() == before
        {
            // It ended without naming a failed test: it did not build, or broke down.
            eprintln!("error: {suite}: {error:#}");
            tally.add_failure();
        }
    }
    if tally.ignored() > 0 {
        println!("{} ignored", tally.ignored());
    }
    println!("{} passed, {} failed", tally.passed(), tally.failed());
    Ok(if tally.failed() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn suites(which: Which) -> Vec<Suite> {
    let vms = || suite::KERNELS.map(Suite::Vm);
    match which {
        Which::Unit => vec![Suite::Unit],
        Which::Program => vec![Suite::Program],
        Which::Netns => vec![Suite::Netns],
        Which::Services => vec![Suite::Services],
        Which::Vm => vms().into(),
        Which::All => {
            let mut all = vec![Suite::Unit, Suite::Program, Suite::Netns, Suite::Services];
            all.extend(vms());
            all
        }
    }
}
