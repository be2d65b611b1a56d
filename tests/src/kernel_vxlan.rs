//! The kernel's own overlay: a Linux bridge and a vxlan device with static entries, wired as Docker wires them.
//!
//! Stands beside the agent for comparison, and opposite it for interoperation.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context, Result};

use crate::{Machine, Namespace, Session, underlay::DEVICE};

/// Bytes that VXLAN adds over IPv4 and over IPv6.
const OVERHEAD_V4: u32 = 50;
const OVERHEAD_V6: u32 = 70;

/// A network as the kernel's devices need to know it.
#[derive(Clone, Copy, Debug)]
pub struct KernelNetwork {
    /// VXLAN network identifier.
    pub vni: u32,
    /// UDP port.
    pub port: u16,
    /// MTU of the underlay, in bytes; the inner one follows from it.
    pub underlay_mtu: u32,
}

/// How a [`KernelHost`] finds what is not its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    /// By the entries of [`KernelHost::add_remote`] alone.
    Entries,
    /// By asking everybody, and learning from what arrives.
    Flood,
}

/// A machine with a bridge `br0` and a vxlan device `vxlan0` on it.
#[derive(Clone, Debug)]
pub struct KernelHost {
    machine: Machine,
    mtu: u32,
    ports: u32,
}

/// A container on the bridge of a [`KernelHost`].
#[derive(Clone, Debug)]
pub struct KernelContainer {
    /// Its namespace; the interface is `eth0`.
    pub namespace: Namespace,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Its MAC.
    pub mac: String,
}

impl KernelHost {
    /// Makes the devices on `machine`. What is elsewhere is found by the entries of [`KernelHost::add_remote`].
    pub fn new(machine: &Machine, network: KernelNetwork) -> Result<Self> {
        Self::make(machine, network, Search::Entries)
    }

    /// Makes the devices on `machine`. What is elsewhere is found as on one segment: questions and packets for
    /// unknown MACs go to all `others`, by their underlay addresses, and answers are learned from.
    pub fn flooding(machine: &Machine, network: KernelNetwork, others: &[IpAddr]) -> Result<Self> {
        let host = Self::make(machine, network, Search::Flood)?;
        let entries: Vec<String> = others
            .iter()
            .map(|other| {
                format!("fdb append 00:00:00:00:00:00 dev vxlan0 dst {other} self permanent")
            })
            .collect();
        machine.namespace.bridge(&entries)?;
        Ok(host)
    }

    fn make(machine: &Machine, network: KernelNetwork, search: Search) -> Result<Self> {
        let local = machine.address();
        let (overhead, checksums) = if local.is_ipv4() {
            (OVERHEAD_V4, "")
        } else {
            // RFC 6935 allows tunnels to leave the sum out; this host has to be told that others do.
            (OVERHEAD_V6, "udp6zerocsumrx")
        };
        let search = match search {
            Search::Entries => "nolearning proxy l2miss l3miss",
            Search::Flood => "learning",
        };
        let mtu = network.underlay_mtu - overhead;
        machine.namespace.ip(&[
            format!("link add br0 mtu {mtu} type bridge"),
            format!(
                "link add vxlan0 mtu {mtu} type vxlan id {vni} local {local} dev {DEVICE} dstport {port} \
                 {search} {checksums}",
                vni = network.vni,
                port = network.port,
            ),
            "link set vxlan0 master br0 up".to_owned(),
            "link set br0 up".to_owned(),
        ])?;
        Ok(Self {
            machine: machine.clone(),
            mtu,
            ports: 0,
        })
    }

    /// The machine below.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Makes the namespace `label` on the bridge, with `addresses` and the lengths of their prefixes. Its MAC
    /// follows from the first of them.
    pub fn container(
        &mut self,
        session: &Session,
        label: &str,
        addresses: &[(IpAddr, u8)],
    ) -> Result<KernelContainer> {
        let (first, _) = addresses.first().context("a container needs an address")?;
        let mac = mac_of(*first);
        let namespace = session.namespace(label)?;
        self.ports += 1;
        let port = format!("port{}", self.ports);
        self.machine.namespace.ip(&[
            format!(
                "link add {port} mtu {mtu} type veth peer name eth0 mtu {mtu} address {mac} netns {container}",
                mtu = self.mtu,
                container = namespace.name(),
            ),
            format!("link set {port} master br0 up"),
        ])?;
        let mut lines: Vec<String> = addresses
            .iter()
            .map(|(address, prefix)| assign(*address, *prefix))
            .collect();
        lines.push("link set eth0 up".to_owned());
        namespace.ip(&lines)?;
        Ok(KernelContainer {
            namespace,
            addresses: addresses.iter().map(|(address, _)| *address).collect(),
            mac,
        })
    }

    /// Enters that `address` with `mac` is behind the host `underlay`: one FDB and one neighbour entry.
    pub fn add_remote(&self, address: IpAddr, mac: &str, underlay: IpAddr) -> Result<()> {
        let namespace = &self.machine.namespace;
        namespace.bridge(&[format!(
            "fdb replace {mac} dev vxlan0 dst {underlay} self permanent"
        )])?;
        namespace.ip(&[format!(
            "neighbour replace {address} lladdr {mac} dev vxlan0 nud permanent"
        )])?;
        Ok(())
    }
}

/// The MAC that an automatically addressed endpoint has: `02:42` and its IPv4 address.
pub fn mac_of_v4(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("02:42:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

fn assign(address: IpAddr, prefix: u8) -> String {
    match address {
        IpAddr::V4(_) => format!("address add {address}/{prefix} dev eth0"),
        IpAddr::V6(_) => format!("address add {address}/{prefix} dev eth0 nodad"),
    }
}

fn mac_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => mac_of_v4(v4),
        IpAddr::V6(v6) => {
            let [.., a, b, c, d] = v6.octets();
            format!("02:46:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
        }
    }
}
