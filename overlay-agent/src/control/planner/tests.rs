use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::*;
use crate::{
    control::{Hook, Program, UnderlayDevice, numbers},
    model::{
        Desired, Encap, Exact, MacAddress, Network, Node, PeerId, Place, RemoteEndpoint, Vni, Way,
    },
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn blue() -> Vni {
    Vni::try_from(4096).unwrap()
}

fn node(name: &str, address: &str, block: &str) -> Node {
    Node {
        name: name.to_owned(),
        address: ip(address),
        blocks: BTreeMap::from([(blue(), vec![block.parse().unwrap()])]),
        endpoints: Vec::new(),
    }
}

fn three_nodes() -> Desired {
    let mut last = node("k", "192.0.2.3", "10.1.0.128/26");
    last.endpoints = vec![RemoteEndpoint {
        vni: blue(),
        address: ip("10.1.0.200"),
        mac: Some(MacAddress([2, 2, 2, 2, 2, 2])),
    }];
    Desired {
        ingress: None,
        this: ip("192.0.2.1"),
        nodes: vec![
            node("a", "192.0.2.1", "10.1.0.0/26"),
            node("b", "192.0.2.2", "10.1.0.64/26"),
            last,
        ],
        networks: vec![Network {
            name: "blue".to_owned(),
            vni: blue(),
            subnets: vec!["10.1.0.0/24".parse().unwrap(), "fd00::/64".parse().unwrap()],
            gateways: vec![ip("10.1.0.1"), ip("fd00::1")],
            mtu: None,
        }],
        internal: std::collections::BTreeSet::new(),
        encrypted: std::collections::BTreeSet::new(),
    }
}

fn way(ifindex: u32, next_hop: &str, mtu: u32, is_ethernet: bool) -> Way {
    Way {
        ifindex,
        next_hop: ip(next_hop),
        mtu,
        is_ethernet,
    }
}

struct Scene {
    desired: Desired,
    exact: BTreeMap<Place, Exact>,
    numbers: BTreeMap<IpAddr, PeerId>,
    ways: BTreeMap<IpAddr, Way>,
    own_device: Option<UnderlayDevice>,
    own_addresses: BTreeMap<IpAddr, u32>,
}

impl Scene {
    fn new() -> Self {
        let desired = three_nodes();
        let others = desired.others().map(|node| node.address);
        let numbers = numbers::assign(&BTreeMap::new(), others);
        Self {
            desired,
            exact: BTreeMap::new(),
            numbers,
            ways: BTreeMap::from([
                (ip("192.0.2.2"), way(2, "192.0.2.2", 1500, true)),
                (ip("192.0.2.3"), way(3, "198.51.100.1", 1400, true)),
            ]),
            own_device: Some(UnderlayDevice {
                ifindex: 2,
                mtu: 1500,
                is_ethernet: true,
            }),
            own_addresses: BTreeMap::from([(ip("192.0.2.1"), 2)]),
        }
    }

    fn facts(&self, encap: Encap) -> Facts<'_> {
        Facts {
            desired: &self.desired,
            exact: &self.exact,
            encap,
            numbers: &self.numbers,
            ways: &self.ways,
            own_device: self.own_device,
            own_addresses: &self.own_addresses,
        }
    }
}

#[test]
fn others_are_routed_and_this_node_is_not() {
    let scene = Scene::new();

    let tables = remote_tables(scene.facts(Encap::Auto));

    let of_nodes = tables
        .blocks
        .iter()
        .filter(|(_, route)| route.peer != PeerId::NOBODY);
    let blocks: Vec<String> = of_nodes.map(|((_, block), _)| block.to_string()).collect();
    assert_eq!(blocks, ["10.1.0.64/26", "10.1.0.128/26"]);
    let route = tables.routes[&Place {
        vni: blue(),
        address: ip("10.1.0.200"),
    }];
    assert_eq!(route.mac, Some(MacAddress([2, 2, 2, 2, 2, 2])));
    assert_eq!(tables.peers[&route.peer].remote, ip("192.0.2.3"));
    assert_eq!(tables.peers[&route.peer].local, ip("192.0.2.1"));
    assert_eq!(tables.peers[&route.peer].next_hop, Some(ip("198.51.100.1")));
    assert_eq!(tables.peers.len(), 2);
}

#[test]
fn what_nobody_has_in_a_subnet_is_nobodys() {
    let scene = Scene::new();
    let subnet = scene.desired.networks[0].subnets[0];

    let tables = remote_tables(scene.facts(Encap::Auto));

    assert_eq!(tables.blocks[&(blue(), subnet)].peer, PeerId::NOBODY);
}

#[test]
fn the_narrowest_way_decides_the_mtu_unless_one_is_configured() {
    let mut scene = Scene::new();

    assert_eq!(networks(scene.facts(Encap::Auto))[&blue()].mtu, 1350);

    scene.desired.networks[0].mtu = Some(1280);
    assert_eq!(networks(scene.facts(Encap::Auto))[&blue()].mtu, 1280);
}

#[test]
fn without_any_way_the_own_device_decides_the_mtu() {
    let mut scene = Scene::new();
    scene.ways.clear();
    scene.own_device = Some(UnderlayDevice {
        ifindex: 2,
        mtu: 9000,
        is_ethernet: true,
    });

    assert_eq!(networks(scene.facts(Encap::Auto))[&blue()].mtu, 8950);
}

#[test]
fn an_ipv6_underlay_costs_twenty_bytes_more() {
    let mut scene = Scene::new();
    scene.desired.this = ip("2001:db8::1");
    scene.desired.nodes[0].address = ip("2001:db8::1");
    scene.desired.nodes[1].address = ip("2001:db8::2");
    scene.desired.nodes.truncate(2);
    scene.numbers = numbers::assign(&BTreeMap::new(), [ip("2001:db8::2")]);
    scene.ways = BTreeMap::from([(ip("2001:db8::2"), way(2, "2001:db8::2", 1500, true))]);

    assert_eq!(networks(scene.facts(Encap::Auto))[&blue()].mtu, 1430);
}

#[test]
fn a_device_without_ethernet_is_left_to_the_kernel() {
    let mut scene = Scene::new();
    scene
        .ways
        .insert(ip("192.0.2.3"), way(3, "192.0.2.3", 1420, false));

    let peers = peers(scene.facts(Encap::Auto));
    let hooks = underlay_hooks(scene.facts(Encap::Auto));

    let encap = |address| peers[&scene.numbers[&ip(address)]].encap;
    assert_eq!(encap("192.0.2.2"), Encap::Native);
    assert_eq!(encap("192.0.2.3"), Encap::Device);
    let hook = Hook {
        program: Program::FromUnderlay,
        ifindex: 2,
    };
    assert_eq!(hooks, BTreeSet::from([hook]));
}

#[test]
fn device_mode_leaves_the_whole_underlay_to_the_kernel() {
    let scene = Scene::new();

    assert!(underlay_hooks(scene.facts(Encap::Device)).is_empty());
    let peers = peers(scene.facts(Encap::Device));
    assert!(peers.values().all(|peer| peer.encap == Encap::Device));
}

#[test]
fn a_peer_without_a_way_stays_known() {
    let mut scene = Scene::new();
    scene.ways.remove(&ip("192.0.2.3"));

    let peers = peers(scene.facts(Encap::Auto));

    let peer = peers[&scene.numbers[&ip("192.0.2.3")]];
    assert_eq!((peer.ifindex, peer.next_hop), (0, None));
}

#[test]
fn an_address_that_no_block_tells_is_routed_to_its_node() {
    let mut scene = Scene::new();
    let place = |address| Place {
        vni: blue(),
        address: ip(address),
    };
    let exact = |node| Exact {
        node: ip(node),
        mac: None,
    };
    scene.exact.insert(place("10.1.0.5"), exact("192.0.2.2"));
    scene.exact.insert(place("10.1.0.6"), exact("192.0.2.99"));

    let routes = routes(scene.facts(Encap::Auto));

    let route = routes[&place("10.1.0.5")];
    assert_eq!(route.peer, scene.numbers[&ip("192.0.2.2")]);
    assert!(
        !routes.contains_key(&place("10.1.0.6")),
        "nobody is there to send it to"
    );
}
