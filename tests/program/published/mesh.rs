//! What nodes send each other in the ingress network.

use super::{
    refusals::{datagram, expect_errors_to_pass, transport_at},
    *,
};
use crate::fixture::{CLIENT_MAC, can_mix_families};

const OTHER_PEER: [u8; 4] = [192, 0, 2, 3];

/// A client's packet as the node that it asked, the other one, sends it here.
pub(crate) fn from_asked(family: &Family, protocol: u8, port: u16, flags: u8) -> Vec<u8> {
    let (client, _) = outside(family);
    let message = message(protocol, [CLIENT_PORT, port], flags);
    let macs = (ROUTER_MAC, ROUTER_MAC);
    between(macs, client, other_node(family), protocol, &message)
}

/// What a task of another node answers in this node's name.
pub(crate) fn from_far_task(family: &Family, protocol: u8, flags: u8) -> Vec<u8> {
    let (client, node) = outside(family);
    let message = message(protocol, [FAR, CLIENT_PORT], flags);
    between((ROUTER_MAC, ROUTER_MAC), node, client, protocol, &message)
}

/// Families that this kernel takes out of an IPv4 underlay's packets.
fn families_here() -> impl Iterator<Item = Family> {
    families()
        .into_iter()
        .filter(|family| family.client.is_ipv4() || can_mix_families())
}

#[test]
fn the_asked_node_sends_the_packet_on_as_it_is_and_names_the_task() {
    let mut fixture = published();
    for family in families() {
        for protocol in [TCP, UDP] {
            let packet = from_client(&family, protocol, FAR, SYN);

            let outcome = fixture.run(FROM_UNDERLAY, &packet);

            expect(&outcome, Walk::MeshSent);
            let inner = unwrapped(&outcome);
            assert_eq!(inner[12..], packet[12..]);
            let task = Address::from(family.remote).bytes();
            assert_eq!(inner[..2], [2, 0x42]);
            assert_eq!(inner[2..6], task[12..]);
            assert_eq!(inner[8..12], task[8..12]);
        }
    }
}

#[test]
fn only_answers_of_known_flows_leave_the_asked_node() {
    let mut fixture = published();
    for family in families_here() {
        let answer = from_far_task(&family, TCP, SYN | ACK);
        let before = fixture.run(FROM_UNDERLAY, &carried(PEER_VTEP, &answer));
        expect_drop(&before, Reason::MeshStranger);

        fixture.run(FROM_UNDERLAY, &from_client(&family, TCP, FAR, SYN));
        let from_other = fixture.run(FROM_UNDERLAY, &carried(OTHER_PEER, &answer));
        let outcome = fixture.run(FROM_UNDERLAY, &carried(PEER_VTEP, &answer));

        expect_drop(&from_other, Reason::MeshStranger);
        expect(&outcome, Walk::MeshReturned);
        assert_eq!(outcome.packet, answer);
        let stranger = fixture.run(FROM_UNDERLAY, &carried([192, 0, 2, 99], &answer));
        expect_drop(&stranger, Reason::UnknownPeer);
    }
}

#[test]
fn the_tasks_node_delivers_and_answers_through_the_asked_one() {
    let mut fixture = published();
    fixture.send_as_server();
    for family in families_here() {
        let (client, _) = outside(&family);
        for protocol in [TCP, UDP] {
            let packet = carried(PEER_VTEP, &from_asked(&family, protocol, FAR, SYN));
            let delivered = fixture.run(FROM_UNDERLAY, &packet);
            let answered = fixture.run(FROM_CONTAINER, &from_task(&family, protocol, SYN | ACK));

            expect(&delivered, Walk::MeshDelivered);
            let arrived = message(protocol, [CLIENT_PORT, TARGET], SYN);
            let macs = (ROUTER_MAC, SERVER_MAC);
            let arrived = between(macs, client, family.server, protocol, &arrived);
            assert_eq!(delivered.packet, arrived);
            expect(&answered, Walk::MeshAnswered);
            let heard = message(protocol, [FAR, CLIENT_PORT], SYN | ACK);
            let node = other_node(&family);
            let heard = between(macs, node, client, protocol, &heard);
            assert_eq!(unwrapped(&answered)[12..], heard[12..]);
        }
    }
}

/// A client's packet, or with `macs` turned round the task's, with any ports.
fn with_ports(
    macs: ([u8; 6], [u8; 6]),
    ends: (IpAddr, IpAddr),
    protocol: u8,
    ports: [u16; 2],
) -> Vec<u8> {
    let message = match protocol {
        SCTP => refusals::sctp(ports),
        _ => message(protocol, ports, SYN | ACK),
    };
    between(macs, ends.0, ends.1, protocol, &message)
}

#[test]
fn a_client_that_asks_two_nodes_from_one_port_is_told_apart() {
    let mut fixture = published();
    fixture.send_as_server();
    for family in families_here() {
        let (client, node) = outside(&family);
        let at = transport_at(&family);
        for protocol in [TCP, UDP, SCTP] {
            let to_task = (SERVER_MAC, GATEWAY_MAC);
            let answer =
                |port| with_ports(to_task, (family.server, client), protocol, [TARGET, port]);
            let asked = |node, port| {
                let ports = [CLIENT_PORT, port];
                with_ports((ROUTER_MAC, HOST_MAC), (client, node), protocol, ports)
            };
            let one = asked(other_node(&family), FAR);
            let one = fixture.run(FROM_UNDERLAY, &carried(PEER_VTEP, &one));
            let two = fixture.run(FROM_UNDERLAY, &asked(node, NEAR));

            expect(&one, Walk::MeshDelivered);
            expect(&two, Walk::Published);
            let seen = u16::from_be_bytes([two.packet[at], two.packet[at + 1]]);
            assert_ne!(seen, CLIENT_PORT);
            assert!(seen >= 1024, "{seen}");
            let macs = (ROUTER_MAC, SERVER_MAC);
            let ports = [seen, TARGET];
            let arrived = with_ports(macs, (client, family.server), protocol, ports);
            assert_eq!(two.packet, arrived);

            let of_one = fixture.run(FROM_CONTAINER, &answer(CLIENT_PORT));
            let of_two = fixture.run(FROM_CONTAINER, &answer(seen));
            expect(&of_one, Walk::MeshAnswered);
            expect(&of_two, Walk::PublishedAnswer);
            let ports = [NEAR, CLIENT_PORT];
            let heard = with_ports(to_task, (node, client), protocol, ports);
            assert_eq!(of_two.packet, heard);
            // The next packet of the second goes the same way as its first.
            let again = fixture.run(FROM_UNDERLAY, &asked(node, NEAR));
            assert_eq!(again.packet, arrived);
        }
    }
}

#[test]
fn an_error_about_a_client_under_another_port_quotes_its_own() {
    let mut fixture = published();
    fixture.send_as_server();
    for family in families_here() {
        let (client, node) = outside(&family);
        let at = transport_at(&family);
        let one = datagram(client, other_node(&family), [CLIENT_PORT, FAR]);
        let asked = datagram(client, node, [CLIENT_PORT, NEAR]);
        fixture.run(FROM_UNDERLAY, &carried(PEER_VTEP, &one));
        let two = fixture.run(FROM_UNDERLAY, &asked);
        let seen = u16::from_be_bytes([two.packet[at], two.packet[at + 1]]);

        assert_ne!(seen, CLIENT_PORT);
        expect_errors_to_pass(&mut fixture, &family, seen);
    }
}

#[test]
fn with_direct_return_the_tasks_node_answers_the_client_itself() {
    let mut fixture = published();
    fixture.send_as_server();
    for family in families_here() {
        let (client, _) = outside(&family);
        let packet = carried(PEER_VTEP, &from_asked(&family, TCP, DIRECT, SYN));
        expect(&fixture.run(FROM_UNDERLAY, &packet), Walk::MeshDelivered);

        let answered = fixture.run(FROM_CONTAINER, &from_task(&family, TCP, SYN | ACK));

        expect(&answered, Walk::PublishedAnswer);
        let heard = message(TCP, [DIRECT, CLIENT_PORT], SYN | ACK);
        let macs = (SERVER_MAC, GATEWAY_MAC);
        let heard = between(macs, other_node(&family), client, TCP, &heard);
        assert_eq!(answered.packet, heard);
    }
}

#[test]
fn the_task_that_the_asked_node_chose_gets_the_packet() {
    let mut fixture = published();
    for family in families_here() {
        let mut frame = from_asked(&family, TCP, FAR, SYN);
        // The ring of this node has the server only; the client is a task, too.
        let task = Address::from(family.client).bytes();
        frame[..6].copy_from_slice(&[2, 0x42, task[12], task[13], task[14], task[15]]);
        frame[6..12].copy_from_slice(&[2, 0x42, task[8], task[9], task[10], task[11]]);

        let outcome = fixture.run(FROM_UNDERLAY, &carried(PEER_VTEP, &frame));

        expect(&outcome, Walk::MeshDelivered);
        assert_eq!(outcome.packet[..6], CLIENT_MAC);
    }
}

#[test]
fn what_is_for_no_published_port_is_dropped() {
    let mut fixture = published();
    for family in families_here() {
        for port in [22, HOST] {
            let packet = carried(PEER_VTEP, &from_asked(&family, TCP, port, SYN));

            expect_drop(&fixture.run(FROM_UNDERLAY, &packet), Reason::MeshStranger);
        }
    }
}
