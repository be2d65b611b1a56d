//! Fragmented packets: only the first part has the ports.

use super::*;

/// The parts of a datagram between two addresses: the first 24 bytes of its payload, and the rest.
fn parts(
    macs: ([u8; 6], [u8; 6]),
    source: IpAddr,
    destination: IpAddr,
    ports: [u16; 2],
) -> [Vec<u8>; 2] {
    let whole = sealed(source, destination, 17, &udp(ports[0], ports[1], &[5; 40]));
    let part = |bytes: &[u8], offset: u16, has_more: bool| match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let ip = Ipv4 {
                flags_offset: u16::from(has_more) << 13 | offset,
                ..Ipv4::udp()
            };
            let ip = ip.around(source.octets(), destination.octets(), bytes);
            ethernet(macs.0, macs.1, 0x0800, &ip)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let flags = offset << 3 | u16::from(has_more);
            let header = [&[17, 0][..], &flags.to_be_bytes(), &[1, 2, 3, 4]].concat();
            let payload = [&header[..], bytes].concat();
            let ip = packet::ipv6(source.octets(), destination.octets(), 44, &payload);
            ethernet(macs.0, macs.1, 0x86dd, &ip)
        }
        _ => panic!("two families in one packet"),
    };
    [part(&whole[..24], 0, true), part(&whole[24..], 3, false)]
}

#[test]
fn all_parts_go_to_one_task_and_come_back_from_the_vip() {
    for family in families() {
        let mut fixture = Fixture::new();
        let macs = (CLIENT_MAC, SERVER_MAC);
        let sent = parts(macs, family.client, family.near, [4000, 80]);
        let expected = parts(macs, family.client, family.server, [4000, 80]);
        for (packet, expected) in sent.iter().zip(expected) {
            let outcome = fixture.run(FROM_CONTAINER, packet);

            assert_eq!(outcome.walks, [(Walk::Balanced, 1)]);
            assert_eq!(outcome.packet, expected);
        }

        fixture.send_as_server();
        let macs = (SERVER_MAC, CLIENT_MAC);
        let answered = parts(macs, family.server, family.client, [80, 4000]);
        let expected = parts(macs, family.near, family.client, [80, 4000]);
        for (packet, expected) in answered.iter().zip(expected) {
            let outcome = fixture.run(FROM_CONTAINER, packet);

            assert_eq!(outcome.walks, [(Walk::BalancedAnswer, 1)]);
            assert_eq!(outcome.packet, expected);
        }
    }
}

#[test]
fn a_part_without_its_first_is_dropped_on_the_way_there_and_left_alone_on_the_way_back() {
    for family in families() {
        let mut fixture = Fixture::new();
        let macs = (CLIENT_MAC, SERVER_MAC);
        let [_, later] = parts(macs, family.client, family.near, [4000, 80]);
        let expected = (vec![], vec![Reason::UnknownFragment]);
        assert_eq!(told(&mut fixture, &later), expected);

        fixture.send_as_server();
        let macs = (SERVER_MAC, CLIENT_MAC);
        let [_, later] = parts(macs, family.server, family.client, [80, 4000]);
        let outcome = fixture.run(FROM_CONTAINER, &later);
        assert_eq!(outcome.walks, [(Walk::Local, 1)]);
        assert_eq!(outcome.packet, later);
    }
}
