//! Published ports: clients outside, this node as the one that is asked and as the task's.

mod mesh;
mod refusals;

use std::net::IpAddr;

use aya::maps::{Array, HashMap};
pub(crate) use mesh::{from_asked, from_far_task};
use overlay_common::{
    abi::{
        self,
        program::{FROM_CONTAINER, FROM_UNDERLAY},
    },
    address::Address,
    node::Node,
    reason::Reason,
    service::{
        EVERY_IPV4, EVERY_IPV6, PORT_DIRECT_RETURN, PORT_HOST, PortKey, PublishedPort, RING_SINGLE,
        Ring,
    },
    walk::Walk,
};

use crate::{
    fixture::{
        Action, Fixture, LOCAL_VTEP, LOCAL_VTEP_V6, Outcome, PEER_VTEP, PORT, SERVER_MAC, VNI,
    },
    packet::{self, Ipv4, between, ethernet, tcp, udp},
    services::{Family, families},
};

const INGRESS: u32 = 4099;
const CLIENT_PORT: u16 = 40_000;
/// Led to the task of this node.
const NEAR: u16 = 8080;
/// Led to the other node's task, and on this node to its own.
pub(crate) const FAR: u16 = 8081;
/// Nobody is behind it.
const EMPTY: u16 = 8082;
/// As `FAR`, with direct return.
const DIRECT: u16 = 8083;
/// Led to the task of this node by this node only.
const HOST: u16 = 8084;
const TARGET: u16 = 80;

pub(crate) const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;
pub(crate) const SYN: u8 = 2;
pub(crate) const ACK: u8 = 16;

/// Test packets enter through the loopback device, whose Ethernet address is zero.
const HOST_MAC: [u8; 6] = [0; 6];
const ROUTER_MAC: [u8; 6] = [2, 5, 5, 5, 5, 5];
const GATEWAY_MAC: [u8; 6] = [2, 0x42, 0, 0, 0, 1];

/// A client outside, and this node as it knows it.
fn outside(family: &Family) -> (IpAddr, IpAddr) {
    if family.client.is_ipv4() {
        (IpAddr::from([198, 51, 100, 7]), LOCAL_VTEP.into())
    } else {
        let mut client = LOCAL_VTEP_V6;
        client[7] = 7;
        (client.into(), LOCAL_VTEP_V6.into())
    }
}

/// The address at which the other node is asked.
fn other_node(family: &Family) -> IpAddr {
    if family.client.is_ipv4() {
        PEER_VTEP.into()
    } else {
        let mut other = LOCAL_VTEP_V6;
        other[15] = 2;
        other.into()
    }
}

pub(crate) fn published() -> Fixture {
    let mut fixture = Fixture::new();
    let mut node: Array<_, Node> = fixture.map(abi::map::NODE);
    let mut entry = node.get(&0, 0).expect("the node");
    entry.ingress_vni = INGRESS;
    node.set(0, entry, 0).expect("set the node");
    let mut own: HashMap<_, Address, u32> = fixture.map(abi::map::OWN_ADDRESS);
    for address in [
        Address::from_v4(LOCAL_VTEP),
        Address::from_v6(LOCAL_VTEP_V6),
    ] {
        own.insert(address, 1, 0).expect("insert");
    }
    for family in families() {
        let single = |first| Ring {
            first,
            size: RING_SINGLE,
        };
        let empty = Ring { first: 0, size: 0 };
        let (near, far) = (single(family.backend), single(family.backend + 1));
        for (port, everywhere, here, flags) in [
            (NEAR, near, near, 0),
            (FAR, far, near, 0),
            (EMPTY, empty, empty, 0),
            (DIRECT, far, near, PORT_DIRECT_RETURN),
            (HOST, far, near, PORT_HOST),
        ] {
            for protocol in [TCP, UDP, SCTP] {
                fixture.publish(&family, (port, protocol), everywhere, here, flags);
            }
        }
    }
    fixture
}

impl Fixture {
    /// Sets flags of every published port.
    pub(crate) fn mark_ports(&mut self, flags: u16) {
        let mut ports: HashMap<_, PortKey, PublishedPort> = self.map(abi::map::PORT);
        let keys: Vec<PortKey> = ports.keys().map(|key| key.expect("a key")).collect();
        for key in keys {
            let mut port = ports.get(&key, 0).expect("a port");
            port.flags |= flags;
            ports.insert(key, port, 0).expect("insert");
        }
    }

    fn publish(
        &mut self,
        family: &Family,
        (port, protocol): (u16, u8),
        everywhere: Ring,
        here: Ring,
        flags: u16,
    ) {
        let mut ports: HashMap<_, PortKey, PublishedPort> = self.map(abi::map::PORT);
        let key = PortKey {
            address: if family.client.is_ipv4() {
                EVERY_IPV4
            } else {
                EVERY_IPV6
            },
            port: port.to_be_bytes(),
            protocol,
            _reserved: [0; 5],
        };
        let value = PublishedPort {
            everywhere,
            here,
            service: 1,
            vni: VNI,
            target: TARGET.to_be_bytes(),
            flags,
            _reserved: 0,
        };
        ports.insert(key, value, 0).expect("insert");
    }
}

/// A transport header and its payload.
fn message(protocol: u8, ports: [u16; 2], flags: u8) -> Vec<u8> {
    match protocol {
        TCP => tcp(ports, flags, &[7; 20]),
        _ => udp(ports[0], ports[1], &[7; 20]),
    }
}

pub(crate) fn from_client(family: &Family, protocol: u8, port: u16, flags: u8) -> Vec<u8> {
    let (client, node) = outside(family);
    let message = message(protocol, [CLIENT_PORT, port], flags);
    between((ROUTER_MAC, HOST_MAC), client, node, protocol, &message)
}

/// What the task of this node answers.
pub(crate) fn from_task(family: &Family, protocol: u8, flags: u8) -> Vec<u8> {
    let (client, _) = outside(family);
    let message = message(protocol, [TARGET, CLIENT_PORT], flags);
    let macs = (SERVER_MAC, GATEWAY_MAC);
    between(macs, family.server, client, protocol, &message)
}

/// A frame from another node in the ingress network.
pub(crate) fn carried(source: [u8; 4], frame: &[u8]) -> Vec<u8> {
    let udp = packet::udp(40000, PORT, &packet::vxlan(INGRESS, frame));
    let ip = Ipv4::udp().around(source, LOCAL_VTEP, &udp);
    ethernet(ROUTER_MAC, HOST_MAC, 0x0800, &ip)
}

/// The frame inside of a packet for peer 1 in the ingress network.
fn unwrapped(outcome: &Outcome) -> &[u8] {
    let packet = &outcome.packet;
    assert_eq!(packet[26..30], LOCAL_VTEP);
    assert_eq!(packet[30..34], PEER_VTEP);
    let [_, a, b, c] = INGRESS.to_be_bytes();
    assert_eq!(packet[42..50], [8, 0, 0, 0, a, b, c, 0]);
    &packet[50..]
}

fn expect(outcome: &Outcome, walk: Walk) {
    assert_eq!(outcome.reasons, []);
    assert_eq!(outcome.walks, [(walk, 1)]);
    assert_eq!(outcome.action, Action::Redirect);
}

fn expect_drop(outcome: &Outcome, reason: Reason) {
    assert_eq!(outcome.walks, []);
    assert_eq!(outcome.reasons, [(reason, 1)]);
    assert_eq!(outcome.action, Action::Drop);
}

#[test]
fn a_client_reaches_a_task_of_the_asked_node_and_hears_the_node() {
    let mut fixture = published();
    fixture.send_as_server();
    for family in families() {
        let (client, node) = outside(&family);
        for (protocol, port) in [(TCP, NEAR), (UDP, NEAR), (TCP, HOST)] {
            let asked = fixture.run(FROM_UNDERLAY, &from_client(&family, protocol, port, SYN));
            let answered = fixture.run(FROM_CONTAINER, &from_task(&family, protocol, SYN | ACK));
            let again = fixture.run(FROM_UNDERLAY, &from_client(&family, protocol, port, ACK));

            let sent = |flags| message(protocol, [CLIENT_PORT, TARGET], flags);
            let macs = (ROUTER_MAC, SERVER_MAC);
            for (outcome, flags) in [(&asked, SYN), (&again, ACK)] {
                expect(outcome, Walk::Published);
                let arrived = between(macs, client, family.server, protocol, &sent(flags));
                assert_eq!(outcome.packet, arrived);
            }
            expect(&answered, Walk::PublishedAnswer);
            let heard = message(protocol, [port, CLIENT_PORT], SYN | ACK);
            let heard = between((SERVER_MAC, GATEWAY_MAC), node, client, protocol, &heard);
            assert_eq!(answered.packet, heard);
            // One client, one port of its own, one task: the next connection is another one.
            fixture.forget_flows();
        }
    }
}

#[test]
fn the_hosts_own_traffic_passes() {
    let mut fixture = published();
    for family in families() {
        let (client, node) = outside(&family);
        let mut elsewhere = node;
        if let IpAddr::V4(address) = &mut elsewhere {
            *address = [192, 0, 2, 77].into();
        }
        let mut cases = vec![
            from_client(&family, TCP, 22, SYN),
            from_client(&family, UDP, 53, 0),
            // An answer to the host's own question from that port.
            between(
                (ROUTER_MAC, HOST_MAC),
                client,
                node,
                TCP,
                &tcp([NEAR, CLIENT_PORT], ACK, &[]),
            ),
        ];
        if elsewhere != node {
            let message = tcp([CLIENT_PORT, NEAR], SYN, &[]);
            cases.push(between(
                (ROUTER_MAC, HOST_MAC),
                client,
                elsewhere,
                TCP,
                &message,
            ));
        }
        for packet in cases {
            let outcome = fixture.run(FROM_UNDERLAY, &packet);

            assert_eq!((outcome.walks, outcome.reasons), (vec![], vec![]));
            assert_eq!(outcome.action, Action::Pass);
            assert_eq!(outcome.packet, packet);
        }
    }
}

#[test]
fn what_a_container_sends_to_nobody_is_no_answer() {
    let mut fixture = published();
    fixture.send_as_server();
    for family in families() {
        let outcome = fixture.run(FROM_CONTAINER, &from_task(&family, TCP, ACK));

        expect_drop(&outcome, Reason::NoRoute);
    }
}
