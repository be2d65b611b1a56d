//! ICMP errors about packets that were rewritten on their way.

use super::*;

/// An ICMP error of `family` about `quoted`, from `source`.
fn error(source: IpAddr, destination: IpAddr, macs: ([u8; 6], [u8; 6]), quoted: &[u8]) -> Vec<u8> {
    let (protocol, kind, length) = if source.is_ipv4() {
        (1, [3, 3], 28)
    } else {
        (58, [1, 4], 48)
    };
    let quoted = &quoted[14..14 + length];
    let message = [&kind[..], &[0; 6], quoted].concat();
    between(macs, source, destination, protocol, &message)
}

/// A datagram whose own checksum is left out, for it stands in the quote, where nobody corrects it.
fn datagram(
    macs: ([u8; 6], [u8; 6]),
    source: IpAddr,
    destination: IpAddr,
    ports: [u16; 2],
) -> Vec<u8> {
    let mut packet = between(
        macs,
        source,
        destination,
        17,
        &udp(ports[0], ports[1], &[5; 40]),
    );
    let at = if source.is_ipv4() { 40 } else { 60 };
    packet[at..at + 2].fill(0);
    packet
}

#[test]
fn an_error_from_a_task_comes_from_the_vip_and_quotes_what_the_client_sent() {
    for family in families() {
        let mut fixture = Fixture::new();
        let sent = datagram((CLIENT_MAC, ANY_MAC), family.client, family.far, [4000, 80]);
        fixture.run(FROM_CONTAINER, &sent);
        let macs = (REMOTE_MAC, CLIENT_MAC);
        let arrived = datagram(macs, family.client, family.remote, [4000, 80]);
        let reporter = match family.client {
            IpAddr::V4(_) => IpAddr::from([10, 1, 0, 77]),
            IpAddr::V6(_) => IpAddr::from([9; 16]),
        };

        if !crate::fixture::can_mix_families() && family.client.is_ipv6() {
            continue;
        }
        for (from, seen_from) in [(family.remote, family.far), (reporter, reporter)] {
            let packet = carried(&error(from, family.client, macs, &arrived));
            let outcome = fixture.run(FROM_UNDERLAY, &packet);

            assert_eq!(outcome.walks, [(Walk::BalancedAnswer, 1)]);
            let expected = error(seen_from, family.client, macs, &sent);
            assert_eq!(outcome.packet[12..], expected[12..], "{from}");
        }
    }
}

#[test]
fn an_error_about_an_answer_reaches_the_task_that_sent_it() {
    for family in families() {
        let mut fixture = Fixture::new();
        let sent = datagram(
            (CLIENT_MAC, ANY_MAC),
            family.client,
            family.near,
            [4000, 80],
        );
        fixture.run(FROM_CONTAINER, &sent);
        let macs = (CLIENT_MAC, SERVER_MAC);
        let answered = datagram(macs, family.server, family.client, [80, 4000]);
        let seen = datagram(macs, family.near, family.client, [80, 4000]);

        let packet = error(family.client, family.near, (CLIENT_MAC, ANY_MAC), &seen);
        let outcome = fixture.run(FROM_CONTAINER, &packet);

        assert_eq!(outcome.walks, [(Walk::Balanced, 1)]);
        let expected = error(family.client, family.server, macs, &answered);
        assert_eq!(outcome.packet, expected);
    }
}

#[test]
fn a_task_that_calls_itself_hears_its_own_errors() {
    for family in families() {
        let mut fixture = Fixture::new();
        let macs = (CLIENT_MAC, CLIENT_MAC);
        let sent = datagram(macs, family.client, family.own, [4000, 80]);
        fixture.run(FROM_CONTAINER, &sent);
        let seen = datagram(macs, family.own, family.client, [4000, 80]);

        let packet = error(family.client, family.own, macs, &seen);
        let outcome = fixture.run(FROM_CONTAINER, &packet);

        assert_eq!(outcome.walks, [(Walk::Balanced, 1)]);
        let expected = error(family.own, family.client, macs, &sent);
        assert_eq!(outcome.packet, expected);
    }
}

#[test]
fn errors_about_direct_flows_and_unknown_ones_are_left_alone() {
    for family in families() {
        let mut fixture = Fixture::new();
        let macs = (REMOTE_MAC, CLIENT_MAC);
        let direct = datagram(macs, family.client, family.remote, [4000, 80]);
        let frame = error(family.remote, family.client, macs, &direct);
        let outcome = fixture.run(FROM_UNDERLAY, &carried(&frame));

        if crate::fixture::can_mix_families() || family.client.is_ipv4() {
            assert_eq!(outcome.walks, [(Walk::Decapsulated, 1)]);
            assert_eq!(outcome.packet[12..], frame[12..]);
        }

        let unknown = datagram(macs, family.near, family.client, [80, 4000]);
        let packet = error(family.client, family.near, (CLIENT_MAC, ANY_MAC), &unknown);
        let expected = (vec![], vec![Reason::UnknownFlow]);
        assert_eq!(told(&mut fixture, &packet), expected);
    }
}
