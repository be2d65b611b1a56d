//! `cargo xtask demo`: overlay at work on a few hosts of network namespaces, each with a real agent.

mod cluster;
mod comparison;
mod promises;
mod service;

use anyhow::{Result, ensure};
use overlay_tests::{Binaries, Session, nginx, session};

use self::{cluster::Cluster, promises::Promises};
use crate::{
    bench::{self, PACKAGES, interruption},
    build::Need,
    packages, workspace,
};

/// Name of the session, and so of every namespace: `ovl-demo-…`.
const SESSION: &str = "demo";

/// What `cargo xtask demo` is asked to do.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Leave everything up, and say how to enter and how to remove it.
    #[arg(long)]
    keep: bool,

    /// Remove what --keep left up, and do nothing else.
    #[arg(long, conflicts_with_all = ["keep", "hosts"])]
    clean: bool,

    /// How many hosts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=8))]
    hosts: u8,

    #[command(flatten)]
    need: Need,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.clean {
        let there = session::remove(SESSION)? | session::remove(service::SESSION)?;
        println!(
            "{}",
            if there {
                "the demo is removed"
            } else {
                "no demo is up"
            }
        );
        return Ok(());
    }
    let mut wanted = PACKAGES.to_vec();
    wanted.push(nginx::PACKAGE);
    packages::ensure(&wanted, options.need.install())?;
    let binaries = bench::build(&options.need)?;
    let broken = interruption::interruptible(|| show(options, &binaries))?;
    ensure!(
        broken == 0,
        "{broken} of the things shown are not as promised; see the lines that begin with ✗"
    );
    Ok(())
}

/// Returns how many promises did not hold.
fn show(options: &Options, binaries: &Binaries) -> Result<u32> {
    if session::is_kept(SESSION) {
        println!("removing the demo that an earlier --keep left up");
    }
    let mut session = Session::open(SESSION)?;
    let cluster = Cluster::start(&session, options.hosts, binaries)?;
    let mut promises = Promises::default();
    promises.everyone_answers(&cluster)?;
    promises.networks_are_isolated(&session, &cluster)?;
    promises.bulk_data_flows(&session, &cluster)?;
    println!("\n{}", comparison::table(&session, &cluster)?);
    service::show(binaries, &mut promises)?;
    if options.keep {
        session.keep()?;
        println!("{}", how_to_enter(&cluster));
        // Dropped, it would stop the agents and remove the namespaces.
        std::mem::forget(cluster);
    }
    Ok(promises.broken())
}

fn how_to_enter(cluster: &Cluster) -> String {
    let mut text = "\nEverything stays up. Try, as root:\n".to_owned();
    let mut add = |line: String| text = format!("{text}  {line}\n");
    if let [one, .., other] = cluster.members(cluster::BLUE).collect::<Vec<_>>()[..] {
        add(format!(
            "nsenter --net={} ping {}    # from {} to {}",
            one.container.namespace().path().display(),
            other.v4,
            one.container.name(),
            other.container.name(),
        ));
    }
    for host in cluster.hosts() {
        add(format!(
            "{} --run-dir {} status    # host {}: or doctor, stats, endpoint ls, explain A B, …",
            workspace::shown(&host.binaries().cli),
            host.run_dir().display(),
            host.name(),
        ));
    }
    add("ip netns list    # every host and container".to_owned());
    add("cargo xtask demo --clean    # remove all of it".to_owned());
    text
}
