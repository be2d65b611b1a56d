use super::*;
use crate::xfrm::Material;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn wish(destination: &str, mark: Option<u32>) -> StateWish {
    StateWish {
        id: StateId {
            destination: ip(destination),
            spi: 0x1234_5678,
        },
        source: ip(if destination.contains(':') {
            "fd00::9"
        } else {
            "192.0.2.9"
        }),
        mark,
        material: Material {
            key: Zeroizing::new([0xab; 36]),
            spi: 0x1234_5678,
        },
    }
}

fn bytes(message: &impl netlink_packet_core::Emitable) -> Vec<u8> {
    let mut bytes = vec![0; message.buffer_len()];
    message.emit(&mut bytes);
    bytes
}

#[test]
fn a_state_is_found_again_as_it_was_wished() {
    for (destination, mark) in [("192.0.2.1", Some(0xe500_0007)), ("fd00::1", None)] {
        let wish = wish(destination, mark);

        let row = decode_state(&bytes(&state(&wish))).unwrap();

        let found = StateRow {
            source: wish.source,
            mark,
        };
        assert_eq!(row, Some((wish.id, found)));
    }
}

#[test]
fn a_policy_is_found_again_as_it_was_wished() {
    let about = |destination: Option<&str>, is_ipv6| PolicyKey {
        is_ipv6,
        destination: destination.map(ip),
        port: 4789,
        mark: 0xe500_0000,
    };
    for wished in [
        (about(Some("192.0.2.1"), false), Protection::Seal(0x100)),
        (about(Some("fd00::1"), true), Protection::Seal(u32::MAX)),
        (about(None, false), Protection::Block),
        (about(None, true), Protection::Block),
    ] {
        let row = decode_policy(&bytes(&policy(wished.0, wished.1))).unwrap();

        assert_eq!(row, Some(wished));
    }
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let mut other = state(&wish("192.0.2.1", None));
    other.user_sa_info.reqid = 7;
    assert_eq!(decode_state(&bytes(&other)).unwrap(), None);
    let key = PolicyKey {
        is_ipv6: false,
        destination: None,
        port: 4789,
        mark: 0xe500_0000,
    };
    let mut other = policy(key, Protection::Block);
    other.user_policy_info.priority = 0;
    assert_eq!(decode_policy(&bytes(&other)).unwrap(), None);
}

#[test]
fn bytes_that_are_no_answer_are_an_error_and_never_a_panic() {
    let whole = bytes(&state(&wish("192.0.2.1", Some(1))));
    for length in 0..netlink_packet_xfrm::XFRM_USER_SA_INFO_LEN {
        assert!(decode_state(&whole[..length]).is_err());
    }
    for length in 0..8 {
        assert!(decode_policy(&whole[..length]).is_err(), "{length}");
    }
}
