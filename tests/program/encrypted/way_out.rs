//! What containers send, and what leaves the host.

use overlay_common::abi::program::{FROM_CONTAINER, FROM_UNDERLAY, TO_UNDERLAY};

use super::*;
use crate::{
    fixture::{
        FAR, LOCAL_VTEP, LOCAL_VTEP_V6, OTHER_VNI, PEER_VTEP, PEER_VTEP_V6, PORT, REMOTE,
        REMOTE_V6, THROUGH_DEVICE,
    },
    services::families,
};

const MAC: [u8; 6] = [2, 5, 5, 5, 5, 5];

#[test]
fn no_packet_of_an_encrypted_network_is_encapsulated_by_the_program() {
    let mut fixture = encrypted();
    for packet in [
        to(REMOTE, 32),
        to(FAR, 32),
        to(THROUGH_DEVICE, 32),
        to_v6(REMOTE_V6, 32),
    ] {
        for mark in [0, FOREIGN, inbound(MARK, 1)] {
            let (outcome, mark) = fixture.run_marked(FROM_CONTAINER, &packet, mark);

            expect(&outcome, Action::Redirect, Walk::Encrypted);
            assert_eq!(mark, outbound(MARK));
            assert_eq!(outcome.packet[6..], packet[6..], "only the receiver is new");
        }
    }
}

#[test]
fn what_a_service_leads_to_another_node_is_encrypted_too() {
    let mut fixture = encrypted();
    for family in families() {
        let packet = match family.far {
            std::net::IpAddr::V4(vip) => to(vip.octets(), 32),
            std::net::IpAddr::V6(vip) => to_v6(vip.octets(), 32),
        };

        let (outcome, mark) = fixture.run_marked(FROM_CONTAINER, &packet, 0);

        expect(&outcome, Action::Redirect, Walk::Encrypted);
        assert_eq!(mark, outbound(MARK));
    }
}

#[test]
fn a_mark_that_a_container_brings_is_taken_off() {
    let mut fixture = Fixture::new();
    let mut encrypted = encrypted();
    for (packet, walk) in [
        (to(SERVER, 32), Walk::Local),
        (to_v6(SERVER_V6, 32), Walk::Local),
        (to(REMOTE, 32), Walk::Encapsulated),
        (to(THROUGH_DEVICE, 32), Walk::Device),
    ] {
        for mark in [outbound(MARK), inbound(MARK, 1)] {
            let (outcome, mark) = fixture.run_marked(FROM_CONTAINER, &packet, mark);

            expect(&outcome, Action::Redirect, walk);
            assert_eq!(mark, 0, "{walk:?}");
        }
        let (outcome, mark) = fixture.run_marked(FROM_CONTAINER, &packet, FOREIGN);
        expect(&outcome, Action::Redirect, walk);
        assert_eq!(mark, FOREIGN, "{walk:?}");
    }
    let (outcome, mark) = encrypted.run_marked(FROM_CONTAINER, &to(SERVER, 32), inbound(MARK, 1));
    expect(&outcome, Action::Redirect, Walk::Local);
    assert_eq!(mark, 0);
}

#[test]
fn a_container_is_told_what_esp_leaves_of_the_mtu() {
    let mut fixture = encrypted();
    for (destination, mtu) in [(REMOTE, 1416_u16), (FAR, 1396), (THROUGH_DEVICE, 1416)] {
        let fits = usize::from(mtu) - 28;
        let outcome = fixture.run(FROM_CONTAINER, &to(destination, fits));
        expect(&outcome, Action::Redirect, Walk::Encrypted);

        let told = fixture.run(FROM_CONTAINER, &to(destination, fits + 1));

        expect(&told, Action::Redirect, Walk::MtuTold);
        // ICMP destination unreachable, fragmentation needed: the MTU stands in its last two bytes.
        assert_eq!(told.packet[34..36], [3, 4]);
        assert_eq!(told.packet[40..42], mtu.to_be_bytes());
    }
    let fits = fixture.run(FROM_CONTAINER, &to_v6(REMOTE_V6, 1416 - 48));
    let told = fixture.run(FROM_CONTAINER, &to_v6(REMOTE_V6, 1417 - 48));

    expect(&fits, Action::Redirect, Walk::Encrypted);
    expect(&told, Action::Redirect, Walk::MtuTold);
    assert_eq!(told.packet[54], 2, "packet too big");
    assert_eq!(told.packet[58..62], 1416_u32.to_be_bytes());
}

/// An outer packet as it leaves this host.
fn leaving(ip: Ipv4, port: u16, vni: u32) -> Vec<u8> {
    let udp = packet::udp(40000, port, &packet::vxlan(vni, &to(REMOTE, 8)));
    ethernet(MAC, MAC, 0x0800, &ip.around(LOCAL_VTEP, PEER_VTEP, &udp))
}

fn leaving_v6(next: u8, before: &[u8], vni: u32) -> Vec<u8> {
    let udp = packet::udp(40000, PORT, &packet::vxlan(vni, &to(REMOTE, 8)));
    let payload = [before, &udp].concat();
    let ip = packet::ipv6(LOCAL_VTEP_V6, PEER_VTEP_V6, next, &payload);
    ethernet(MAC, MAC, 0x86dd, &ip)
}

fn with_options(mut packet: Vec<u8>) -> Vec<u8> {
    packet[14] = 0x46;
    packet.splice(34..34, [1, 1, 1, 0]);
    packet
}

#[test]
fn nothing_of_an_encrypted_network_leaves_as_it_is() {
    let mut fixture = encrypted();
    let part = |flags_offset| Ipv4 {
        flags_offset,
        ..Ipv4::udp()
    };
    // Whatever its mark.
    for packet in [
        leaving(Ipv4::udp(), PORT, VNI),
        leaving(part(0x2000), PORT, VNI),
        with_options(leaving(Ipv4::udp(), PORT, VNI)),
        leaving_v6(17, &[], VNI),
        leaving_v6(44, &[17, 0, 0, 1, 0, 0, 0, 9], VNI),
    ] {
        for mark in [0, FOREIGN, outbound(MARK), inbound(MARK, 1)] {
            let (outcome, _) = fixture.run_marked(TO_UNDERLAY, &packet, mark);

            expect_drop(&outcome, Reason::Unencrypted);
        }
    }
    // What asks for encryption, whatever can be read of it.
    for packet in [
        leaving(Ipv4::udp(), PORT, OTHER_VNI),
        leaving(part(0x2010), 0, 0),
        leaving(part(0x0010), 0, 0),
        leaving_v6(17, &[], OTHER_VNI),
        leaving_v6(44, &[17, 0, 0, 9, 0, 0, 0, 9], VNI),
    ] {
        let (plain, _) = fixture.run_marked(TO_UNDERLAY, &packet, 0);
        let (asked, _) = fixture.run_marked(TO_UNDERLAY, &packet, outbound(MARK));

        expect_pass(&plain, &packet);
        expect_drop(&asked, Reason::Unencrypted);
    }
}

#[test]
fn what_is_encrypted_and_what_need_not_be_leaves() {
    let mut fixture = encrypted();
    let esp = |flags_offset| Ipv4 {
        protocol: 50,
        flags_offset,
        ..Ipv4::udp()
    };
    for packet in [
        leaving(esp(0), PORT, VNI),
        leaving(esp(0x2000), PORT, VNI),
        leaving(esp(0x0010), PORT, VNI),
        leaving_v6(50, &[], VNI),
        leaving_v6(44, &[50, 0, 0, 9, 0, 0, 0, 9], VNI),
        leaving(Ipv4::udp(), 53, VNI),
        to(REMOTE, 1),
        ethernet(MAC, MAC, 0x0806, &[0; 28]),
    ] {
        for mark in [0, outbound(MARK)] {
            let (outcome, after) = fixture.run_marked(TO_UNDERLAY, &packet, mark);

            expect_pass(&outcome, &packet);
            assert_eq!(after, mark);
        }
    }
}

#[test]
fn the_way_in_is_no_way_out() {
    let mut fixture = encrypted();
    let packet = leaving(Ipv4::udp(), PORT, VNI);

    // For another host: not this node's business.
    let outcome = fixture.run(FROM_UNDERLAY, &packet);

    expect_pass(&outcome, &packet);
}
