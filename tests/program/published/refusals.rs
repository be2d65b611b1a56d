//! Packets that no task gets, or that cannot go on as they are.

use overlay_common::flow::{Flow, FlowKey};

use super::*;
use crate::packet::ipv6;

const RST: u8 = 4;

impl Fixture {
    /// Forgets every flow.
    pub(super) fn forget_flows(&mut self) {
        for table in [abi::map::FLOW, abi::map::FLOW_NEW] {
            let keys: Vec<FlowKey> = self.flows(table).into_keys().collect();
            let mut flows: HashMap<_, FlowKey, Flow> = self.map(table);
            for key in keys {
                flows.remove(&key).expect("remove");
            }
        }
    }
}

/// Where the transport header stands.
pub(super) fn transport_at(family: &Family) -> usize {
    if family.client.is_ipv4() { 34 } else { 54 }
}

#[test]
fn without_a_task_the_client_is_told_at_once() {
    let mut fixture = published();
    for family in families() {
        let at = transport_at(&family);
        let reset = fixture.run(FROM_UNDERLAY, &from_client(&family, TCP, EMPTY, SYN));
        let told = fixture.run(FROM_UNDERLAY, &from_client(&family, UDP, EMPTY, 0));

        expect(&reset, Walk::Reset);
        assert_eq!(reset.packet[..12], [ROUTER_MAC, HOST_MAC].concat());
        assert_eq!(reset.packet[at..at + 2], EMPTY.to_be_bytes());
        assert_eq!(reset.packet[at + 2..at + 4], CLIENT_PORT.to_be_bytes());
        assert_eq!(reset.packet[at + 13] & RST, RST);
        expect(&told, Walk::Unreachable);
        let kind = if family.client.is_ipv4() {
            [3, 3]
        } else {
            [1, 4]
        };
        assert_eq!(told.packet[at..at + 2], kind);

        let silent = fixture.run(FROM_UNDERLAY, &from_client(&family, TCP, EMPTY, RST));
        expect_drop(&silent, Reason::NoBackend);
    }
}

#[test]
fn through_the_asked_node_the_client_is_told_too() {
    let mut fixture = published();
    let family = families()[0];
    let (client, _) = outside(&family);
    let message = message(TCP, [CLIENT_PORT, EMPTY], SYN);
    let macs = (ROUTER_MAC, ROUTER_MAC);
    let frame = between(macs, client, other_node(&family), TCP, &message);

    let outcome = fixture.run(FROM_UNDERLAY, &carried(PEER_VTEP, &frame));

    expect(&outcome, Walk::Reset);
    let inner = unwrapped(&outcome);
    assert_eq!(inner[26..30], PEER_VTEP);
    assert_eq!(inner[34 + 13] & RST, RST);
}

#[test]
fn a_connection_whose_task_is_gone_is_reset_and_a_new_one_is_led_on() {
    let mut fixture = published();
    for family in families() {
        fixture.run(FROM_UNDERLAY, &from_client(&family, TCP, FAR, SYN));
        fixture.remove_backend(family.backend + 1);

        let ended = fixture.run(FROM_UNDERLAY, &from_client(&family, TCP, FAR, ACK));
        fixture.set_backend(family.backend + 1, family.server, 0);
        let new = fixture.run(FROM_UNDERLAY, &from_client(&family, TCP, FAR, SYN));

        expect(&ended, Walk::Reset);
        expect(&new, Walk::Published);
    }
}

#[test]
fn what_does_not_fit_the_tunnel_is_told_to_the_client() {
    let mut fixture = published();
    for family in families() {
        let (client, node) = outside(&family);
        let at = transport_at(&family);
        let message = udp(CLIENT_PORT, FAR, &vec![7; 1500 - (at - 14) - 8]);
        let packet = between((ROUTER_MAC, HOST_MAC), client, node, UDP, &message);

        let outcome = fixture.run(FROM_UNDERLAY, &packet);

        expect(&outcome, Walk::MtuTold);
        let kind = if family.client.is_ipv4() {
            [3, 4]
        } else {
            [2, 0]
        };
        assert_eq!(outcome.packet[..6], ROUTER_MAC);
        assert_eq!(outcome.packet[at..at + 2], kind);
        assert_eq!(outcome.packet[at + 6..at + 8], 1450_u16.to_be_bytes());
    }
}

/// A bitwise `CRC32c`, as RFC 9260 has it, in the order of the wire.
fn crc32c(bytes: &[u8]) -> [u8; 4] {
    let mut remainder = u32::MAX;
    for byte in bytes {
        remainder ^= u32::from(*byte);
        for _bit in 0..8 {
            let carry = remainder & 1;
            remainder = remainder >> 1 ^ if carry == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    (!remainder).to_le_bytes()
}

pub(super) fn sctp(ports: [u16; 2]) -> Vec<u8> {
    let mut packet = [ports[0].to_be_bytes(), ports[1].to_be_bytes()].concat();
    packet.extend([1, 2, 3, 4, 0, 0, 0, 0]);
    packet.extend([9; 40]);
    let sum = crc32c(&packet);
    packet[8..12].copy_from_slice(&sum);
    packet
}

#[test]
fn sctp_keeps_its_checksum_true_and_parts_of_it_are_refused() {
    let mut fixture = published();
    fixture.send_as_server();
    for family in families() {
        let (client, node) = outside(&family);
        let macs = (ROUTER_MAC, HOST_MAC);
        let packet = between(macs, client, node, SCTP, &sctp([CLIENT_PORT, NEAR]));
        let asked = fixture.run(FROM_UNDERLAY, &packet);
        let answer = sctp([TARGET, CLIENT_PORT]);
        let macs = (SERVER_MAC, GATEWAY_MAC);
        let answer = between(macs, family.server, client, SCTP, &answer);
        let answered = fixture.run(FROM_CONTAINER, &answer);

        expect(&asked, Walk::Published);
        let arrived = sctp([CLIENT_PORT, TARGET]);
        let at = transport_at(&family);
        assert_eq!(asked.packet[at..], arrived);
        expect(&answered, Walk::PublishedAnswer);
        assert_eq!(answered.packet[at..], sctp([NEAR, CLIENT_PORT]));
    }
    let first = Ipv4 {
        flags_offset: 0x2000,
        protocol: SCTP,
        ..Ipv4::udp()
    };
    let part = first.around([198, 51, 100, 8], LOCAL_VTEP, &sctp([CLIENT_PORT, NEAR]));
    let outcome = fixture.run(
        FROM_UNDERLAY,
        &ethernet(ROUTER_MAC, HOST_MAC, 0x0800, &part),
    );
    expect_drop(&outcome, Reason::SctpInParts);
}

#[test]
fn a_checksum_of_sctp_that_a_device_is_to_make_is_left_to_it() {
    let mut fixture = published();
    for family in families() {
        let (client, node) = outside(&family);
        let macs = (ROUTER_MAC, HOST_MAC);
        let mut unsummed = sctp([CLIENT_PORT, NEAR]);
        unsummed[8..12].fill(0);
        let packet = between(macs, client, node, SCTP, &unsummed);

        let asked = fixture.run(FROM_UNDERLAY, &packet);

        expect(&asked, Walk::Published);
        unsummed[2..4].copy_from_slice(&TARGET.to_be_bytes());
        assert_eq!(asked.packet[transport_at(&family)..], unsummed);
    }
}

#[test]
fn later_fragments_follow_the_first() {
    let mut fixture = published();
    let first = Ipv4 {
        flags_offset: 0x2000,
        ..Ipv4::udp()
    };
    let later = Ipv4 {
        flags_offset: 3,
        ..Ipv4::udp()
    };
    let client = [198, 51, 100, 7];
    let frame = |ip: Ipv4, payload: &[u8]| {
        let ip = ip.around(client, LOCAL_VTEP, payload);
        ethernet(ROUTER_MAC, HOST_MAC, 0x0800, &ip)
    };
    let rest = frame(later, &[7; 16]);

    let early = fixture.run(FROM_UNDERLAY, &rest);
    let begin = fixture.run(
        FROM_UNDERLAY,
        &frame(first, &udp(CLIENT_PORT, NEAR, &[7; 16])),
    );
    let end = fixture.run(FROM_UNDERLAY, &rest);

    // It may be the host's own.
    assert_eq!((early.action, early.packet), (Action::Pass, rest));
    for outcome in [&begin, &end] {
        expect(outcome, Walk::Published);
        assert_eq!(IpAddr::from([10, 1, 0, 3]), families()[0].server);
        assert_eq!(outcome.packet[30..34], [10, 1, 0, 3]);
    }
    assert_eq!(begin.packet[36..38], TARGET.to_be_bytes());
    assert_eq!(end.packet[34..], [7; 16]);
}

/// An ICMP error about `quoted`, as much of which stands in it as the ports take.
pub(super) fn error(
    macs: ([u8; 6], [u8; 6]),
    source: IpAddr,
    destination: IpAddr,
    quoted: &[u8],
) -> Vec<u8> {
    let (protocol, kind, length) = if source.is_ipv4() {
        (1, [3, 3], 28)
    } else {
        (58, [1, 4], 48)
    };
    let message = [&kind[..], &[0; 6], &quoted[14..14 + length]].concat();
    between(macs, source, destination, protocol, &message)
}

/// A datagram without a checksum of its own, which nobody corrects in a quote.
pub(super) fn datagram(source: IpAddr, destination: IpAddr, ports: [u16; 2]) -> Vec<u8> {
    let message = udp(ports[0], ports[1], &[7; 20]);
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let ip = Ipv4::udp().around(source.octets(), destination.octets(), &message);
            ethernet(ROUTER_MAC, HOST_MAC, 0x0800, &ip)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let ip = ipv6(source.octets(), destination.octets(), UDP, &message);
            ethernet(ROUTER_MAC, HOST_MAC, 0x86dd, &ip)
        }
        _ => panic!("two families"),
    }
}

/// Errors of the task and of the client, which has asked at [`NEAR`] and which the task knows by port `seen`, quote what
/// their receivers have sent.
pub(super) fn expect_errors_to_pass(fixture: &mut Fixture, family: &Family, seen: u16) {
    let (client, node) = outside(family);
    // The task has no such port.
    let arrived = datagram(client, family.server, [seen, TARGET]);
    let macs = (SERVER_MAC, GATEWAY_MAC);
    let from_task = error(macs, family.server, client, &arrived);
    let told = fixture.run(FROM_CONTAINER, &from_task);
    // The client has closed its own.
    let answer = datagram(node, client, [NEAR, CLIENT_PORT]);
    let from_client = error((ROUTER_MAC, HOST_MAC), client, node, &answer);
    let heard = fixture.run(FROM_UNDERLAY, &from_client);

    expect(&told, Walk::PublishedAnswer);
    let asked = datagram(client, node, [CLIENT_PORT, NEAR]);
    assert_eq!(told.packet, error(macs, node, client, &asked));
    expect(&heard, Walk::Published);
    let answer = datagram(family.server, client, [TARGET, seen]);
    let macs = (ROUTER_MAC, SERVER_MAC);
    assert_eq!(heard.packet, error(macs, client, family.server, &answer));
}

#[test]
fn errors_reach_both_sides_and_quote_what_each_has_sent() {
    let mut fixture = published();
    fixture.send_as_server();
    for family in families() {
        let (client, node) = outside(&family);
        let asked = datagram(client, node, [CLIENT_PORT, NEAR]);
        expect(&fixture.run(FROM_UNDERLAY, &asked), Walk::Published);

        expect_errors_to_pass(&mut fixture, &family, CLIENT_PORT);
    }
}
