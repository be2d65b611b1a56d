//! Published ports behind which an encrypted network is.

use std::net::IpAddr;

use aya::maps::MapData;
use overlay_common::{
    abi::program::{FROM_CONTAINER, FROM_UNDERLAY},
    flow::{FLOW_ENCRYPTED, Flow, FlowKey},
    service::PORT_ENCRYPTED,
};

use super::*;
use crate::{
    fixture::PEER_VTEP,
    published::{ACK, FAR, SYN, TCP, carried, from_asked, from_client, from_far_task, from_task},
    services::{Family, families},
};

/// Outer packets are IPv4; not every kernel takes IPv6 out of them.
fn family() -> Family {
    let [v4, _] = families();
    assert!(matches!(v4.client, IpAddr::V4(_)));
    v4
}

/// The world of published ports, in which they are encrypted.
fn published() -> Fixture {
    let mut fixture = crate::published::published();
    fixture.mark_ports(PORT_ENCRYPTED);
    fixture
}

/// Marks every flow as one of an encrypted port.
fn encrypt_flows(fixture: &mut Fixture) {
    for table in [abi::map::FLOW, abi::map::FLOW_NEW] {
        let mut flows: HashMap<&mut MapData, FlowKey, Flow> = fixture.map(table);
        let all: Vec<(FlowKey, Flow)> = flows.iter().map(|entry| entry.expect("a flow")).collect();
        for (key, mut flow) in all {
            flow.flags |= FLOW_ENCRYPTED;
            flows.insert(key, flow, 0).expect("insert");
        }
    }
}

#[test]
fn a_clients_packet_goes_to_another_nodes_task_encrypted() {
    let mut fixture = published();
    for family in families() {
        let packet = from_client(&family, TCP, FAR, SYN);

        let (outcome, mark) = fixture.run_marked(FROM_UNDERLAY, &packet, 0);

        expect(&outcome, Action::Redirect, Walk::Encrypted);
        assert_eq!(mark, outbound(MARK));
        assert_eq!(
            outcome.packet[12..],
            packet[12..],
            "nothing is around it yet"
        );
    }
}

#[test]
fn cleartext_for_an_encrypted_port_is_dropped() {
    let mut fixture = published();
    let family = family();
    let asked = carried(PEER_VTEP, &from_asked(&family, TCP, FAR, SYN));
    let answer = carried(PEER_VTEP, &from_far_task(&family, TCP, SYN | ACK));

    expect_drop(&fixture.run(FROM_UNDERLAY, &asked), Reason::Cleartext);
    let client = from_client(&family, TCP, FAR, SYN);
    expect(
        &fixture.run(FROM_UNDERLAY, &client),
        Action::Redirect,
        Walk::Encrypted,
    );
    expect_drop(&fixture.run(FROM_UNDERLAY, &answer), Reason::Cleartext);
    assert!(
        fixture.flows(abi::map::FLOW).is_empty(),
        "nothing is believed of it"
    );
}

/// A task of this host has been asked by way of another one, in the clear.
fn delivered() -> (Fixture, Family) {
    let mut fixture = crate::published::published();
    fixture.send_as_server();
    let family = family();
    let asked = carried(PEER_VTEP, &from_asked(&family, TCP, FAR, SYN));
    let outcome = fixture.run(FROM_UNDERLAY, &asked);
    expect(&outcome, Action::Redirect, Walk::MeshDelivered);
    (fixture, family)
}

#[test]
fn a_tasks_answers_go_back_to_the_asked_node_encrypted() {
    let (mut fixture, family) = delivered();
    encrypt_flows(&mut fixture);

    let packet = from_task(&family, TCP, SYN | ACK);
    let (outcome, mark) = fixture.run_marked(FROM_CONTAINER, &packet, 0);

    expect(&outcome, Action::Redirect, Walk::Encrypted);
    assert_eq!(mark, outbound(MARK));
}

#[test]
fn an_encrypted_network_keeps_its_tasks_answers_covered_whatever_the_flow_says() {
    let (mut fixture, family) = delivered();
    let mut interfaces: HashMap<_, u32, Interface> = fixture.map(abi::map::INTERFACE);
    let mut interface = interfaces.get(&1, 0).expect("the server");
    interface.flags |= INTERFACE_ENCRYPTED;
    interfaces.insert(1, interface, 0).expect("insert");

    let packet = from_task(&family, TCP, SYN | ACK);
    let (outcome, mark) = fixture.run_marked(FROM_CONTAINER, &packet, 0);

    expect(&outcome, Action::Redirect, Walk::Encrypted);
    assert_eq!(mark, outbound(MARK));
}
