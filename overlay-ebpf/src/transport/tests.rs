use proptest::prelude::*;

use super::*;

fn v4(flags_offset: u16, protocol: u8, options: usize, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 14];
    frame.extend([0x45 + options as u8, 0, 0, 100, 0x12, 0x34]);
    frame.extend(flags_offset.to_be_bytes());
    frame.extend([64, protocol, 0, 0, 10, 0, 0, 2, 10, 0, 0, 3]);
    frame.extend(vec![0; options * 4]);
    frame.extend(payload);
    frame
}

fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 14];
    frame.extend([0x60, 0, 0, 0, 0, 60, next, 64]);
    frame.extend([2; 16]);
    frame.extend([3; 16]);
    frame.extend(payload);
    frame
}

const PORTS: [u8; 8] = [0x9c, 0x40, 0, 80, 0, 0, 0, 0];

#[test]
fn the_transport_header_is_found_behind_options_and_fragment_headers() {
    let fragment = |offset_flags: u16| {
        let [high, low] = offset_flags.to_be_bytes();
        v6(44, &[17, 0, high, low, 1, 2, 3, 4])
    };
    let cases = [
        (v4(0x4000, 6, 0, &[]), 34, Part::Whole, 6),
        (v4(0, 6, 3, &[]), 46, Part::Whole, 6),
        (v4(0x2000, 17, 0, &[]), 34, Part::First, 17),
        (v4(0x2010, 17, 0, &[]), 34, Part::Later, 17),
        (v4(0x0010, 17, 0, &[]), 34, Part::Later, 17),
        (v6(6, &[]), 54, Part::Whole, 6),
        (fragment(1), 62, Part::First, 17),
        (fragment(8), 62, Part::Later, 17),
        (fragment(0), 62, Part::Whole, 17),
    ];
    for (frame, at, part, protocol) in cases {
        let is_v4 = frame[14] >> 4 == 4;
        let found = find(&Frame(&frame[..]), is_v4).unwrap().unwrap();

        assert_eq!((found.at, found.part, found.protocol), (at, part, protocol));
        let identification = match (is_v4, at) {
            (true, _) => [0x12, 0x34, 0, 0],
            (false, 62) => [1, 2, 3, 4],
            (false, _) => [0; 4],
        };
        assert_eq!(found.identification, identification);
    }
}

#[test]
fn other_extension_headers_are_not_read() {
    for next in [0, 43, 60] {
        assert_eq!(find(&Frame(&v6(next, &[0; 8])[..]), false), Ok(None));
        let behind_fragment = v6(44, &[next, 0, 0, 0, 1, 2, 3, 4]);
        assert_eq!(find(&Frame(&behind_fragment[..]), false), Ok(None));
    }
}

#[test]
fn ends_are_ports_or_an_identifier_or_nothing() {
    let echo = |kind| [kind, 0, 0, 0, 0xab, 0xcd, 0, 1];
    let named = |identifier, icmp| (identifier, identifier, icmp);
    let ports = ([0x9c, 0x40], [0, 80], Icmp::No);
    let cases = [
        (v4(0, 6, 0, &PORTS), ports),
        (v4(0, 17, 2, &PORTS), ports),
        (v4(0, 132, 0, &PORTS), ports),
        (v4(0, 47, 0, &PORTS), named([0; 2], Icmp::No)),
        (v4(0, 1, 0, &echo(8)), named([0xab, 0xcd], Icmp::Query)),
        (v4(0, 1, 0, &echo(0)), named([0xab, 0xcd], Icmp::Reply)),
        (v4(0, 1, 0, &echo(3)), named([0; 2], Icmp::Error)),
        (v4(0, 1, 0, &echo(9)), named([0; 2], Icmp::Other)),
        (v4(0, 58, 0, &echo(128)), named([0; 2], Icmp::No)),
        (v6(17, &PORTS), ports),
        (v6(58, &echo(128)), named([0xab, 0xcd], Icmp::Query)),
        (v6(58, &echo(129)), named([0xab, 0xcd], Icmp::Reply)),
        (v6(58, &echo(2)), named([0; 2], Icmp::Error)),
        (v6(58, &echo(143)), named([0; 2], Icmp::Other)),
    ];
    for (frame, (source, destination, icmp)) in cases {
        let is_v4 = frame[14] >> 4 == 4;
        let frame = Frame(&frame[..]);
        let transport = find(&frame, is_v4).unwrap().unwrap();

        let expected = Ends {
            source,
            destination,
            icmp,
        };
        assert_eq!(ends(&frame, &transport), Ok(expected), "{transport:?}");
    }
}

#[test]
fn every_truncation_is_told_apart() {
    for frame in [
        v4(0, 6, 0, &[0; 20]),
        v4(0, 6, 2, &[0; 20]),
        v6(6, &[0; 20]),
    ] {
        let is_v4 = frame[14] >> 4 == 4;
        let whole = find(&Frame(&frame[..]), is_v4).unwrap().unwrap();
        let at = whole.at as usize;
        for length in 0..=frame.len() {
            let cut = Frame(&frame[..length]);
            let header = if is_v4 { 34 } else { 54 };
            assert_eq!(find(&cut, is_v4).is_ok(), length >= header, "{length}");
            assert_eq!(ends(&cut, &whole).is_ok(), length >= at + 8, "{length}");
            assert_eq!(
                tcp_flags(&cut, &whole).is_ok(),
                length >= at + 18,
                "{length}"
            );
        }
    }
    let fragment = v6(44, &[17, 0, 0, 1, 1, 2, 3, 4]);
    for length in 0..=fragment.len() {
        let found = find(&Frame(&fragment[..length]), false);
        assert_eq!(found.is_ok(), length == fragment.len(), "{length}");
    }
}

#[test]
fn checksums_are_where_their_protocol_has_them() {
    let transport = |protocol, is_v4, part| Transport {
        at: 100,
        identification: [0; 4],
        protocol,
        part,
        is_v4,
    };
    let cases = [
        (6, true, Some(116), Some(116)),
        (17, false, Some(106), Some(106)),
        (33, true, Some(106), Some(106)),
        (136, true, Some(106), Some(106)),
        (1, true, None, Some(102)),
        (58, false, Some(102), Some(102)),
        (58, true, None, None),
        (132, true, None, None),
        (47, true, None, None),
    ];
    for (protocol, is_v4, pseudo, any) in cases {
        let whole = transport(protocol, is_v4, Part::Whole);
        let later = transport(protocol, is_v4, Part::Later);

        assert_eq!(whole.pseudo_checksum(), pseudo, "{protocol}");
        assert_eq!(whole.checksum(), any, "{protocol}");
        assert_eq!((later.pseudo_checksum(), later.checksum()), (None, None));
    }
}

#[test]
fn only_a_bare_syn_begins_a_connection() {
    assert!(is_start(Tcp::SYN));
    assert!(is_start(Tcp::SYN | 0xc0), "with ECN's flags");
    for flags in [Tcp::SYN | Tcp::ACK, Tcp::SYN | Tcp::RST, Tcp::ACK, 0] {
        assert!(!is_start(flags), "{flags:02x}");
    }
}

proptest! {
    #[test]
    fn no_bytes_break_the_reading(bytes in prop::collection::vec(any::<u8>(), 0..120), is_v4: bool) {
        let frame = Frame(&bytes[..]);
        if let Ok(Some(transport)) = find(&frame, is_v4) {
            prop_assert!(transport.at >= 14);
            if ends(&frame, &transport).is_ok() && transport.has_ports() {
                prop_assert!(transport.at as usize + 8 <= bytes.len());
            }
        }
    }
}
