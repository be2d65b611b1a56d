//! `cargo xtask fuzz`: the fuzz tests, with as many tries as one has time for.

use anyhow::{Result, ensure};

use crate::{
    build::{self, Need},
    process, workspace,
};

/// The tests take the number of tries from this variable.
const TRIES: &str = "OVERLAY_FUZZ_TRIES";

/// What `cargo xtask fuzz` is asked to do.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many forged datagrams, streams and messages to try in all.
    #[arg(long, default_value_t = 10_000_000)]
    tries: u64,

    /// Leave the running agents out: for machines without root.
    #[arg(long)]
    no_agents: bool,

    #[command(flatten)]
    need: Need,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(
        options.no_agents || nix::unistd::geteuid().is_root(),
        "the agents run in network namespaces: be root, or add --no-agents"
    );
    build::ebpf(&options.need)?;
    if !options.no_agents {
        build::agent()?;
    }
    let tries = options.tries.to_string();
    let test = |what: &[&str], to_tests: &[&str]| {
        let mut cargo = workspace::cargo();
        cargo
            .args(["test", "--release", "--no-fail-fast"])
            .args(what);
        cargo.args(["--", "fuzz"]).args(to_tests).env(TRIES, &tries);
        process::follow("running fuzz tests", cargo)
    };
    let decoders = test(&["--package=overlay-agent", "--lib"], &[]);
    if options.no_agents {
        return decoders;
    }
    let agents = ["--package=overlay-tests", "--test", "cluster"];
    decoders.and(test(&agents, &["--test-threads=1"]))
}
