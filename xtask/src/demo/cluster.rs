//! The demo's hosts, networks and containers.

use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result};
use overlay_tests::{
    Binaries, Container, Host, Session, StaticConfig, Underlay, Wiring,
    static_config::{Network, Node},
};

use crate::bench::Progress;

/// The two networks; both have the same subnets, and every host gives the same addresses on both.
pub(super) const BLUE: &str = "blue";
pub(super) const RED: &str = "red";

/// Names of hosts.
const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// Containers of each network on each host.
const PER_HOST: u8 = 2;

/// A container and its only interface.
pub(super) struct Member {
    pub(super) container: Container,
    /// Index of its host.
    pub(super) host: usize,
    pub(super) network: &'static str,
    pub(super) v4: Ipv4Addr,
    pub(super) v6: Ipv6Addr,
}

/// All of it, up and running.
pub(super) struct Cluster {
    members: Vec<Member>,
    hosts: Vec<Host>,
    underlay: Underlay,
}

impl Cluster {
    /// Starts `count` hosts and attaches their containers.
    pub(super) fn start(session: &Session, count: u8, binaries: &Binaries) -> Result<Self> {
        let names = &NAMES[..usize::from(count)];
        let mut progress =
            Progress::new(1 + u64::from(count) + u64::from(count) * u64::from(PER_HOST) * 2);
        progress.step(&format!("joining {count} hosts by an underlay"));
        let underlay = Underlay::build(session, "host", names, Wiring::default())?;
        let config = config(&underlay);
        let mut cluster = Self {
            members: Vec::new(),
            hosts: Vec::new(),
            underlay,
        };
        for machine in cluster.underlay.machines() {
            progress.step(&format!(
                "starting the agent of host {} ({})",
                machine.name,
                machine.address()
            ));
            cluster
                .hosts
                .push(Host::start(session, "host", machine, &config, binaries)?);
        }
        for (index, host) in cluster.hosts.iter().enumerate() {
            for network in [BLUE, RED] {
                for number in 1..=PER_HOST {
                    let name = format!("{network}-{}{number}", host.name());
                    progress.step(&format!("attaching container {name}"));
                    cluster
                        .members
                        .push(Member::attach(session, &name, host, index, network)?);
                }
            }
        }
        drop(progress);
        for member in &cluster.members {
            let host = cluster.hosts[member.host].name();
            println!(
                "{} on host {host}: {} and {}",
                member.container.name(),
                member.v4,
                member.v6
            );
        }
        Ok(cluster)
    }

    pub(super) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The containers of `network`, host by host.
    pub(super) fn members<'a>(&'a self, network: &'a str) -> impl Iterator<Item = &'a Member> + 'a {
        self.members
            .iter()
            .filter(move |member| member.network == network)
    }

    /// Two of `network`'s containers on the first host, and one on the second.
    pub(super) fn trio<'a>(&'a self, network: &'a str) -> Result<[&'a Member; 3]> {
        let mut near = self.members(network).filter(|member| member.host == 0);
        let mut far = self.members(network).filter(|member| member.host == 1);
        let mut trio = || Some([near.next()?, near.next()?, far.next()?]);
        trio().with_context(|| format!("BUG: network {network} has too few containers"))
    }
}

impl Member {
    /// Attaches the new container `name` to `network` on `host`.
    fn attach(
        session: &Session,
        name: &str,
        host: &Host,
        index: usize,
        network: &'static str,
    ) -> Result<Self> {
        let container = Container::new(session, name)?;
        let attached = container.attach(host, network, &[])?;
        let v4 = attached.need_v4()?;
        let v6 = attached
            .v6
            .with_context(|| format!("{name} was given no IPv6 address"))?;
        Ok(Self {
            container,
            host: index,
            network,
            v4,
            v6,
        })
    }
}

fn config(underlay: &Underlay) -> StaticConfig {
    let nodes = (1..).zip(underlay.machines()).map(|(number, machine)| {
        let blocks = [
            format!("10.1.{number}.0/24"),
            format!("fd00:1::{number}:0/112"),
        ];
        let blocks = blocks.each_ref().map(String::as_str);
        Node::on(machine).blocks(BLUE, &blocks).blocks(RED, &blocks)
    });
    let subnets = ["10.1.0.0/16", "fd00:1::/64"];
    let networks = vec![
        Network::new(BLUE, 4096, &subnets),
        Network::new(RED, 4097, &subnets),
    ];
    StaticConfig::new(nodes.collect(), networks)
}
