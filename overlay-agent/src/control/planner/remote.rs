//! Tables that follow from the cluster and the underlay.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use crate::{
    control::{Hook, Program, UnderlayDevice},
    model::{
        Desired, Encap, Exact, Network, NetworkEntry, Node, PeerEntry, PeerId, Place, RemoteTables,
        RouteEntry, Vni, Way,
    },
};

/// Bytes that VXLAN adds to a packet on an IPv4 underlay: outer IPv4, UDP, VXLAN and inner Ethernet
/// (RFC 7348).
pub const OVERHEAD_V4: u32 = 20 + 8 + 8 + 14;

/// The same on an IPv6 underlay.
pub const OVERHEAD_V6: u32 = 40 + 8 + 8 + 14;

/// What the underlay most likely carries while nothing is known of it.
const USUAL_MTU: u32 = 1500;

/// All that the tables follow from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What the cluster wants.
    pub desired: &'a Desired,
    /// Nodes with single addresses beside those that `desired` lists.
    pub exact: &'a BTreeMap<Place, Exact>,
    /// How packets should be encapsulated.
    pub encap: Encap,
    /// The numbers of the other nodes, by underlay address.
    pub numbers: &'a BTreeMap<IpAddr, PeerId>,
    /// The ways to the other nodes, by underlay address.
    pub ways: &'a BTreeMap<IpAddr, Way>,
    /// The device that has this node's underlay address.
    pub own_device: Option<UnderlayDevice>,
    /// This node's own addresses, each with the device from which its answers leave, or 0.
    pub own_addresses: &'a BTreeMap<IpAddr, u32>,
}

impl<'a> Facts<'a> {
    /// The other nodes with their numbers.
    fn peers(self) -> impl Iterator<Item = (PeerId, &'a Node)> {
        let others = self.desired.others();
        others.filter_map(move |node| Some((*self.numbers.get(&node.address)?, node)))
    }

    /// What the underlay leaves for a packet inside the networks that are encrypted, or inside the others, bytes.
    pub fn inner_mtu(self, is_encrypted: bool) -> u32 {
        let inner = |address: IpAddr, mtu: u32| {
            let mtu = if is_encrypted {
                within_esp(address, mtu)
            } else {
                mtu
            };
            mtu.saturating_sub(overhead(address))
        };
        let ways = self.peers().filter_map(|(_, node)| {
            let way = self.ways.get(&node.address)?;
            Some(inner(node.address, way.mtu))
        });
        ways.min().unwrap_or_else(|| {
            let outer = self.own_device.map_or(USUAL_MTU, |device| device.mtu);
            inner(self.desired.this, outer)
        })
    }
}

/// All remote tables.
pub fn remote_tables(facts: Facts<'_>) -> RemoteTables {
    RemoteTables {
        peers: peers(facts),
        routes: routes(facts),
        blocks: blocks(facts),
        networks: networks(facts),
        own_addresses: facts.own_addresses.clone(),
        ports: BTreeMap::new(),
    }
}

/// How each peer is reached.
pub fn peers(facts: Facts<'_>) -> BTreeMap<PeerId, PeerEntry> {
    let entry = |(id, node): (PeerId, &Node)| {
        let way = facts.ways.get(&node.address);
        let fallback_mtu = facts.own_device.map_or(USUAL_MTU, |device| device.mtu);
        let entry = PeerEntry {
            local: facts.desired.this,
            remote: node.address,
            next_hop: way.map(|way| way.next_hop),
            ifindex: way.map_or(0, |way| way.ifindex),
            mtu: way.map_or(fallback_mtu, |way| way.mtu),
            encap: encap(facts.encap, way),
        };
        (id, entry)
    };
    facts.peers().map(entry).collect()
}

/// Networks with the MTU that was configured, else what the narrowest way leaves.
pub fn networks(facts: Facts<'_>) -> BTreeMap<Vni, NetworkEntry> {
    let [plain, encrypted] = [false, true].map(|is_encrypted| facts.inner_mtu(is_encrypted));
    let networks = facts.desired.networks.iter();
    let entry = |network: &Network| {
        let gateways = &network.gateways;
        let is_encrypted = facts.desired.encrypted.contains(&network.vni);
        let narrowest = if is_encrypted { encrypted } else { plain };
        let entry = NetworkEntry {
            gateway_ipv4: gateways.iter().copied().find(IpAddr::is_ipv4),
            gateway_ipv6: gateways.iter().copied().find(IpAddr::is_ipv6),
            mtu: network.mtu.unwrap_or(narrowest),
            is_internal: facts.desired.internal.contains(&network.vni),
            is_encrypted,
        };
        (network.vni, entry)
    };
    networks.map(entry).collect()
}

/// Single addresses of the other nodes.
pub fn routes(facts: Facts<'_>) -> BTreeMap<Place, RouteEntry> {
    let mut routes = Vec::new();
    for (peer, node) in facts.peers() {
        routes.extend(node.endpoints.iter().map(|endpoint| {
            let place = Place {
                vni: endpoint.vni,
                address: endpoint.address,
            };
            (
                place,
                RouteEntry {
                    peer,
                    mac: endpoint.mac,
                },
            )
        }));
    }
    routes.extend(facts.exact.iter().filter_map(|(place, exact)| {
        let entry = route_entry(facts.numbers, exact)?;
        Some((*place, entry))
    }));
    // Sorted input is what makes a million of them quick to collect.
    routes.sort_unstable_by_key(|(place, _)| *place);
    routes.into_iter().collect()
}

/// The route to a single address; none while its node has no number.
pub fn route_entry(numbers: &BTreeMap<IpAddr, PeerId>, exact: &Exact) -> Option<RouteEntry> {
    let peer = *numbers.get(&exact.node)?;
    let mac = exact.mac;
    Some(RouteEntry { peer, mac })
}

/// Address blocks of the other nodes. This node's own are not routed: an address in them that no
/// endpoint has is nobody's, as is what no block of a network's subnets has.
pub fn blocks(facts: Facts<'_>) -> BTreeMap<(Vni, IpNet), RouteEntry> {
    let of_node = |(peer, node): (PeerId, &Node)| {
        let blocks = node.blocks.iter();
        let keys = blocks.flat_map(|(vni, blocks)| blocks.iter().map(|block| (*vni, *block)));
        keys.map(|key| (key, RouteEntry { peer, mac: None }))
            .collect::<Vec<_>>()
    };
    let nobodys = facts.desired.networks.iter().flat_map(|network| {
        let subnets = network.subnets.iter();
        subnets.map(|subnet| ((network.vni, subnet.trunc()), NOBODY))
    });
    // A node that has a whole subnet for its block comes later, and wins.
    nobodys.chain(facts.peers().flat_map(of_node)).collect()
}

/// What keeps an address that nobody has from leaving for the outside.
const NOBODY: RouteEntry = RouteEntry {
    peer: PeerId::NOBODY,
    mac: None,
};

/// Largest layer-3 packet that every network takes from outside, bytes.
pub fn gateway_mtu(networks: &BTreeMap<Vni, NetworkEntry>) -> u32 {
    let least = networks.values().map(|network| network.mtu).min();
    least.unwrap_or(USUAL_MTU - OVERHEAD_V6)
}

/// Where tunnelled packets come in: every Ethernet device on the way to a peer, and the one with this
/// node's address. On other devices, and when the kernel's device is to do all the work, they reach
/// the vxlan device by themselves.
pub fn underlay_hooks(facts: Facts<'_>) -> BTreeSet<Hook> {
    if facts.encap == Encap::Device {
        return BTreeSet::new();
    }
    on_underlay(facts, Program::FromUnderlay)
}

/// Where tunnelled packets leave that should have been encrypted, had the kernel's policies not been taken away.
pub fn guard_hooks(facts: Facts<'_>) -> BTreeSet<Hook> {
    on_underlay(facts, Program::ToUnderlay)
}

fn on_underlay(facts: Facts<'_>, program: Program) -> BTreeSet<Hook> {
    let ways = facts
        .peers()
        .filter_map(|(_, node)| facts.ways.get(&node.address));
    let devices = ways.filter(|way| way.is_ethernet).map(|way| way.ifindex);
    let own = facts.own_device.filter(|device| device.is_ethernet);
    devices
        .chain(own.map(|device| device.ifindex))
        .map(|ifindex| Hook { program, ifindex })
        .collect()
}

fn encap(wish: Encap, way: Option<&Way>) -> Encap {
    match wish {
        Encap::Device => Encap::Device,
        Encap::Native | Encap::Auto => match way {
            Some(way) if !way.is_ethernet => Encap::Device,
            Some(_) | None => Encap::Native,
        },
    }
}

/// The largest packet to this underlay address that ESP in transport mode makes one of at most `mtu` bytes: it adds
/// SPI and sequence number, an initialisation vector, padding to four bytes, two bytes about it, and a check value
/// (RFC 4303; RFC 4106).
pub fn within_esp(address: IpAddr, mtu: u32) -> u32 {
    let header = match address {
        IpAddr::V4(_) => 20,
        IpAddr::V6(_) => 40,
    };
    let encrypted = mtu.saturating_sub(header + 8 + 8 + 16) & !3;
    match encrypted.checked_sub(2) {
        Some(payload) => header + payload,
        None => 0,
    }
}

/// Bytes that VXLAN adds to a packet on the way to this underlay address.
pub fn overhead(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => OVERHEAD_V4,
        IpAddr::V6(_) => OVERHEAD_V6,
    }
}
