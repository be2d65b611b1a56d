//! What becomes of packets for virtual addresses, and of the answers to them. Packets are compared whole: what is
//! expected is made with the other address, and with checksums summed anew.

use std::net::IpAddr;

use overlay_common::{
    abi::{
        map::{FLOW, FLOW_NEW},
        program::{FROM_CONTAINER, FROM_UNDERLAY},
    },
    flow::{STATE_CLOSING, STATE_NEW, STATE_OPEN},
    reason::Reason,
    walk::Walk,
};

use crate::{
    fixture::{Action, CLIENT_MAC, Fixture, LOCAL_VTEP, PEER_VTEP, PORT, SERVER_MAC, VNI},
    packet::{self, Ipv4, between, checksum, ethernet, sealed, tcp, udp},
    services::{Family, families},
};

mod errors;
mod flows;
mod fragments;
mod refusals;

const ANY_MAC: [u8; 6] = [2, 1, 1, 1, 1, 1];
const REMOTE_MAC: [u8; 6] = [2, 0x42, 10, 1, 0, 70];
const HOST_MAC: [u8; 6] = [0; 6];

const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;
const ACK: u8 = 0x10;
const FIN_ACK: u8 = 0x11;
const RST: u8 = 0x04;

/// Protocols, and a packet of each from port or identifier 4000 to port 80.
fn there(family: &Family) -> Vec<(&'static str, u8, Vec<u8>)> {
    let is_v4 = family.client.is_ipv4();
    let (icmp, request) = if is_v4 { (1, 8) } else { (58, 128) };
    let sctp = [&[0x0f, 0xa0, 0, 80][..], &[7; 24]].concat();
    vec![
        ("TCP", 6, tcp([4000, 80], SYN, &[])),
        ("UDP", 17, udp(4000, 80, &[5; 40])),
        ("SCTP", 132, sctp),
        ("echo", icmp, vec![request, 0, 0, 0, 0x0f, 0xa0, 0, 1, 9, 9]),
        ("GRE", 47, vec![3; 32]),
    ]
}

/// The answers to these.
fn back(family: &Family) -> Vec<(&'static str, u8, Vec<u8>)> {
    let is_v4 = family.client.is_ipv4();
    let (icmp, reply) = if is_v4 { (1, 0) } else { (58, 129) };
    let sctp = [&[0, 80, 0x0f, 0xa0][..], &[8; 24]].concat();
    vec![
        ("TCP", 6, tcp([80, 4000], SYN_ACK, &[])),
        ("UDP", 17, udp(80, 4000, &[6; 40])),
        ("SCTP", 132, sctp),
        ("echo", icmp, vec![reply, 0, 0, 0, 0x0f, 0xa0, 0, 1, 9, 9]),
        ("GRE", 47, vec![4; 32]),
    ]
}

fn from_client(family: &Family, to: IpAddr, protocol: u8, transport: &[u8]) -> Vec<u8> {
    between(
        (CLIENT_MAC, ANY_MAC),
        family.client,
        to,
        protocol,
        transport,
    )
}

/// `frame` as the peer brings it.
fn carried(frame: &[u8]) -> Vec<u8> {
    let udp = udp(40000, PORT, &packet::vxlan(VNI, frame));
    let ip = Ipv4::udp().around(PEER_VTEP, LOCAL_VTEP, &udp);
    ethernet([2, 5, 5, 5, 5, 5], HOST_MAC, 0x0800, &ip)
}

#[test]
fn every_protocol_reaches_a_task_of_this_node_and_its_answers_come_from_the_vip() {
    for family in families() {
        let mut fixture = Fixture::new();
        for (name, protocol, transport) in there(&family) {
            let packet = from_client(&family, family.near, protocol, &transport);
            let outcome = fixture.run(FROM_CONTAINER, &packet);

            assert_eq!(outcome.walks, [(Walk::Balanced, 1)], "{name}");
            assert_eq!(outcome.reasons, [], "{name}");
            assert_eq!(outcome.action, Action::Redirect, "{name}");
            let macs = (CLIENT_MAC, SERVER_MAC);
            let expected = between(macs, family.client, family.server, protocol, &transport);
            assert_eq!(outcome.packet, expected, "{name}");
        }
        fixture.send_as_server();
        for (name, protocol, transport) in back(&family) {
            let macs = (SERVER_MAC, CLIENT_MAC);
            let packet = between(macs, family.server, family.client, protocol, &transport);
            let outcome = fixture.run(FROM_CONTAINER, &packet);

            assert_eq!(outcome.walks, [(Walk::BalancedAnswer, 1)], "{name}");
            let expected = between(macs, family.near, family.client, protocol, &transport);
            assert_eq!(outcome.packet, expected, "{name}");
        }
    }
}

#[test]
fn every_protocol_reaches_a_task_of_another_node_and_its_answers_come_from_the_vip() {
    for family in families() {
        let mut fixture = Fixture::new();
        fixture.remove_blocks();
        for (name, protocol, transport) in there(&family) {
            let packet = from_client(&family, family.far, protocol, &transport);
            let outcome = fixture.run(FROM_CONTAINER, &packet);

            assert_eq!(outcome.walks, [(Walk::Balanced, 1)], "{name}");
            assert_eq!(outcome.packet.len(), packet.len() + 50, "{name}");
            let mac = match family.remote {
                IpAddr::V4(_) => REMOTE_MAC,
                IpAddr::V6(_) => [2, 0x42, 0, 0, 1, 2],
            };
            let macs = (CLIENT_MAC, mac);
            let expected = between(macs, family.client, family.remote, protocol, &transport);
            assert_eq!(outcome.packet[50..], expected, "{name}");
        }
        for (name, protocol, transport) in back(&family) {
            let macs = (REMOTE_MAC, CLIENT_MAC);
            let frame = between(macs, family.remote, family.client, protocol, &transport);
            let outcome = fixture.run(FROM_UNDERLAY, &carried(&frame));

            if !crate::fixture::can_mix_families() && family.client.is_ipv6() {
                continue;
            }
            assert_eq!(outcome.walks, [(Walk::BalancedAnswer, 1)], "{name}");
            let expected = between(macs, family.far, family.client, protocol, &transport);
            assert_eq!(outcome.packet[12..], expected[12..], "{name}");
        }
    }
}

#[test]
fn a_udp_checksum_that_is_not_there_stays_so() {
    let mut fixture = Fixture::new();
    let [family, _] = families();
    let mut packet = from_client(&family, family.near, 17, &udp(4000, 80, &[5; 40]));
    packet[40..42].fill(0);

    let outcome = fixture.run(FROM_CONTAINER, &packet);

    assert_eq!(outcome.packet[40..42], [0, 0]);
    assert_eq!(checksum(&outcome.packet[14..34]), 0);
}

#[test]
fn ip_options_are_carried_along() {
    let mut fixture = Fixture::new();
    let [family, _] = families();
    let transport = sealed(family.client, family.near, 17, &udp(4000, 80, &[5; 8]));
    let with_options = |destination: IpAddr, transport: &[u8]| {
        let plain = between(
            (CLIENT_MAC, SERVER_MAC),
            family.client,
            destination,
            17,
            &[0; 8],
        );
        let mut ip = [&plain[14..34], &[1; 4]].concat();
        (ip[0], ip[10], ip[11]) = (0x46, 0, 0);
        let sum = checksum(&ip);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        [&plain[..14], &ip, transport].concat()
    };

    let outcome = fixture.run(FROM_CONTAINER, &with_options(family.near, &transport));

    let expected = sealed(family.client, family.server, 17, &udp(4000, 80, &[5; 8]));
    assert_eq!(outcome.walks, [(Walk::Balanced, 1)]);
    assert_eq!(outcome.packet, with_options(family.server, &expected));
}

#[test]
fn a_task_that_calls_itself_meets_the_vip() {
    for family in families() {
        let mut fixture = Fixture::new();
        let all = there(&family).into_iter().chain(back(&family));
        for (name, protocol, transport) in all {
            let packet = from_client(&family, family.own, protocol, &transport);
            let outcome = fixture.run(FROM_CONTAINER, &packet);

            assert_eq!(outcome.walks, [(Walk::Balanced, 1)], "{name}");
            let macs = (CLIENT_MAC, CLIENT_MAC);
            let expected = between(macs, family.own, family.client, protocol, &transport);
            assert_eq!(outcome.packet, expected, "{name}");
        }
        let open: Vec<u8> = (fixture.flows(FLOW).keys())
            .map(|key| (key.scope >> 24) as u8)
            .collect();
        assert_eq!(open, [17, 17, 132, 132], "both directions each");
    }
}

#[test]
fn vips_are_neighbours() {
    let mut fixture = Fixture::new();
    let [v4, v6] = families();
    let (IpAddr::V4(vip), IpAddr::V4(client)) = (v4.near, v4.client) else {
        panic!()
    };
    let arp = packet::arp(1, CLIENT_MAC, client.octets(), vip.octets());
    let told = fixture.run(FROM_CONTAINER, &arp);
    assert_eq!(told.walks, [(Walk::ArpAnswered, 1)]);
    assert_eq!(told.packet[22..28], [2, 0x42, 10, 1, 0, 240]);

    let (IpAddr::V6(vip), IpAddr::V6(client)) = (v6.near, v6.client) else {
        panic!()
    };
    let question = packet::solicitation(CLIENT_MAC, client.octets(), vip.octets());
    let told = fixture.run(FROM_CONTAINER, &question);
    assert_eq!(told.walks, [(Walk::NeighbourAnswered, 1)]);
}

#[test]
fn what_is_no_answer_is_delivered_as_it_is() {
    for family in families() {
        let mut fixture = Fixture::new();
        for (_, protocol, transport) in there(&family) {
            let packet = from_client(&family, family.near, protocol, &transport);
            fixture.run(FROM_CONTAINER, &packet);
        }
        fixture.send_as_server();
        let is_v4 = family.client.is_ipv4();
        let (icmp, request) = if is_v4 { (1, 8) } else { (58, 128) };
        let others = [
            ("from another port", 6, tcp([81, 4000], SYN_ACK, &[])),
            ("to another port", 17, udp(80, 4001, &[1; 8])),
            ("a question", icmp, vec![request, 0, 0, 0, 0x0f, 0xa0, 0, 1]),
            ("cut short", 17, vec![0, 80, 0x0f, 0xa0]),
        ];
        for (name, protocol, transport) in others {
            let macs = (SERVER_MAC, CLIENT_MAC);
            let packet = match protocol {
                17 if transport.len() < 8 => {
                    let padded = between(macs, family.server, family.client, 99, &transport);
                    let at = if is_v4 { 23 } else { 20 };
                    let mut short = padded;
                    short[at] = 17;
                    short
                }
                _ => between(macs, family.server, family.client, protocol, &transport),
            };
            let outcome = fixture.run(FROM_CONTAINER, &packet);

            assert_eq!(outcome.walks, [(Walk::Local, 1)], "{name}");
            assert_eq!(outcome.packet, packet, "{name}");
        }
    }
}

fn told(fixture: &mut Fixture, packet: &[u8]) -> (Vec<Walk>, Vec<Reason>) {
    let outcome = fixture.run(FROM_CONTAINER, packet);
    let walks = outcome.walks.iter().map(|(walk, _)| *walk).collect();
    let reasons = outcome.reasons.iter().map(|(reason, _)| *reason).collect();
    (walks, reasons)
}

fn state_of(fixture: &mut Fixture, table: &str) -> Vec<u8> {
    fixture
        .flows(table)
        .values()
        .map(|flow| flow.state)
        .collect()
}
