//! The way out: what leaves a container for its host, and what the host sends back.

use overlay_common::{
    abi::program::{FROM_CONTAINER, FROM_HOST},
    network::GATEWAY_MAC,
    node::{DNS_IPV4, DNS_IPV6},
    reason::Reason,
    walk::Walk,
};

use crate::{
    fixture::{
        Action, CLIENT, CLIENT_MAC, CLIENT_V6, Fixture, GATEWAY, GATEWAY_NEAR_MAC, NOBODY, PORT,
        SERVER, SERVER_MAC, TRANSIT, TRANSIT_SERVER, TRANSIT_V6,
    },
    packet::{self, Ipv4, checksum, ethernet},
};

const OUTSIDE: [u8; 4] = [198, 51, 100, 7];
const OUTSIDE_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
const ANY_MAC: [u8; 6] = [2, 1, 1, 1, 1, 1];

const IPV4_PAYLOAD: usize = 34;
const IPV6_PAYLOAD: usize = 54;

/// A datagram with its checksum.
fn datagram(source: &[u8], destination: &[u8], ports: (u16, u16), data: &[u8]) -> Vec<u8> {
    let mut udp = packet::udp(ports.0, ports.1, data);
    let sum = checksum(&[&pseudo(source, destination, 17, udp.len())[..], &udp].concat());
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    udp
}

/// What a transport checksum covers besides the payload.
fn pseudo(source: &[u8], destination: &[u8], protocol: u8, length: usize) -> Vec<u8> {
    let length = (length as u16).to_be_bytes();
    [source, destination, &[0, protocol], &length].concat()
}

fn v4(source: [u8; 4], destination: [u8; 4], ports: (u16, u16)) -> Vec<u8> {
    let udp = datagram(&source, &destination, ports, &[7; 32]);
    Ipv4::udp().around(source, destination, &udp)
}

fn v6(source: [u8; 16], destination: [u8; 16], ports: (u16, u16)) -> Vec<u8> {
    let udp = datagram(&source, &destination, ports, &[7; 32]);
    packet::ipv6(source, destination, 17, &udp)
}

fn from_client(kind: u16, ip: &[u8]) -> Vec<u8> {
    ethernet(CLIENT_MAC, GATEWAY_MAC, kind, ip)
}

fn from_host(kind: u16, ip: &[u8]) -> Vec<u8> {
    ethernet(GATEWAY_NEAR_MAC, ANY_MAC, kind, ip)
}

/// Fails unless the headers and the transport checksum agree.
fn expect_true_sums(packet: &[u8]) {
    let (source, destination, protocol, payload) = if packet[12] == 8 {
        assert_eq!(checksum(&packet[14..34]), 0, "the IPv4 header");
        (&packet[26..30], &packet[30..34], packet[23], IPV4_PAYLOAD)
    } else {
        (&packet[22..38], &packet[38..54], packet[20], IPV6_PAYLOAD)
    };
    let payload = &packet[payload..];
    let mut sums = match protocol {
        1 => Vec::new(),
        _ => pseudo(source, destination, protocol, payload.len()),
    };
    sums.extend(payload);
    assert_eq!(checksum(&sums), 0, "the transport checksum");
}

#[test]
fn a_packet_for_outside_goes_to_the_host_from_its_transit_address() {
    let mut fixture = Fixture::with_way_out();

    let out = fixture.run(
        FROM_CONTAINER,
        &from_client(0x0800, &v4(CLIENT, OUTSIDE, (1000, 80))),
    );
    let out_v6 = fixture.run(
        FROM_CONTAINER,
        &from_client(0x86dd, &v6(CLIENT_V6, OUTSIDE_V6, (1000, 80))),
    );

    for outcome in [&out, &out_v6] {
        assert_eq!(outcome.action, Action::Redirect);
        assert_eq!(outcome.walks, [(Walk::Outside, 1)]);
        assert_eq!(outcome.reasons, []);
        assert_eq!(outcome.packet[..6], GATEWAY_NEAR_MAC);
        expect_true_sums(&outcome.packet);
    }
    assert_eq!(
        (&out.packet[26..30], &out.packet[30..34]),
        (&TRANSIT[..], &OUTSIDE[..])
    );
    assert_eq!(out_v6.packet[22..38], TRANSIT_V6);
    assert_eq!(out.packet[22], 64, "the kernel counts the hop");
}

#[test]
fn a_packet_for_a_transit_address_goes_to_its_container() {
    let mut fixture = Fixture::with_way_out();

    let inside = fixture.run(
        FROM_HOST,
        &from_host(0x0800, &v4(OUTSIDE, TRANSIT, (80, 1000))),
    );
    let inside_v6 = fixture.run(
        FROM_HOST,
        &from_host(0x86dd, &v6(OUTSIDE_V6, TRANSIT_V6, (80, 1000))),
    );
    let other = fixture.run(
        FROM_HOST,
        &from_host(0x0800, &v4(OUTSIDE, TRANSIT_SERVER, (80, 1))),
    );

    for (outcome, mac) in [
        (&inside, CLIENT_MAC),
        (&inside_v6, CLIENT_MAC),
        (&other, SERVER_MAC),
    ] {
        assert_eq!(outcome.action, Action::Redirect);
        assert_eq!(outcome.walks, [(Walk::FromOutside, 1)]);
        assert_eq!(outcome.reasons, []);
        assert_eq!(
            (&outcome.packet[..6], &outcome.packet[6..12]),
            (&mac[..], &GATEWAY_MAC[..])
        );
        expect_true_sums(&outcome.packet);
    }
    assert_eq!(inside.packet[30..34], CLIENT);
    assert_eq!(inside_v6.packet[38..54], CLIENT_V6);
    assert_eq!(other.packet[30..34], SERVER);
}

#[test]
fn fragments_without_ports_change_their_headers_alone() {
    let mut fixture = Fixture::with_way_out();
    let later = Ipv4 {
        flags_offset: 100,
        ..Ipv4::udp()
    }
    .around(CLIENT, OUTSIDE, &[9; 64]);

    let outcome = fixture.run(FROM_CONTAINER, &from_client(0x0800, &later));

    assert_eq!(outcome.walks, [(Walk::Outside, 1)]);
    assert_eq!(checksum(&outcome.packet[14..34]), 0);
    assert_eq!(
        (&outcome.packet[26..30], &outcome.packet[34..]),
        (&TRANSIT[..], &[9; 64][..])
    );
}

#[test]
fn a_datagram_without_a_checksum_keeps_none() {
    let mut fixture = Fixture::with_way_out();
    let ip = Ipv4::udp().around(CLIENT, OUTSIDE, &packet::udp(1000, 80, &[7; 32]));

    let outcome = fixture.run(FROM_CONTAINER, &from_client(0x0800, &ip));

    assert_eq!(outcome.packet[40..42], [0, 0]);
    assert_eq!(outcome.packet[26..30], TRANSIT);
}

#[test]
fn the_quote_of_an_error_is_exchanged_in_both_directions() {
    let mut fixture = Fixture::with_way_out();
    let error = |quoted: &[u8]| {
        let mut icmp = [&[3, 4, 0, 0, 0, 0, 5, 20][..], &quoted[..28]].concat();
        let sum = checksum(&icmp);
        icmp[2..4].copy_from_slice(&sum.to_be_bytes());
        icmp
    };
    let icmp = Ipv4 {
        protocol: 1,
        ..Ipv4::udp()
    };
    let narrow = icmp.around(OUTSIDE, TRANSIT, &error(&v4(TRANSIT, OUTSIDE, (1000, 80))));
    let refused = icmp.around(CLIENT, OUTSIDE, &error(&v4(OUTSIDE, CLIENT, (80, 1000))));

    let inside = fixture.run(FROM_HOST, &from_host(0x0800, &narrow)).packet;
    let out = fixture
        .run(FROM_CONTAINER, &from_client(0x0800, &refused))
        .packet;

    for packet in [&inside, &out] {
        expect_true_sums(packet);
        assert_eq!(checksum(&packet[42..62]), 0, "the quoted header");
    }
    assert_eq!(
        (&inside[30..34], &inside[54..58]),
        (&CLIENT[..], &CLIENT[..])
    );
    assert_eq!((&out[26..30], &out[58..62]), (&TRANSIT[..], &TRANSIT[..]));
}

#[test]
fn the_quote_of_an_ipv6_error_is_exchanged_in_both_directions() {
    let mut fixture = Fixture::with_way_out();
    let error = |source: [u8; 16], destination: [u8; 16], quoted: &[u8]| {
        let mut icmp = [&[2, 0, 0, 0, 0, 0, 5, 20][..], &quoted[..48]].concat();
        let sum = checksum(&[&pseudo(&source, &destination, 58, icmp.len())[..], &icmp].concat());
        icmp[2..4].copy_from_slice(&sum.to_be_bytes());
        packet::ipv6(source, destination, 58, &icmp)
    };
    let narrow = error(
        OUTSIDE_V6,
        TRANSIT_V6,
        &v6(TRANSIT_V6, OUTSIDE_V6, (1000, 80)),
    );
    let refused = error(
        CLIENT_V6,
        OUTSIDE_V6,
        &v6(OUTSIDE_V6, CLIENT_V6, (80, 1000)),
    );

    let inside = fixture.run(FROM_HOST, &from_host(0x86dd, &narrow)).packet;
    let out = fixture
        .run(FROM_CONTAINER, &from_client(0x86dd, &refused))
        .packet;

    expect_true_sums(&inside);
    expect_true_sums(&out);
    assert_eq!(
        (&inside[38..54], &inside[70..86]),
        (&CLIENT_V6[..], &CLIENT_V6[..])
    );
    assert_eq!(
        (&out[22..38], &out[86..102]),
        (&TRANSIT_V6[..], &TRANSIT_V6[..])
    );
}

#[test]
fn a_packet_at_its_last_hop_is_answered_by_the_gateway() {
    let mut fixture = Fixture::with_way_out();
    let mut tired = v4(CLIENT, OUTSIDE, (1000, 33434));
    tired[8] = 1;

    let outcome = fixture.run(FROM_CONTAINER, &from_client(0x0800, &tired));

    assert_eq!(outcome.action, Action::Redirect);
    assert_eq!(outcome.walks, [(Walk::HopsTold, 1)]);
    assert_eq!(
        (&outcome.packet[26..30], &outcome.packet[30..34]),
        (&GATEWAY[..], &CLIENT[..])
    );
    assert_eq!(outcome.packet[34..36], [11, 0]);
    expect_true_sums(&outcome.packet);
}

#[test]
fn dns_is_reached_from_an_internal_network_and_nothing_else() {
    let mut fixture = Fixture::with_way_out();
    fixture.make_internal();

    let question = fixture.run(
        FROM_CONTAINER,
        &from_client(0x0800, &v4(CLIENT, DNS_IPV4, (1000, 53))),
    );
    let answer = fixture.run(
        FROM_HOST,
        &from_host(0x0800, &v4(DNS_IPV4, TRANSIT, (53, 1000))),
    );
    let question_v6 = fixture.run(
        FROM_CONTAINER,
        &from_client(0x86dd, &v6(CLIENT_V6, DNS_IPV6, (1000, 53))),
    );

    assert_eq!(question.walks, [(Walk::Outside, 1)]);
    assert_eq!(question_v6.walks, [(Walk::Outside, 1)]);
    assert_eq!(answer.walks, [(Walk::FromOutside, 1)]);
    for (program, packet) in [
        (
            FROM_CONTAINER,
            from_client(0x0800, &v4(CLIENT, OUTSIDE, (1000, 53))),
        ),
        (
            FROM_CONTAINER,
            from_client(0x0800, &v4(CLIENT, DNS_IPV4, (1000, 54))),
        ),
        (
            FROM_HOST,
            from_host(0x0800, &v4(DNS_IPV4, TRANSIT, (54, 1000))),
        ),
        (
            FROM_HOST,
            from_host(0x0800, &v4(OUTSIDE, TRANSIT, (53, 1000))),
        ),
    ] {
        let outcome = fixture.run(program, &packet);

        assert_eq!(outcome.action, Action::Drop);
        assert_eq!(outcome.reasons, [(Reason::Internal, 1)]);
    }
}

#[test]
fn every_drop_on_the_way_out_has_its_reason() {
    let mut fixture = Fixture::with_way_out();
    let tired_error = {
        let icmp = [
            &[3, 3, 0, 0, 0, 0, 0, 0][..],
            &v4(OUTSIDE, CLIENT, (80, 1))[..28],
        ]
        .concat();
        let mut ip = Ipv4 {
            protocol: 1,
            ..Ipv4::udp()
        }
        .around(CLIENT, OUTSIDE, &icmp);
        ip[8] = 1;
        ip
    };
    let routed = packet::ipv6(
        CLIENT_V6,
        OUTSIDE_V6,
        43,
        &[17, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4],
    );
    let link_local = {
        let mut own = CLIENT_V6;
        own[..2].copy_from_slice(&[0xfe, 0x80]);
        v6(own, OUTSIDE_V6, (1, 2))
    };
    let cases = [
        (
            "a transit address",
            0x0800,
            v4(CLIENT, TRANSIT_SERVER, (1, 2)),
            Reason::TransitDestination,
        ),
        (
            "VXLAN",
            0x0800,
            v4(CLIENT, OUTSIDE, (1, PORT)),
            Reason::TunnelPort,
        ),
        ("an error's last hop", 0x0800, tired_error, Reason::HopLimit),
        (
            "an extension header",
            0x86dd,
            routed,
            Reason::ExtensionHeaders,
        ),
        ("a link-local source", 0x86dd, link_local, Reason::NoRoute),
        (
            "a link-local address",
            0x0800,
            v4(CLIENT, [169, 254, 1, 1], (1, 2)),
            Reason::NoRoute,
        ),
        (
            "nobody in the network",
            0x0800,
            v4(CLIENT, NOBODY, (1, 2)),
            Reason::NoRoute,
        ),
    ];
    for (description, kind, ip, reason) in cases {
        let outcome = fixture.run(FROM_CONTAINER, &from_client(kind, &ip));

        assert_eq!(outcome.action, Action::Drop, "{description}");
        assert_eq!(outcome.reasons, [(reason, 1)], "{description}");
        assert_eq!(outcome.walks, [], "{description}");
    }
    fixture.take_transit_addresses();
    let outcome = fixture.run(
        FROM_CONTAINER,
        &from_client(0x0800, &v4(CLIENT, OUTSIDE, (1, 2))),
    );
    assert_eq!(outcome.reasons, [(Reason::NoTransitAddress, 1)]);
}

#[test]
fn every_drop_on_the_way_in_has_its_reason() {
    let mut fixture = Fixture::with_way_out();
    let large = {
        let udp = datagram(&OUTSIDE, &TRANSIT, (80, 1000), &[7; 1423]);
        Ipv4::udp().around(OUTSIDE, TRANSIT, &udp)
    };

    let nobody = fixture.run(
        FROM_HOST,
        &from_host(0x0800, &v4(OUTSIDE, [100, 127, 9, 9], (1, 2))),
    );
    let large = fixture.run(FROM_HOST, &from_host(0x0800, &large));

    assert_eq!(nobody.reasons, [(Reason::NobodyBehind, 1)]);
    assert_eq!(large.reasons, [(Reason::TooBigInside, 1)]);
    let chatter = fixture.run(
        FROM_HOST,
        &from_host(0x0800, &v4(OUTSIDE, [224, 0, 0, 1], (1, 2))),
    );
    assert_eq!((chatter.action, chatter.reasons), (Action::Pass, vec![]));
    let arp = fixture.run(
        FROM_HOST,
        &packet::arp(1, GATEWAY_NEAR_MAC, OUTSIDE, TRANSIT),
    );
    assert_eq!((arp.action, arp.reasons), (Action::Pass, vec![]));
}

#[test]
fn without_a_gateway_nothing_leaves() {
    let mut fixture = Fixture::new();

    let outcome = fixture.run(
        FROM_CONTAINER,
        &from_client(0x0800, &v4(CLIENT, OUTSIDE, (1, 2))),
    );

    assert_eq!(
        (outcome.action, outcome.reasons),
        (Action::Drop, vec![(Reason::NoRoute, 1)])
    );
}
