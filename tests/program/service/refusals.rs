//! Services without tasks, and connections whose task has gone.

use super::*;

#[test]
fn a_service_without_tasks_refuses_at_once() {
    for family in families() {
        let mut fixture = Fixture::new();
        let is_v4 = family.client.is_ipv4();
        for (name, protocol, transport) in there(&family) {
            let packet = from_client(&family, family.empty, protocol, &transport);
            let outcome = fixture.run(FROM_CONTAINER, &packet);

            assert_eq!(outcome.action, Action::Redirect, "{name}");
            assert_eq!(outcome.packet[..6], CLIENT_MAC, "{name}");
            let out = &outcome.packet[14..];
            if protocol == 6 {
                assert_eq!(outcome.walks, [(Walk::Reset, 1)]);
                let reset = [
                    0, 80, 0x0f, 0xa0, 0, 0, 0, 0, 0, 0, 0x10, 1, 0x50, 0x14, 0, 0, 0, 0, 0, 0,
                ];
                let expected = sealed(family.empty, family.client, 6, &reset);
                assert_eq!(out[if is_v4 { 20 } else { 40 }..], expected);
                continue;
            }
            assert_eq!(outcome.walks, [(Walk::Unreachable, 1)], "{name}");
            let code = match (protocol, is_v4) {
                (17, true) => [3, 3],
                (132, true) => [3, 2],
                (_, true) => [3, 1],
                (17 | 132, false) => [1, 4],
                (_, false) => [1, 3],
            };
            let (at, quoted) = if is_v4 { (20, 28) } else { (40, 48) };
            assert_eq!(out[at..at + 2], code, "{name}");
            assert_eq!(out[at + 8..], packet[14..14 + quoted], "{name}");
        }
        assert_eq!(fixture.flows(FLOW_NEW).len(), 0);
    }
}

#[test]
fn errors_resets_and_parts_of_packets_are_never_refused() {
    let [family, v6] = families();
    let mut fixture = Fixture::new();
    let part = |offset: u16| {
        let mut packet = from_client(&family, family.empty, 17, &udp(1, 2, &[1; 64]));
        packet[20..22].copy_from_slice(&offset.to_be_bytes());
        packet
    };
    let error = |family: &Family, protocol, kind| {
        from_client(
            family,
            family.empty,
            protocol,
            &[&[kind][..], &[0; 60]].concat(),
        )
    };
    let cases = [
        (
            "a reset",
            from_client(&family, family.empty, 6, &tcp([1, 2], RST, &[])),
            Reason::NoBackend,
        ),
        ("a later fragment", part(0x0002), Reason::UnknownFragment),
        ("an error", error(&family, 1, 3), Reason::UnknownFlow),
        ("an IPv6 error", error(&v6, 58, 1), Reason::UnknownFlow),
        ("an echo reply", error(&family, 1, 0), Reason::UnknownFlow),
        (
            "another ICMP message",
            error(&family, 1, 10),
            Reason::NoBackend,
        ),
    ];
    for (name, packet, reason) in cases {
        assert_eq!(
            told(&mut fixture, &packet),
            (vec![], vec![reason]),
            "{name}"
        );
    }
}

#[test]
fn extension_headers_are_not_translated() {
    let [_, family] = families();
    let mut fixture = Fixture::new();
    for next in [0, 43, 60] {
        let packet = from_client(&family, family.near, next, &[17, 0, 0, 0, 0, 0, 0, 0, 1, 2]);

        let expected = (vec![], vec![Reason::Untranslatable]);
        assert_eq!(told(&mut fixture, &packet), expected, "{next}");
    }
}

#[test]
fn a_connection_to_a_dead_task_is_reset_and_the_next_one_goes_elsewhere() {
    for family in families() {
        let mut fixture = Fixture::new();
        let packet = |flags| from_client(&family, family.near, 6, &tcp([4000, 80], flags, &[1; 9]));
        fixture.run(FROM_CONTAINER, &packet(SYN));
        fixture.remove_backend(family.backend);

        let reset = fixture.run(FROM_CONTAINER, &packet(ACK));
        assert_eq!(reset.walks, [(Walk::Reset, 1)]);
        let at = if family.client.is_ipv4() { 34 } else { 54 };
        let expected = [
            0, 80, 0x0f, 0xa0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0x50, 0x04, 0, 0, 0, 0, 0, 0,
        ];
        let expected = sealed(family.near, family.client, 6, &expected);
        assert_eq!(reset.packet[at..], expected);
        assert_eq!(fixture.flows(FLOW_NEW).len(), 0, "both directions");

        fixture.set_slots(family.backend, &[family.backend + 1]);
        let again = fixture.run(FROM_CONTAINER, &packet(SYN));
        assert_eq!(again.walks, [(Walk::Balanced, 1)]);
    }
}

#[test]
fn a_reset_for_a_dead_task_is_dropped() {
    let [family, _] = families();
    let mut fixture = Fixture::new();
    let packet = |flags| from_client(&family, family.near, 6, &tcp([4000, 80], flags, &[]));
    fixture.run(FROM_CONTAINER, &packet(SYN));
    fixture.remove_backend(family.backend);

    let expected = (vec![], vec![Reason::DeadBackend]);
    assert_eq!(told(&mut fixture, &packet(RST)), expected);
}

#[test]
fn a_packet_too_big_for_the_way_to_its_task_quotes_what_its_sender_sent() {
    for family in families() {
        let mut fixture = Fixture::new();
        fixture.set_peer_mtu(1, 1300);
        let packet = from_client(&family, family.far, 17, &udp(4000, 80, &[9; 1300]));

        let outcome = fixture.run(FROM_CONTAINER, &packet);

        assert_eq!(outcome.walks, [(Walk::MtuTold, 1)]);
        let (quote, length) = if family.client.is_ipv4() {
            (42, 28)
        } else {
            (62, 48)
        };
        assert_eq!(outcome.packet[quote..], packet[14..14 + length]);
        assert_eq!(fixture.flows(FLOW_NEW).len(), 0);
    }
}
