//! What the underlay brings for an encrypted network as it is: forgeries.

use overlay_common::abi::program::FROM_UNDERLAY;

use super::*;
use crate::fixture::{LOCAL_VTEP, LOCAL_VTEP_V6, PEER_VTEP, PEER_VTEP_V6, PORT, REMOTE, REMOTE_V6};

const REMOTE_MAC: [u8; 6] = [2, 0x42, 10, 1, 0, 70];
const NEXT_MAC: [u8; 6] = [2, 5, 5, 5, 5, 5];
/// Test packets enter through the loopback device, whose Ethernet address is zero.
const HOST_MAC: [u8; 6] = [0; 6];

/// Everything that a forger may put inside.
fn inner() -> Vec<Vec<u8>> {
    let v4 = |to| Ipv4::udp().around(REMOTE, to, &packet::udp(1, 2, &[7; 20]));
    let v6 = |to| packet::ipv6(REMOTE_V6, to, 17, &packet::udp(1, 2, &[7; 20]));
    vec![
        ethernet(REMOTE_MAC, CLIENT_MAC, 0x0800, &v4(CLIENT)),
        ethernet(REMOTE_MAC, CLIENT_MAC, 0x0800, &v4(SERVER)),
        ethernet(REMOTE_MAC, CLIENT_MAC, 0x86dd, &v6(CLIENT_V6)),
        ethernet(REMOTE_MAC, CLIENT_MAC, 0x86dd, &v6(SERVER_V6)),
        packet::arp(1, REMOTE_MAC, REMOTE, CLIENT),
        packet::solicitation(REMOTE_MAC, REMOTE_V6, CLIENT_V6),
    ]
}

fn over_v4(ip: Ipv4, frame: &[u8]) -> Vec<u8> {
    let udp = packet::udp(40000, PORT, &packet::vxlan(VNI, frame));
    let ip = ip.around(PEER_VTEP, LOCAL_VTEP, &udp);
    ethernet(NEXT_MAC, HOST_MAC, 0x0800, &ip)
}

fn over_v6(frame: &[u8]) -> Vec<u8> {
    let udp = packet::udp(40000, PORT, &packet::vxlan(VNI, frame));
    let ip = packet::ipv6(PEER_VTEP_V6, LOCAL_VTEP_V6, 17, &udp);
    ethernet(NEXT_MAC, HOST_MAC, 0x86dd, &ip)
}

#[test]
fn cleartext_is_dropped_and_counted_in_every_form() {
    let mut fixture = encrypted();
    let mut plain = Fixture::new();
    for frame in inner() {
        for packet in [over_v4(Ipv4::udp(), &frame), over_v6(&frame)] {
            for mark in [0, FOREIGN, outbound(MARK)] {
                let (outcome, _) = fixture.run_marked(FROM_UNDERLAY, &packet, mark);

                expect_drop(&outcome, Reason::Cleartext);
            }
            let delivered = plain.run(FROM_UNDERLAY, &packet);
            assert_eq!(delivered.reasons, [], "it is the encryption that refuses");
        }
    }
}

#[test]
fn what_hides_its_network_is_left_to_the_device_behind_which_it_is_dropped() {
    let mut fixture = encrypted();
    for frame in inner() {
        let part = |flags_offset| Ipv4 {
            flags_offset,
            ..Ipv4::udp()
        };
        let first = over_v4(part(0x2000), &frame);
        let later = over_v4(part(0x0010), &frame);
        let mut options = over_v4(Ipv4::udp(), &frame);
        options[14] = 0x46;
        options.splice(34..34, [1, 1, 1, 0]);

        for packet in [first, options] {
            let outcome = fixture.run(FROM_UNDERLAY, &packet);

            expect(&outcome, Action::Pass, Walk::LeftToKernel);
            assert_eq!(outcome.packet, packet);
        }
        expect_pass(&fixture.run(FROM_UNDERLAY, &later), &later);
        // The kernel takes the tag off before a program of this device sees the frame; two tags are another device's.
        let mut tagged = over_v4(Ipv4::udp(), &frame);
        tagged.splice(12..12, [0x81, 0, 0, 7]);
        expect_pass(&fixture.run(FROM_UNDERLAY, &tagged), &tagged);
    }
}

#[test]
fn what_was_decrypted_before_goes_the_kernels_way_with_its_mark() {
    let mut fixture = encrypted();
    for frame in inner() {
        for packet in [over_v4(Ipv4::udp(), &frame), over_v6(&frame)] {
            let given = inbound(MARK, 1);

            let (outcome, mark) = fixture.run_marked(FROM_UNDERLAY, &packet, given);

            expect(&outcome, Action::Pass, Walk::LeftToKernel);
            assert_eq!((outcome.packet, mark), (packet, given));
        }
    }
}
