use super::*;

#[test]
fn a_member_reads_what_another_sealed_for_it() {
    let (mut a, mut b) = pair();

    let datagram = a.seal(node(2), b"hello").unwrap();

    assert_eq!(datagram.len(), OVERHEAD + 5);
    assert_eq!(open(&mut b, &datagram), Ok((node(1), b"hello".to_vec())));
}

#[test]
fn the_longest_message_fits_and_one_byte_more_does_not() {
    let (mut a, mut b) = pair();

    let datagram = a.seal(node(2), &[7; PAYLOAD]).unwrap();
    let longer = a.seal(node(2), &[7; PAYLOAD + 1]);

    assert_eq!(datagram.len(), DATAGRAM);
    assert_eq!(open(&mut b, &datagram).unwrap().1.len(), PAYLOAD);
    assert_eq!(
        longer,
        Err(SealError::TooLong {
            bytes: PAYLOAD + 1,
            limit: PAYLOAD
        })
    );
    assert_eq!(open(&mut b, &[0; DATAGRAM + 1]), Err(Refusal::TooBig));
}

#[test]
fn nothing_of_the_message_can_be_read_on_the_way() {
    let (mut a, _) = pair();
    let text = b"a name that nobody should see";

    let datagram = a.seal(node(2), text).unwrap();

    assert!(!datagram.windows(text.len()).any(|part| part == text));
}

#[test]
fn a_datagram_is_taken_once() {
    let (mut a, mut b) = pair();
    let first = a.seal(node(2), b"1").unwrap();
    let second = a.seal(node(2), b"2").unwrap();

    assert!(open(&mut b, &second).is_ok());
    assert!(open(&mut b, &first).is_ok());
    assert_eq!(open(&mut b, &first), Err(Refusal::Replay));
    assert_eq!(open(&mut b, &second), Err(Refusal::Replay));
}

#[test]
fn a_datagram_is_nothing_to_another_node_or_to_its_sender() {
    let (mut a, _) = pair();
    let mut c = seal(3, 1000);
    let datagram = a.seal(node(2), b"for two").unwrap();

    assert_eq!(open(&mut c, &datagram), Err(Refusal::BadTag));
    assert_eq!(open(&mut a, &datagram), Err(Refusal::Reflected));
}

#[test]
fn another_secret_cluster_or_sender_is_refused() {
    let (_, mut b) = pair();
    let epoch = Epoch::starting(1000, 9);
    let other_secret = KeyRing {
        primary: 1,
        keys: vec![RingKey {
            number: 1,
            secret: [0xee; 32],
        }],
    };
    let mut wrong_key = Seal::new(CLUSTER, node(1), epoch, &other_secret);
    let mut wrong_cluster = Seal::new("c2", node(1), epoch, &ring(1, &[1]));
    let mut wrong_generation = Seal::new(CLUSTER, node(1), epoch, &ring(9, &[9]));
    let mut stranger = Seal::new(CLUSTER, node(77), epoch, &ring(1, &[1]));

    for (from, refusal) in [
        (&mut wrong_key, Refusal::BadTag),
        (&mut wrong_cluster, Refusal::BadTag),
        (&mut wrong_generation, Refusal::UnknownKey),
        (&mut stranger, Refusal::UnknownSender),
    ] {
        let datagram = from.seal(node(2), b"let me in").unwrap();
        assert_eq!(open(&mut b, &datagram), Err(refusal));
    }
}

#[test]
fn a_node_that_was_removed_is_refused_and_its_others_are_not() {
    let (mut a, mut b) = pair();
    let mut c = seal(3, 1000);
    assert!(open(&mut b, &a.seal(node(2), b"1").unwrap()).is_ok());

    b.set_members(&HashSet::from([node(2), node(3)]));

    let datagram = a.seal(node(2), b"2").unwrap();
    assert_eq!(open(&mut b, &datagram), Err(Refusal::UnknownSender));
    assert!(open(&mut b, &c.seal(node(2), b"3").unwrap()).is_ok());
}

#[test]
fn a_later_run_ends_the_earlier_one() {
    let (mut a, mut b) = pair();
    let mut again = seal(1, 2000);
    let early = a.seal(node(2), b"1").unwrap();
    let late = a.seal(node(2), b"2").unwrap();
    assert!(open(&mut b, &early).is_ok());

    assert!(open(&mut b, &again.seal(node(2), b"3").unwrap()).is_ok());

    assert_eq!(open(&mut b, &late), Err(Refusal::OldEpoch));
    assert_eq!(open(&mut b, &early), Err(Refusal::OldEpoch));
}

#[test]
fn a_forged_later_run_evicts_nothing() {
    let (mut a, mut b) = pair();
    assert!(open(&mut b, &a.seal(node(2), b"1").unwrap()).is_ok());
    let mut forged = seal(1, 9000).seal(node(2), b"x").unwrap();
    *forged.last_mut().unwrap() ^= 1;

    for _ in 0..1000 {
        assert_eq!(open(&mut b, &forged), Err(Refusal::BadTag));
    }

    assert!(open(&mut b, &a.seal(node(2), b"2").unwrap()).is_ok());
}

#[test]
fn keys_change_without_a_gap() {
    let (mut a, mut b) = pair();
    let old = a.seal(node(2), b"old").unwrap();

    b.set_ring(&ring(1, &[1, 2]));
    a.set_ring(&ring(2, &[1, 2]));
    let new = a.seal(node(2), b"new").unwrap();

    assert!(open(&mut b, &new).is_ok());
    assert!(open(&mut b, &old).is_ok());
    assert_eq!(open(&mut b, &old), Err(Refusal::Replay));
    b.set_ring(&ring(2, &[2]));
    a.set_ring(&ring(1, &[1, 2]));
    let retired = a.seal(node(2), b"retired").unwrap();
    assert_eq!(open(&mut b, &retired), Err(Refusal::UnknownKey));
}

#[test]
fn no_two_datagrams_share_key_and_counter_when_a_generation_returns() {
    let (mut a, mut b) = pair();
    let mut b_too = seal(2, 1000);
    b.set_ring(&ring(1, &[1, 2]));
    b_too.set_ring(&ring(1, &[1, 2]));
    let first = a.seal(node(2), b"1").unwrap();
    a.set_ring(&ring(2, &[1, 2]));
    let second = a.seal(node(2), b"2").unwrap();
    a.set_ring(&ring(1, &[1, 2]));
    let third = a.seal(node(2), b"3").unwrap();

    for datagram in [&first, &second, &third] {
        assert!(open(&mut b, datagram).is_ok());
    }
    for datagram in [&third, &second, &first] {
        assert!(open(&mut b_too, datagram).is_ok());
    }
}

#[test]
fn without_a_key_nothing_is_sealed_or_opened() {
    let mut keyless = Seal::new(CLUSTER, node(2), Epoch::starting(1, 1), &KeyRing::default());
    keyless.set_members(&HashSet::from([node(1)]));
    let (mut a, _) = pair();

    let datagram = a.seal(node(2), b"1").unwrap();

    assert_eq!(open(&mut keyless, &datagram), Err(Refusal::UnknownKey));
    assert_eq!(keyless.seal(node(1), b"1"), Err(SealError::NoKey));
}
