//! What the demo promises, shown one by one: a line that begins with ✓ or with ✗.

use std::{fs, net::IpAddr};

use anyhow::{Context, Result};
use overlay_tests::{
    Container, Namespace, Session,
    traffic::{Iperf, PingCount, ping},
};

use super::cluster::{BLUE, Cluster, Member, RED};
use crate::bench::Progress;

/// Echo requests for each pair.
const REQUESTS: u32 = 2;

/// An address that only one container of the red network has, on the first host; its blue twin has nobody.
const ONLY_RED: &str = "10.1.1.200";

/// How many promises were shown, and how many of them did not hold.
#[derive(Default)]
pub(super) struct Promises {
    broken: u32,
}

impl Promises {
    /// How many did not hold.
    pub(super) fn broken(&self) -> u32 {
        self.broken
    }

    /// Every container reaches every other one of its network, over both families.
    pub(super) fn everyone_answers(&mut self, cluster: &Cluster) -> Result<()> {
        for network in [BLUE, RED] {
            let members: Vec<&Member> = cluster.members(network).collect();
            let pairs = members.len() * (members.len() - 1);
            let mut progress = Progress::new(members.len() as u64);
            let mut silent = [Vec::new(), Vec::new()];
            for from in &members {
                progress.step(&format!("{} pings all of {network}", from.container.name()));
                for to in members
                    .iter()
                    .filter(|to| to.container.name() != from.container.name())
                {
                    for (addresses, silent) in [IpAddr::from(to.v4), to.v6.into()]
                        .into_iter()
                        .zip(&mut silent)
                    {
                        if !answers(from.container.namespace(), addresses)? {
                            silent.push((from.container.name(), to.container.name()));
                        }
                    }
                }
            }
            drop(progress);
            for (family, silent) in ["IPv4", "IPv6"].iter().zip(silent) {
                let answered = pairs - silent.len();
                self.promise(
                    silent.is_empty(),
                    &format!(
                        "{network}: {answered} of {pairs} pairs of containers answer over {family}"
                    ),
                );
                for (from, to) in silent {
                    println!("    no answer to {from} from {to}");
                }
            }
        }
        Ok(())
    }

    /// A container never hears from the other network, not even on an address that both networks have.
    pub(super) fn networks_are_isolated(
        &mut self,
        session: &Session,
        cluster: &Cluster,
    ) -> Result<()> {
        let [blue, _, blue_far] = cluster.trio(BLUE)?;
        let [red, _, red_far] = cluster.trio(RED)?;
        let address = blue_far.v4;
        self.promise(
            address == red_far.v4,
            &format!(
                "{} and {} both have {address}",
                blue_far.container.name(),
                red_far.container.name()
            ),
        );
        for (from, to, other) in [(blue, blue_far, red_far), (red, red_far, blue_far)] {
            let before = [received(&to.container)?, received(&other.container)?];
            let answered = answers(from.container.namespace(), to.v4.into())?;
            let after = [received(&to.container)?, received(&other.container)?];
            let heard = [after[0] - before[0], after[1] - before[1]];
            self.promise(
                answered && heard[0] > 0 && heard[1] == 0,
                &format!(
                    "{} pings {address}: {} gets {} packets, {} of the other network none",
                    from.container.name(),
                    to.container.name(),
                    heard[0],
                    other.container.name(),
                ),
            );
        }
        let only_red = Container::new(session, "red-only")?;
        only_red.attach(&cluster.hosts()[0], RED, &["--ip", ONLY_RED])?;
        let address = ONLY_RED.parse().context("BUG: not an address")?;
        let in_red = answers(red_far.container.namespace(), address)?;
        let in_blue = [blue, blue_far]
            .iter()
            .map(|from| answers(from.container.namespace(), address))
            .collect::<Result<Vec<bool>>>()?;
        self.promise(
            in_red && !in_blue.contains(&true),
            &format!("{ONLY_RED}, which only red has, answers in red and never in blue"),
        );
        only_red.detach(&cluster.hosts()[0], RED)
    }

    /// iperf3 across hosts and on one host.
    pub(super) fn bulk_data_flows(&mut self, session: &Session, cluster: &Cluster) -> Result<()> {
        let [one, two, far] = cluster.trio(BLUE)?;
        for (to, place) in [(far, "across hosts"), (two, "on one host")] {
            let iperf = Iperf {
                client: one.container.namespace(),
                server: to.container.namespace(),
                address: to.v4.into(),
                seconds: 2,
                directory: session.directory(),
            };
            let (names, result) = (
                format!("{} to {}", one.container.name(), to.container.name()),
                iperf.tcp(1),
            );
            let line = match &result {
                Ok(tcp) => format!(
                    "iperf3 {place}, {names}: {:.2} Gbit/s",
                    tcp.bits_per_second / 1e9
                ),
                Err(error) => format!("iperf3 {place}, {names}: {error:#}"),
            };
            self.promise(result.is_ok_and(|tcp| tcp.bytes > 0.0), &line);
        }
        Ok(())
    }

    /// Shows one promise and whether it holds.
    pub(super) fn promise(&mut self, holds: bool, what: &str) {
        self.broken += u32::from(!holds);
        println!("{} {what}", if holds { '✓' } else { '✗' });
    }
}

fn answers(from: &Namespace, to: IpAddr) -> Result<bool> {
    ping(from, to, REQUESTS).map(PingCount::is_complete)
}

/// Packets that the container's interface has received.
fn received(container: &Container) -> Result<u64> {
    let table = container
        .namespace()
        .run(|| fs::read_to_string("/proc/thread-self/net/dev"))?;
    let table = table.context("reading a container's counters")?;
    let row = table
        .lines()
        .find_map(|line| line.trim().strip_prefix("eth0:"));
    // Bytes come first.
    let packets = row
        .and_then(|row| row.split_whitespace().nth(1))
        .and_then(|number| number.parse().ok());
    packets.with_context(|| format!("{} has no counters of eth0", container.name()))
}
