//! Services without us: a bridge and a routed vxlan device on each host, and nftables that leads VIPs to servers as
//! kube-proxy has it do: one verdict map from address, protocol and port to a chain for each service, which picks an
//! endpoint's chain at random, which rewrites the destination.

use std::{fmt::Write as _, net::Ipv4Addr};

use anyhow::{Context as _, Result, bail};
use overlay_tests::{Machine, Namespace, Session, Underlay, Wiring, process};

use super::BACKENDS;
use crate::bench::measure::{PORT, Route};

/// The first VIP, whose service is measured.
const VIP: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);

/// Where iperf3 listens.
const IPERF: u16 = 5201;

const OVERHEAD: u32 = 50;

/// Services that one transaction adds.
const BATCH: u32 = 2500;

/// The hosts, and how many services the first one balances.
pub(super) struct Kube {
    client: Namespace,
    server: Namespace,
    host: Namespace,
    services: u32,
    _underlay: Underlay,
}

impl Kube {
    /// Starts it without services.
    pub(super) fn start(session: &Session, wiring: Wiring) -> Result<Self> {
        let underlay = Underlay::build(session, "kube", &["a", "b"], wiring)?;
        let [a, b] = underlay.machines() else {
            bail!("an underlay of two hosts has other hosts")
        };
        let client = host(session, a, 1, "kube-client", wiring.mtu - OVERHEAD)?;
        let server = host(session, b, 2, "kube-server", wiring.mtu - OVERHEAD)?;
        join(a, (2, b))?;
        join(b, (1, a))?;
        load(&a.namespace, TABLE)?;
        Ok(Self {
            client,
            server,
            host: a.namespace.clone(),
            services: 0,
            _underlay: underlay,
        })
    }

    /// Adds services until there are so many.
    pub(super) fn grow(&mut self, count: u32) -> Result<()> {
        while self.services < count {
            let next = count.min(self.services + BATCH);
            let mut rules = String::new();
            for number in self.services..next {
                rules += &service(number)?;
            }
            load(&self.host, &rules)?;
            self.services = next;
        }
        Ok(())
    }

    /// To the server itself.
    pub(super) fn direct(&self) -> Route {
        self.route(container(2))
    }

    /// To the VIP.
    pub(super) fn vip(&self) -> Route {
        self.route(VIP)
    }

    fn route(&self, address: Ipv4Addr) -> Route {
        Route {
            client: self.client.clone(),
            server: self.server.clone(),
            address: address.into(),
        }
    }
}

fn gateway(place: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, place, 1)
}

fn container(place: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, place, 2)
}

/// A MAC of the vxlan device that the other host can know beforehand.
fn mac(place: u8) -> String {
    format!("02:56:58:00:00:{place:02x}")
}

/// A bridge with one container behind it, and a vxlan device beside it.
fn host(
    session: &Session,
    machine: &Machine,
    place: u8,
    name: &str,
    mtu: u32,
) -> Result<Namespace> {
    let namespace = session.namespace(name)?;
    let (gateway, address) = (gateway(place), container(place));
    let local = machine.address();
    machine.namespace.sysctl("net.ipv4.ip_forward", "1")?;
    machine.namespace.ip(&[
        format!("link add br0 mtu {mtu} type bridge"),
        format!("address add {gateway}/24 dev br0"),
        "link set br0 up".to_owned(),
        format!(
            "link add port mtu {mtu} type veth peer name eth0 mtu {mtu} netns {}",
            namespace.name()
        ),
        "link set port master br0 up".to_owned(),
        format!(
            "link add vx0 mtu {mtu} address {} type vxlan id 1 local {local} dstport 8472 nolearning",
            mac(place)
        ),
        format!("address add 10.1.{place}.0/32 dev vx0"),
        "link set vx0 up".to_owned(),
    ])?;
    namespace.ip(&[
        format!("address add {address}/24 dev eth0"),
        "link set eth0 up".to_owned(),
        format!("route add default via {gateway}"),
    ])?;
    Ok(namespace)
}

/// The way to the other host's containers.
fn join(machine: &Machine, (place, other): (u8, &Machine)) -> Result<()> {
    let mac = mac(place);
    machine.namespace.ip(&[
        format!("neighbour add 10.1.{place}.0 lladdr {mac} dev vx0 nud permanent"),
        format!("route add 10.1.{place}.0/24 via 10.1.{place}.0 dev vx0 onlink"),
    ])?;
    let entry = format!("fdb append {mac} dev vx0 dst {}", other.address());
    machine.namespace.bridge(&[entry]).map(drop)
}

const TABLE: &str = "table ip kube-proxy {
    map service-ips {
        type ipv4_addr . inet_proto . inet_service : verdict
    }
    chain services {
        ip daddr . meta l4proto . th dport vmap @service-ips
    }
    chain prerouting {
        type nat hook prerouting priority dstnat; policy accept;
        goto services
    }
}
";

/// What kube-proxy writes for a service; those that are not measured lead to the same server.
fn service(number: u32) -> Result<String> {
    let vip = Ipv4Addr::from(u32::from(VIP) + number);
    let server = container(2);
    let mut rules = String::new();
    let mut picks = Vec::new();
    for endpoint in 0..BACKENDS {
        writeln!(
            rules,
            "add chain ip kube-proxy endpoint-{number}-{endpoint}"
        )?;
        writeln!(
            rules,
            "add rule ip kube-proxy endpoint-{number}-{endpoint} dnat to {server}"
        )?;
        picks.push(format!("{endpoint} : goto endpoint-{number}-{endpoint}"));
    }
    writeln!(rules, "add chain ip kube-proxy service-{number}")?;
    writeln!(
        rules,
        "add rule ip kube-proxy service-{number} numgen random mod {BACKENDS} vmap {{ {} }}",
        picks.join(", ")
    )?;
    for (protocol, port) in [("tcp", PORT), ("udp", PORT), ("tcp", IPERF)] {
        writeln!(
            rules,
            "add element ip kube-proxy service-ips {{ {vip} . {protocol} . {port} : goto \
             service-{number} }}"
        )?;
    }
    Ok(rules)
}

fn load(namespace: &Namespace, rules: &str) -> Result<()> {
    let mut nft = namespace.command("nft");
    process::feed(nft.args(["-f", "-"]), rules)
        .map(drop)
        .context("loading nftables rules")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_found_by_address_protocol_and_port() {
        let rules = service(256).expect("rules");

        assert!(
            rules.contains("10.96.1.1 . udp . 7000 : goto service-256"),
            "{rules}"
        );
        assert!(rules.contains("endpoint-256-0 dnat to 10.1.2.2"), "{rules}");
    }
}
