//! What a container may send, and where it goes.

use overlay_common::{
    abi::program::FROM_CONTAINER, network::GATEWAY_MAC, reason::Reason, walk::Walk,
};

use crate::{
    fixture::{
        Action, CLIENT, CLIENT_MAC, CLIENT_V6, FAR, FAR_MAC, Fixture, GATEWAY, LOCAL_VTEP,
        LOCAL_VTEP_V6, NOBODY, PEER_VTEP, PEER_VTEP_V6, PEERLESS, REMOTE, REMOTE_V6, SERVER,
        SERVER_MAC, SERVER_V6, THROUGH_DEVICE, UNREACHABLE, VNI,
    },
    packet::{self, Ipv4, checksum, ethernet},
};

const ANY_MAC: [u8; 6] = [2, 1, 1, 1, 1, 1];

fn to(destination: [u8; 4]) -> Vec<u8> {
    let ip = Ipv4::udp().around(CLIENT, destination, &packet::udp(1000, 2000, &[7; 32]));
    ethernet(CLIENT_MAC, ANY_MAC, 0x0800, &ip)
}

fn to_v6(destination: [u8; 16]) -> Vec<u8> {
    let ip = packet::ipv6(
        CLIENT_V6,
        destination,
        17,
        &packet::udp(1000, 2000, &[7; 32]),
    );
    ethernet(CLIENT_MAC, ANY_MAC, 0x86dd, &ip)
}

#[test]
fn every_drop_has_its_reason_and_nothing_else_is_counted() {
    let mut fixture = Fixture::new();
    let spoofed_mac = {
        let mut packet = to(SERVER);
        packet[6..12].copy_from_slice(&ANY_MAC);
        packet
    };
    let spoofed = |source| {
        let ip = Ipv4::udp().around(source, SERVER, &packet::udp(1, 2, &[]));
        ethernet(CLIENT_MAC, SERVER_MAC, 0x0800, &ip)
    };
    let short_header = {
        let mut packet = to(SERVER);
        packet[14] = 0x44;
        packet
    };
    let cases = [
        ("another Ethernet source", spoofed_mac, Reason::SpoofedMac),
        (
            "another container's address",
            spoofed(SERVER),
            Reason::SpoofedAddress,
        ),
        ("no address", spoofed([0; 4]), Reason::SpoofedAddress),
        ("nobody's address", to(NOBODY), Reason::NoRoute),
        ("a route without a peer", to(PEERLESS), Reason::NoPeer),
        ("a peer without a way", to(UNREACHABLE), Reason::NoUnderlay),
        ("multicast", to([224, 0, 0, 251]), Reason::Multicast),
        ("broadcast", to([255; 4]), Reason::Multicast),
        (
            "LLDP",
            ethernet(CLIENT_MAC, ANY_MAC, 0x88cc, &[0; 40]),
            Reason::UnsupportedProtocol,
        ),
        (
            "a header shorter than it may be",
            short_header,
            Reason::Malformed,
        ),
        (
            "ARP cut short",
            packet::arp(1, CLIENT_MAC, CLIENT, SERVER)[..40].to_vec(),
            Reason::Malformed,
        ),
        (
            "its own address check",
            packet::arp(1, CLIENT_MAC, [0; 4], CLIENT),
            Reason::OwnAddressCheck,
        ),
        (
            "nobody asked for",
            packet::arp(1, CLIENT_MAC, CLIENT, NOBODY),
            Reason::NoNeighbour,
        ),
        (
            "an ARP answer",
            packet::arp(2, CLIENT_MAC, CLIENT, SERVER),
            Reason::ArpIgnored,
        ),
        (
            "a spoofed question",
            packet::arp(1, CLIENT_MAC, SERVER, NOBODY),
            Reason::SpoofedAddress,
        ),
        (
            "its own IPv6 address check",
            packet::solicitation(CLIENT_MAC, [0; 16], CLIENT_V6),
            Reason::OwnAddressCheck,
        ),
    ];
    for (description, packet, reason) in cases {
        let outcome = fixture.run(FROM_CONTAINER, &packet);

        assert_eq!(outcome.action, Action::Drop, "{description}");
        assert_eq!(outcome.reasons, [(reason, 1)], "{description}");
        assert_eq!(outcome.walks, [], "{description}");
    }
}

#[test]
fn a_neighbour_on_this_node_gets_the_packet_with_its_own_ethernet_address() {
    let mut fixture = Fixture::new();
    for packet in [to(SERVER), to_v6(SERVER_V6)] {
        let outcome = fixture.run(FROM_CONTAINER, &packet);

        assert_eq!(outcome.action, Action::Redirect);
        assert_eq!(
            (outcome.walks, outcome.reasons),
            (vec![(Walk::Local, 1)], vec![])
        );
        assert_eq!(outcome.packet[..6], SERVER_MAC);
        assert_eq!(outcome.packet[6..], packet[6..]);
    }
}

#[test]
fn a_removed_endpoint_gets_nothing() {
    let mut fixture = Fixture::new();
    fixture.remove_endpoint(SERVER);

    let outcome = fixture.run(FROM_CONTAINER, &to(SERVER));

    assert_eq!(
        (outcome.action, outcome.reasons),
        (Action::Drop, vec![(Reason::NoRoute, 1)])
    );
}

#[test]
fn a_remote_packet_is_wrapped_for_its_peer_on_ipv4() {
    let mut fixture = Fixture::new();
    for packet in [to(REMOTE), to_v6(REMOTE_V6)] {
        let outcome = fixture.run(FROM_CONTAINER, &packet);

        assert_eq!(outcome.action, Action::Redirect);
        assert_eq!(
            (outcome.walks, outcome.reasons),
            (vec![(Walk::Encapsulated, 1)], vec![])
        );
        let out = outcome.packet;
        assert_eq!(out.len(), packet.len() + 50);
        assert_eq!(checksum(&out[14..34]), 0);
        assert_eq!(out[16..18], (packet.len() as u16 + 36).to_be_bytes());
        assert_eq!(
            (&out[26..30], &out[30..34]),
            (&LOCAL_VTEP[..], &PEER_VTEP[..])
        );
        let source_port = u16::from_be_bytes([out[34], out[35]]);
        assert!((32768..=60999).contains(&source_port), "{source_port}");
        assert_eq!(out[36..38], 4789_u16.to_be_bytes());
        assert_eq!(out[38..40], (packet.len() as u16 + 16).to_be_bytes());
        assert_eq!(out[42..50], [8, 0, 0, 0, 0, (VNI >> 8) as u8, VNI as u8, 0]);
        assert_eq!(out[56..62], CLIENT_MAC);
        assert_eq!(out[62..], packet[12..]);
    }
}

#[test]
fn an_exact_route_wins_over_its_block_and_carries_its_ethernet_address_over_ipv6() {
    let mut fixture = Fixture::new();
    let packet = to(FAR);

    let outcome = fixture.run(FROM_CONTAINER, &packet);

    assert_eq!(outcome.walks, [(Walk::Encapsulated, 1)]);
    let out = outcome.packet;
    assert_eq!(out.len(), packet.len() + 70);
    assert_eq!(out[14] >> 4, 6);
    assert_eq!(out[18..20], (packet.len() as u16 + 16).to_be_bytes());
    assert_eq!(
        (&out[22..38], &out[38..54]),
        (&LOCAL_VTEP_V6[..], &PEER_VTEP_V6[..])
    );
    assert_eq!(out[70..76], FAR_MAC);
    assert_eq!(out[82..], packet[12..]);
}

#[test]
fn the_device_mode_hands_over_the_bare_frame() {
    let mut fixture = Fixture::new();
    let packet = to(THROUGH_DEVICE);

    let outcome = fixture.run(FROM_CONTAINER, &packet);

    assert_eq!(
        (outcome.action, outcome.walks),
        (Action::Redirect, vec![(Walk::Device, 1)])
    );
    assert_eq!(outcome.packet[..6], [2, 0x42, 10, 1, 0, 72]);
    assert_eq!(outcome.packet[6..], packet[6..]);
}

#[test]
fn congestion_bits_go_outside_and_dscp_does_not() {
    let mut fixture = Fixture::new();
    for (inner, outer) in [(0b1011_1000, 0), (0b01, 0b01), (0b10, 0b10), (0b11, 0b10)] {
        let ip = Ipv4 {
            tos: inner,
            ..Ipv4::udp()
        };
        let packet = ethernet(
            CLIENT_MAC,
            ANY_MAC,
            0x0800,
            &ip.around(CLIENT, REMOTE, &[0; 16]),
        );

        let outcome = fixture.run(FROM_CONTAINER, &packet);

        assert_eq!(outcome.packet[15], outer, "{inner:08b}");
        assert_eq!(outcome.packet[65], inner);
    }
}

#[test]
fn arp_is_answered_for_neighbours_near_and_far_and_for_the_gateway() {
    let mut fixture = Fixture::new();
    let answers = [
        (SERVER, SERVER_MAC),
        (REMOTE, [2, 0x42, 10, 1, 0, 70]),
        (FAR, FAR_MAC),
        (GATEWAY, GATEWAY_MAC),
    ];
    for (target, mac) in answers {
        for asker in [CLIENT, [0; 4]] {
            let outcome = fixture.run(FROM_CONTAINER, &packet::arp(1, CLIENT_MAC, asker, target));

            assert_eq!(
                (outcome.action, outcome.walks),
                (Action::Redirect, vec![(Walk::ArpAnswered, 1)])
            );
            let mut expected = packet::arp(2, mac, target, asker);
            expected[..6].copy_from_slice(&CLIENT_MAC);
            expected[32..38].copy_from_slice(&CLIENT_MAC);
            assert_eq!(outcome.packet, expected, "{target:?}");
        }
    }
}

#[test]
fn neighbour_solicitations_are_answered_with_a_right_checksum() {
    let mut fixture = Fixture::new();
    let link_local = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
    for (asker, target) in [
        (CLIENT_V6, SERVER_V6),
        (link_local, REMOTE_V6),
        ([0; 16], SERVER_V6),
    ] {
        let outcome = fixture.run(
            FROM_CONTAINER,
            &packet::solicitation(CLIENT_MAC, asker, target),
        );

        assert_eq!(outcome.walks, [(Walk::NeighbourAnswered, 1)]);
        let out = outcome.packet;
        assert_eq!(out.len(), 86);
        assert_eq!((out[54], &out[62..78]), (136, &target[..]));
        let pseudo = [&out[22..54], &[0, 32, 0, 58]].concat();
        assert_eq!(checksum(&[&pseudo, &out[54..]].concat()), 0);
        let is_named = asker != [0; 16];
        assert_eq!(out[58] & 0x40 != 0, is_named, "the solicited flag");
        if is_named {
            assert_eq!((&out[..6], &out[38..54]), (&CLIENT_MAC[..], &asker[..]));
        }
    }
}

#[test]
fn a_packet_too_big_for_the_underlay_tells_its_sender_the_mtu() {
    let mut fixture = Fixture::new();
    fixture.set_peer_mtu(1, 1300);
    let ip = Ipv4 {
        flags_offset: Ipv4::DF,
        ..Ipv4::udp()
    };
    let v4 = ethernet(
        CLIENT_MAC,
        ANY_MAC,
        0x0800,
        &ip.around(CLIENT, REMOTE, &[9; 1231]),
    );
    let v6 = ethernet(
        CLIENT_MAC,
        ANY_MAC,
        0x86dd,
        &packet::ipv6(CLIENT_V6, REMOTE_V6, 17, &[9; 1211]),
    );

    let told = fixture.run(FROM_CONTAINER, &v4);
    assert_eq!(
        (told.action, told.walks),
        (Action::Redirect, vec![(Walk::MtuTold, 1)])
    );
    assert_eq!(told.packet.len(), 70);
    assert_eq!(
        (checksum(&told.packet[14..34]), checksum(&told.packet[34..])),
        (0, 0)
    );
    assert_eq!(told.packet[34..36], [3, 4]);
    assert_eq!(told.packet[40..42], 1250_u16.to_be_bytes());
    assert_eq!(
        (&told.packet[..6], &told.packet[30..34]),
        (&CLIENT_MAC[..], &CLIENT[..])
    );
    assert_eq!(told.packet[42..70], v4[14..42]);

    let told = fixture.run(FROM_CONTAINER, &v6);
    assert_eq!(told.walks, [(Walk::MtuTold, 1)]);
    assert_eq!(told.packet.len(), 110);
    assert_eq!(told.packet[54], 2);
    assert_eq!(told.packet[58..62], 1250_u32.to_be_bytes());
    let pseudo = [&told.packet[22..54], &[0, 56, 0, 58]].concat();
    assert_eq!(checksum(&[&pseudo, &told.packet[54..]].concat()), 0);
    assert_eq!(told.packet[62..110], v6[14..62]);
}

#[test]
fn one_byte_less_fits_and_what_may_be_fragmented_takes_the_device() {
    let mut fixture = Fixture::new();
    fixture.set_peer_mtu(1, 1300);
    let df = Ipv4 {
        flags_offset: Ipv4::DF,
        ..Ipv4::udp()
    };
    let fits = ethernet(
        CLIENT_MAC,
        ANY_MAC,
        0x0800,
        &df.around(CLIENT, REMOTE, &[9; 1230]),
    );
    let may = ethernet(
        CLIENT_MAC,
        ANY_MAC,
        0x0800,
        &Ipv4::udp().around(CLIENT, REMOTE, &[9; 1231]),
    );
    let icmp_error = Ipv4 { protocol: 1, ..df };
    let error = ethernet(
        CLIENT_MAC,
        ANY_MAC,
        0x0800,
        &icmp_error.around(CLIENT, REMOTE, &[3; 1231]),
    );

    assert_eq!(
        fixture.run(FROM_CONTAINER, &fits).walks,
        [(Walk::Encapsulated, 1)]
    );
    assert_eq!(
        fixture.run(FROM_CONTAINER, &may).walks,
        [(Walk::Fallback, 1)]
    );
    assert_eq!(
        fixture.run(FROM_CONTAINER, &error).reasons,
        [(Reason::TooBig, 1)]
    );
}

#[test]
fn fragments_and_options_go_their_way() {
    let mut fixture = Fixture::new();
    for flags_offset in [0x2000, 0x2010, 0x0010] {
        let ip = Ipv4 {
            flags_offset,
            ..Ipv4::udp()
        };
        let packet = ethernet(
            CLIENT_MAC,
            ANY_MAC,
            0x0800,
            &ip.around(CLIENT, REMOTE, &[1; 64]),
        );

        let outcome = fixture.run(FROM_CONTAINER, &packet);

        assert_eq!(
            outcome.walks,
            [(Walk::Encapsulated, 1)],
            "{flags_offset:04x}"
        );
    }
    let mut options = to(SERVER);
    options[14] = 0x46;
    assert_eq!(
        fixture.run(FROM_CONTAINER, &options).walks,
        [(Walk::Local, 1)]
    );
}

#[test]
fn nothing_is_fragmented_on_an_ipv6_underlay() {
    let mut fixture = Fixture::new();
    fixture.set_peer_mtu(2, 1300);
    let oversized = |flags_offset| {
        let ip = Ipv4 {
            flags_offset,
            ..Ipv4::udp()
        };
        ethernet(
            CLIENT_MAC,
            ANY_MAC,
            0x0800,
            &ip.around(CLIENT, FAR, &[9; 1231]),
        )
    };
    let (whole, first, later) = (0, 0x2000, 0x2010);

    for flags_offset in [whole, first] {
        let told = fixture.run(FROM_CONTAINER, &oversized(flags_offset));
        assert_eq!(told.walks, [(Walk::MtuTold, 1)]);
        assert_eq!(told.packet[40..42], 1230_u16.to_be_bytes());
    }
    assert_eq!(
        fixture.run(FROM_CONTAINER, &oversized(later)).reasons,
        [(Reason::TooBig, 1)]
    );
}
