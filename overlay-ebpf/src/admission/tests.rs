use proptest::prelude::*;

use super::*;

const MAC: [u8; 6] = [2, 0x42, 10, 0, 0, 1];
const OTHER_MAC: [u8; 6] = [2, 0x42, 10, 0, 0, 2];
const V6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const V6_OTHER: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
const LINK_LOCAL: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const SOLICITED_NODE: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 2];

fn interface() -> Interface {
    Interface {
        vni: 7,
        ipv4: Address::from_v4([10, 0, 0, 1]),
        ipv6: Address::from_v6(V6),
        transit_ipv4: Address::UNSPECIFIED,
        transit_ipv6: Address::UNSPECIFIED,
        mac: MAC,
        flags: 0,
        _reserved: [0; 4],
    }
}

fn ethernet(source: [u8; 6], destination: [u8; 6], ethertype: u16) -> Vec<u8> {
    [&destination[..], &source, &ethertype.to_be_bytes()].concat()
}

fn ipv4_packet(source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
    let mut packet = ethernet(MAC, OTHER_MAC, 0x0800);
    packet.extend([0x45, 0b10, 0, 28, 0, 1, 0x40, 0, 64, 17, 0, 0]);
    packet.extend(source);
    packet.extend(destination);
    packet.extend([0; 8]);
    packet
}

fn arp(sender_mac: [u8; 6], sender: [u8; 4], target: [u8; 4], operation: u8) -> Vec<u8> {
    let mut packet = ethernet(MAC, [0xff; 6], 0x0806);
    packet.extend([0, 1, 8, 0, 6, 4, 0, operation]);
    packet.extend(sender_mac);
    packet.extend(sender);
    packet.extend([0; 6]);
    packet.extend(target);
    packet
}

fn ipv6_packet(source: [u8; 16], destination: [u8; 16], next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = ethernet(MAC, OTHER_MAC, 0x86dd);
    packet.extend([0x60, 0x20, 0, 0, 0, payload.len() as u8, next, 255]);
    packet.extend(source);
    packet.extend(destination);
    packet.extend(payload);
    packet
}

fn solicitation_of(source: [u8; 16], target: [u8; 16]) -> Vec<u8> {
    let mut message = vec![135, 0, 0, 0, 0, 0, 0, 0];
    message.extend(target);
    message.extend([1, 1]);
    message.extend(MAC);
    ipv6_packet(source, SOLICITED_NODE, 58, &message)
}

fn admit_bytes(bytes: &[u8]) -> Result<Admitted, Reason> {
    admit(&Frame(bytes), &interface())
}

#[test]
fn a_packet_from_its_own_addresses_is_admitted_in_both_families() {
    let v4 = admit_bytes(&ipv4_packet([10, 0, 0, 1], [10, 0, 0, 2]));
    let v6 = admit_bytes(&ipv6_packet(V6, V6_OTHER, 17, &[0; 8]));

    let Ok(Admitted::Packet(v4)) = v4 else {
        panic!("{v4:?}")
    };
    assert_eq!(v4.destination, Address::from_v4([10, 0, 0, 2]));
    assert!(v4.dont_fragment && v4.is_plain && v4.is_v4);
    assert_eq!(v4.class, 0b10);
    let Ok(Admitted::Packet(v6)) = v6 else {
        panic!("{v6:?}")
    };
    assert_eq!(v6.destination, Address::from_v6(V6_OTHER));
    assert_eq!(v6.class, 0b10);
}

#[test]
fn sources_that_are_not_its_own_are_refused() {
    let mut foreign_mac = ipv4_packet([10, 0, 0, 1], [10, 0, 0, 2]);
    foreign_mac[6..12].copy_from_slice(&OTHER_MAC);

    assert_eq!(admit_bytes(&foreign_mac), Err(Reason::SpoofedMac));
    assert_eq!(
        admit_bytes(&ipv4_packet([10, 0, 0, 9], [10, 0, 0, 2])),
        Err(Reason::SpoofedAddress)
    );
    assert_eq!(
        admit_bytes(&ipv4_packet([0; 4], [10, 0, 0, 2])),
        Err(Reason::SpoofedAddress)
    );
    assert_eq!(
        admit_bytes(&ipv6_packet(V6_OTHER, V6, 17, &[0; 8])),
        Err(Reason::SpoofedAddress)
    );
    assert_eq!(
        admit_bytes(&ipv6_packet([0; 16], V6_OTHER, 17, &[0; 8])),
        Err(Reason::SpoofedAddress)
    );
    assert_eq!(
        admit_bytes(&arp(OTHER_MAC, [10, 0, 0, 1], [10, 0, 0, 2], 1)),
        Err(Reason::SpoofedMac)
    );
    assert_eq!(
        admit_bytes(&arp(MAC, [10, 0, 0, 9], [10, 0, 0, 2], 1)),
        Err(Reason::SpoofedAddress)
    );
}

#[test]
fn an_endpoint_without_an_address_of_a_family_cannot_use_that_family() {
    let mut interface = interface();
    interface.ipv4 = Address::UNSPECIFIED;
    interface.ipv6 = Address::UNSPECIFIED;

    let v4 = ipv4_packet([10, 0, 0, 1], [10, 0, 0, 2]);
    let v6 = ipv6_packet(V6, V6_OTHER, 17, &[0; 8]);

    assert_eq!(
        admit(&Frame(&v4[..]), &interface),
        Err(Reason::SpoofedAddress)
    );
    assert_eq!(
        admit(&Frame(&v6[..]), &interface),
        Err(Reason::SpoofedAddress)
    );
}

#[test]
fn link_local_sources_pass() {
    let packet = admit_bytes(&ipv6_packet(LINK_LOCAL, V6_OTHER, 17, &[0; 8]));

    assert!(matches!(packet, Ok(Admitted::Packet(_))), "{packet:?}");
}

#[test]
fn questions_for_others_are_answered_and_own_address_checks_are_not() {
    let target = Address::from_v6(V6_OTHER);
    assert_eq!(
        admit_bytes(&arp(MAC, [10, 0, 0, 1], [10, 0, 0, 2], 1)),
        Ok(Admitted::ArpQuestion {
            target: Address::from_v4([10, 0, 0, 2])
        })
    );
    for asker in [V6, LINK_LOCAL, [0; 16]] {
        assert_eq!(
            admit_bytes(&solicitation_of(asker, V6_OTHER)),
            Ok(Admitted::NeighbourQuestion { target })
        );
    }

    for probe in [[0; 4], [10, 0, 0, 1]] {
        assert_eq!(
            admit_bytes(&arp(MAC, probe, [10, 0, 0, 1], 1)),
            Err(Reason::OwnAddressCheck)
        );
    }
    assert_eq!(
        admit_bytes(&solicitation_of([0; 16], V6)),
        Err(Reason::OwnAddressCheck)
    );
    assert_eq!(
        admit_bytes(&solicitation_of([0; 16], LINK_LOCAL)),
        Err(Reason::OwnAddressCheck)
    );
}

#[test]
fn noise_of_the_link_stays_in_the_container() {
    let mut broadcast = ipv4_packet([10, 0, 0, 1], [255; 4]);
    broadcast[..6].fill(0xff);

    assert_eq!(admit_bytes(&broadcast), Err(Reason::Multicast));
    assert_eq!(
        admit_bytes(&ipv4_packet([10, 0, 0, 1], [224, 0, 0, 251])),
        Err(Reason::Multicast)
    );
    assert_eq!(
        admit_bytes(&ipv6_packet(LINK_LOCAL, SOLICITED_NODE, 17, &[0; 8])),
        Err(Reason::Multicast)
    );
    assert_eq!(
        admit_bytes(&arp(MAC, [10, 0, 0, 1], [10, 0, 0, 2], 2)),
        Err(Reason::ArpIgnored)
    );
    for kind in [133, 134, 136, 137] {
        let message = ipv6_packet(LINK_LOCAL, SOLICITED_NODE, 58, &[kind, 0, 0, 0]);
        assert_eq!(
            admit_bytes(&message),
            Err(Reason::NeighbourIgnored),
            "{kind}"
        );
    }
    assert_eq!(
        admit_bytes(&ethernet(MAC, OTHER_MAC, 0x88cc)),
        Err(Reason::UnsupportedProtocol)
    );
}

#[test]
fn fragments_and_options_are_noticed() {
    let mut fragment = ipv4_packet([10, 0, 0, 1], [10, 0, 0, 2]);
    fragment[20] = 0x20;
    let mut options = ipv4_packet([10, 0, 0, 1], [10, 0, 0, 2]);
    options[14] = 0x46;
    let mut short = options.clone();
    short[14] = 0x44;

    for bytes in [fragment, options] {
        let Ok(Admitted::Packet(packet)) = admit_bytes(&bytes) else {
            panic!()
        };
        assert!(!packet.is_plain);
    }
    assert_eq!(admit_bytes(&short), Err(Reason::Malformed));
}

#[test]
fn every_truncation_is_malformed_or_admitted_never_more() {
    let whole = [
        ipv4_packet([10, 0, 0, 1], [10, 0, 0, 2]),
        arp(MAC, [10, 0, 0, 1], [10, 0, 0, 2], 1),
        solicitation_of(V6, V6_OTHER),
        ipv6_packet(V6, V6_OTHER, 17, &[0; 8]),
    ];
    let needed = [34, 42, 78, 54];
    for (packet, needed) in whole.iter().zip(needed) {
        for length in 0..=packet.len() {
            let result = admit_bytes(&packet[..length]);
            if length < needed {
                assert_eq!(result, Err(Reason::Malformed), "{length} of {packet:?}");
            } else {
                assert!(result.is_ok(), "{length} of {packet:?}: {result:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_admitted_comes_from_the_endpoint_itself(
        mut bytes in prop::collection::vec(any::<u8>(), 0..120),
        ethertype in prop::sample::select(vec![0x0800_u16, 0x0806, 0x86dd, 0x1234]),
        is_own_mac: bool,
    ) {
        if bytes.len() >= 14 {
            bytes[12..14].copy_from_slice(&ethertype.to_be_bytes());
            if is_own_mac {
                bytes[6..12].copy_from_slice(&MAC);
            }
        }

        match admit_bytes(&bytes) {
            Ok(Admitted::Packet(packet)) => {
                prop_assert_eq!(&bytes[6..12], &MAC);
                if packet.is_v4 {
                    prop_assert_eq!(&bytes[26..30], &[10, 0, 0, 1]);
                } else {
                    let source = Address::from_v6(bytes[22..38].try_into().unwrap());
                    prop_assert!(source == interface().ipv6 || is_link_local(&source));
                }
                prop_assert!(!is_multicast(&packet.destination));
            }
            Ok(Admitted::ArpQuestion { target } | Admitted::NeighbourQuestion { target }) => {
                prop_assert!(target != interface().ipv4 && target != interface().ipv6);
            }
            Err(_) => {}
        }
    }
}
