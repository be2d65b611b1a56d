//! What the underlay brings.

use overlay_common::{
    abi::program::{FROM_TUNNEL, FROM_UNDERLAY},
    reason::Reason,
    walk::Walk,
};

use crate::{
    fixture::{
        Action, CLIENT, CLIENT_MAC, CLIENT_V6, Fixture, LOCAL_VTEP, LOCAL_VTEP_V6, NOBODY,
        OTHER_VNI, Outcome, PEER_VTEP, PEER_VTEP_V6, PORT, REMOTE, REMOTE_V6, VNI,
        can_mix_families,
    },
    packet::{self, Ipv4, checksum, ethernet},
};

const REMOTE_MAC: [u8; 6] = [2, 0x42, 10, 1, 0, 70];
/// Test packets enter through the loopback device, whose Ethernet address is zero.
const HOST_MAC: [u8; 6] = [0; 6];
const NEXT_MAC: [u8; 6] = [2, 5, 5, 5, 5, 5];

fn inner(tos: u8) -> Vec<u8> {
    let ip = Ipv4 { tos, ..Ipv4::udp() };
    let ip = ip.around(REMOTE, CLIENT, &packet::udp(1, 2, &[7; 20]));
    ethernet(REMOTE_MAC, [2, 0, 0, 0, 0, 9], 0x0800, &ip)
}

fn inner_v6() -> Vec<u8> {
    let ip = packet::ipv6(REMOTE_V6, CLIENT_V6, 17, &packet::udp(1, 2, &[7; 20]));
    ethernet(REMOTE_MAC, [2, 0, 0, 0, 0, 9], 0x86dd, &ip)
}

fn carried(outer: Ipv4, source: [u8; 4], vni: u32, frame: &[u8]) -> Vec<u8> {
    let udp = packet::udp(40000, PORT, &packet::vxlan(vni, frame));
    ethernet(
        NEXT_MAC,
        HOST_MAC,
        0x0800,
        &outer.around(source, LOCAL_VTEP, &udp),
    )
}

fn from_peer(vni: u32, frame: &[u8]) -> Vec<u8> {
    carried(Ipv4::udp(), PEER_VTEP, vni, frame)
}

fn from_peer_v6(frame: &[u8]) -> Vec<u8> {
    let udp = packet::udp(40000, PORT, &packet::vxlan(VNI, frame));
    ethernet(
        NEXT_MAC,
        HOST_MAC,
        0x86dd,
        &packet::ipv6(PEER_VTEP_V6, LOCAL_VTEP_V6, 17, &udp),
    )
}

#[test]
fn a_carried_packet_reaches_the_container_bare() {
    let mut fixture = Fixture::new();
    for (frame, packet) in [
        (inner(0), from_peer(VNI, &inner(0))),
        (inner_v6(), from_peer_v6(&inner_v6())),
    ] {
        let outcome = fixture.run(FROM_UNDERLAY, &packet);

        assert_bare(&outcome, &frame);
    }
}

#[test]
fn mixed_families_are_unwrapped_where_the_kernel_can_and_left_to_its_device_elsewhere() {
    let mut fixture = Fixture::new();
    for (frame, packet) in [
        (inner_v6(), from_peer(VNI, &inner_v6())),
        (inner(0), from_peer_v6(&inner(0))),
    ] {
        let outcome = fixture.run(FROM_UNDERLAY, &packet);

        if can_mix_families() {
            assert_bare(&outcome, &frame);
        } else {
            assert_eq!(
                (outcome.action, outcome.walks),
                (Action::Pass, vec![(Walk::LeftToKernel, 1)])
            );
            assert_eq!(outcome.packet, packet);
        }
    }
}

fn assert_bare(outcome: &Outcome, frame: &[u8]) {
    assert_eq!(outcome.action, Action::Redirect);
    assert_eq!(outcome.walks, [(Walk::Decapsulated, 1)]);
    assert_eq!(outcome.reasons, []);
    assert_eq!(outcome.packet[..6], CLIENT_MAC);
    assert_eq!(outcome.packet[6..], frame[6..]);
}

#[test]
fn everything_else_on_the_underlay_passes_uncounted() {
    let mut fixture = Fixture::new();
    let mut other_port = from_peer(VNI, &inner(0));
    other_port[37] ^= 1;
    let mut other_host = from_peer(VNI, &inner(0));
    other_host[33] = 99;
    let mut other_mac = from_peer(VNI, &inner(0));
    other_mac[..6].copy_from_slice(&NEXT_MAC);
    let tcp = Ipv4 {
        protocol: 6,
        ..Ipv4::udp()
    };
    let cases = [
        ("another port", other_port),
        ("another host's address", other_host),
        ("another host's Ethernet address", other_mac),
        (
            "TCP",
            ethernet(
                NEXT_MAC,
                HOST_MAC,
                0x0800,
                &tcp.around(PEER_VTEP, LOCAL_VTEP, &[0; 40]),
            ),
        ),
        ("ARP", ethernet(NEXT_MAC, HOST_MAC, 0x0806, &[0; 28])),
        (
            "a later fragment",
            carried(
                Ipv4 {
                    flags_offset: 5,
                    ..Ipv4::udp()
                },
                PEER_VTEP,
                VNI,
                &inner(0),
            ),
        ),
        ("zeros", ethernet(NEXT_MAC, HOST_MAC, 0x0800, &[0; 20])),
    ];
    for (description, packet) in cases {
        let outcome = fixture.run(FROM_UNDERLAY, &packet);

        assert_eq!(outcome.action, Action::Pass, "{description}");
        assert_eq!(
            (outcome.walks, outcome.reasons),
            (vec![], vec![]),
            "{description}"
        );
        assert_eq!(outcome.packet, packet, "{description}");
    }
}

#[test]
fn first_fragments_are_left_to_the_kernel() {
    let mut fixture = Fixture::new();
    let packet = carried(
        Ipv4 {
            flags_offset: 0x2000,
            ..Ipv4::udp()
        },
        PEER_VTEP,
        VNI,
        &inner(0),
    );

    let outcome = fixture.run(FROM_UNDERLAY, &packet);

    assert_eq!(
        (outcome.action, outcome.walks),
        (Action::Pass, vec![(Walk::LeftToKernel, 1)])
    );
    assert_eq!(outcome.packet, packet);
}

#[test]
fn strangers_and_stale_peers_are_dropped_with_their_reason() {
    let mut fixture = Fixture::new();
    let stranger = carried(Ipv4::udp(), [192, 0, 2, 99], VNI, &inner(0));
    let to_nobody = {
        let ip = Ipv4::udp().around(REMOTE, NOBODY, &[0; 20]);
        ethernet(REMOTE_MAC, HOST_MAC, 0x0800, &ip)
    };
    let mut no_vni = from_peer(VNI, &inner(0));
    no_vni[42] = 0;
    let multicast = {
        let ip = Ipv4::udp().around(REMOTE, [224, 0, 0, 1], &[0; 20]);
        ethernet(REMOTE_MAC, [1, 0, 0x5e, 0, 0, 1], 0x0800, &ip)
    };
    let cases = [
        ("a stranger", stranger, Reason::UnknownPeer),
        (
            "nobody's address",
            from_peer(VNI, &to_nobody),
            Reason::NoEndpoint,
        ),
        (
            "a network that is not here",
            from_peer(OTHER_VNI, &inner(0)),
            Reason::UnknownNetwork,
        ),
        ("no VNI", no_vni, Reason::Malformed),
        (
            "an inner frame cut short",
            from_peer(VNI, &inner(0)[..20]),
            Reason::Malformed,
        ),
        ("multicast", from_peer(VNI, &multicast), Reason::Multicast),
        (
            "an unknown protocol",
            from_peer(VNI, &ethernet(REMOTE_MAC, HOST_MAC, 0x88cc, &[0; 40])),
            Reason::UnsupportedProtocol,
        ),
        (
            "an ARP answer",
            from_peer(VNI, &packet::arp(2, REMOTE_MAC, REMOTE, CLIENT)),
            Reason::ArpIgnored,
        ),
        (
            "congestion that cannot be told",
            carried(
                Ipv4 {
                    tos: 3,
                    ..Ipv4::udp()
                },
                PEER_VTEP,
                VNI,
                &inner(0),
            ),
            Reason::Congestion,
        ),
    ];
    for (description, packet, reason) in cases {
        let outcome = fixture.run(FROM_UNDERLAY, &packet);

        assert_eq!(outcome.action, Action::Drop, "{description}");
        assert_eq!(
            (outcome.walks, outcome.reasons),
            (vec![], vec![(reason, 1)]),
            "{description}"
        );
    }
}

#[test]
fn congestion_on_the_underlay_reaches_the_receiver() {
    let mut fixture = Fixture::new();
    let congested = Ipv4 {
        tos: 3,
        ..Ipv4::udp()
    };

    let v4 = fixture.run(
        FROM_UNDERLAY,
        &carried(congested, PEER_VTEP, VNI, &inner(0b1011_1010)),
    );
    let mut capable = inner_v6();
    capable[15] = 0x20;
    let mut carried_v6 = from_peer_v6(&capable);
    carried_v6[15] = 0x30;
    let v6 = fixture.run(FROM_UNDERLAY, &carried_v6);

    assert_eq!(v4.walks, [(Walk::Decapsulated, 1)]);
    assert_eq!(v4.packet[15], 0b1011_1011);
    assert_eq!(checksum(&v4.packet[14..34]), 0);
    assert_eq!(v6.walks, [(Walk::Decapsulated, 1)]);
    assert_eq!(v6.packet[14..16], [0x60, 0x30]);
    assert_eq!(v6.packet[16..], capable[16..]);
}

#[test]
fn a_foreign_hosts_arp_question_is_answered_over_the_underlay() {
    let mut fixture = Fixture::new();
    let question = packet::arp(1, REMOTE_MAC, REMOTE, CLIENT);

    let outcome = fixture.run(FROM_UNDERLAY, &from_peer(VNI, &question));

    assert_eq!(
        (outcome.action, outcome.walks),
        (Action::Redirect, vec![(Walk::ArpAnswered, 1)])
    );
    let out = outcome.packet;
    assert_eq!(
        (&out[26..30], &out[30..34]),
        (&LOCAL_VTEP[..], &PEER_VTEP[..])
    );
    assert_eq!(checksum(&out[14..34]), 0);
    assert_eq!(out[36..38], PORT.to_be_bytes());
    let mut expected = packet::arp(2, CLIENT_MAC, CLIENT, REMOTE);
    expected[..6].copy_from_slice(&REMOTE_MAC);
    expected[32..38].copy_from_slice(&REMOTE_MAC);
    assert_eq!(out[50..], expected);
}

#[test]
fn a_foreign_hosts_neighbour_solicitation_is_answered_over_the_underlay() {
    let mut fixture = Fixture::new();
    let question = packet::solicitation(REMOTE_MAC, REMOTE_V6, CLIENT_V6);
    for (packet, at) in [
        (from_peer(VNI, &question), 50),
        (from_peer_v6(&question), 70),
    ] {
        let outcome = fixture.run(FROM_UNDERLAY, &packet);

        assert_eq!(outcome.walks, [(Walk::NeighbourAnswered, 1)]);
        let out = &outcome.packet[at..];
        assert_eq!((out.len(), out[54], &out[..6]), (86, 136, &REMOTE_MAC[..]));
        let pseudo = [&out[22..54], &[0, 32, 0, 58]].concat();
        assert_eq!(checksum(&[&pseudo, &out[54..]].concat()), 0);
    }
}

#[test]
fn questions_for_what_is_not_here_are_not_answered() {
    let mut fixture = Fixture::new();
    let question = packet::arp(1, REMOTE_MAC, REMOTE, NOBODY);

    let outcome = fixture.run(FROM_UNDERLAY, &from_peer(VNI, &question));

    assert_eq!(
        (outcome.action, outcome.reasons),
        (Action::Drop, vec![(Reason::NoEndpoint, 1)])
    );
}

#[test]
fn a_packet_without_tunnel_metadata_never_passes_from_tunnel() {
    let mut fixture = Fixture::new();

    let outcome = fixture.run(FROM_TUNNEL, &inner(0));

    assert_eq!(
        (outcome.action, outcome.reasons),
        (Action::Drop, vec![(Reason::Malformed, 1)])
    );
}
