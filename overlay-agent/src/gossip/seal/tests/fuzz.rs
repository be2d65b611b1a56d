//! Forgeries, as many as one has time for. None gets in.

use proptest::prelude::*;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use zerocopy::IntoBytes;

use super::*;
use crate::model::fuzz::{mutate, tries};

#[test]
fn no_mutated_datagram_is_taken() {
    let (mut a, mut b) = pair();
    b.set_ring(&ring(1, &[1, 2, 3]));
    let mut random = SmallRng::seed_from_u64(7);
    let genuine: Vec<Vec<u8>> = (0..64u8)
        .map(|number| a.seal(node(2), &vec![number; usize::from(number)]).unwrap())
        .collect();
    let mut refused = Refusals::default();
    let forgeries = tries(400);

    for _ in 0..forgeries {
        let mut forged = genuine[random.random_range(0..genuine.len())].clone();
        mutate(&mut forged, &mut random);
        match b.open(&mut forged) {
            Ok(_) => panic!("a forgery was taken"),
            Err(refusal) => refused.count(refusal),
        }
    }

    assert_eq!(refused.total(), u64::from(forgeries));
    assert!(refused.garbage > 0 && refused.bad_tag > 0, "{refused:?}");
    assert!(
        refused.unknown_sender > 0 && refused.unknown_key > 0,
        "{refused:?}"
    );
    for datagram in &genuine {
        assert!(open(&mut b, datagram).is_ok(), "a forgery left a trace");
    }
}

/// Everything that can be had by listening, and by having been a member once.
#[test]
fn nothing_that_was_genuine_once_is_taken_again() {
    let (mut a, mut b) = pair();
    let mut c = seal(3, 1000);
    let mut earlier_run = seal(1, 500);
    let mut random = SmallRng::seed_from_u64(9);
    let mut recorded = Vec::new();
    for _ in 0..64 {
        recorded.push((c.seal(node(2), b"").unwrap(), Refusal::UnknownSender));
        recorded.push((a.seal(node(2), b"").unwrap(), Refusal::UnknownKey));
    }
    earlier_run.set_ring(&ring(2, &[1, 2]));
    a.set_ring(&ring(2, &[1, 2]));
    b.set_ring(&ring(2, &[2]));
    b.set_members(&HashSet::from([node(1), node(2)]));
    for _ in 0..64 {
        let datagram = a.seal(node(2), b"").unwrap();
        assert!(open(&mut b, &datagram).is_ok());
        recorded.push((datagram, Refusal::Replay));
        recorded.push((earlier_run.seal(node(2), b"").unwrap(), Refusal::OldEpoch));
        recorded.push((a.seal(node(3), b"").unwrap(), Refusal::BadTag));
    }

    for _ in 0..tries(100) {
        let (datagram, refusal) = &recorded[random.random_range(0..recorded.len())];
        assert_eq!(open(&mut b, datagram), Err(*refusal));
    }
    assert!(open(&mut b, &a.seal(node(2), b"next").unwrap()).is_ok());
}

#[test]
fn no_mutated_piece_of_a_stream_is_taken() {
    let (a, b) = pair();
    let mut random = SmallRng::seed_from_u64(8);
    let hello = a.hello(node(2), [1; 32]).unwrap();
    let (_, answer, _) = b
        .answer(hello.as_bytes().try_into().unwrap(), [2; 32])
        .unwrap();
    let keys = || {
        b.answer(hello.as_bytes().try_into().unwrap(), [2; 32])
            .unwrap()
            .2
    };
    let mut of_a = a
        .answered(&hello, answer.as_bytes().try_into().unwrap())
        .unwrap();
    let introduction = of_a
        .sealer
        .seal(a.introduction(node(2)).as_bytes())
        .unwrap();
    let mut opener = keys().opener;

    for turn in 0..tries(200) {
        let mut forged = if turn % 2 == 0 {
            hello.as_bytes().to_vec()
        } else {
            introduction.clone()
        };
        mutate(&mut forged, &mut random);
        if turn % 2 == 0 {
            let Ok(forged) = <[u8; HELLO]>::try_from(forged) else {
                continue;
            };
            // A changed hello may be answered; who sent it cannot read or say anything then.
            if let Ok((_, _, mut keys)) = b.answer(&forged, [2; 32]) {
                assert!(piece(&mut keys.opener, &introduction).is_none());
            }
        } else {
            if turn % 1024 == 1 {
                opener = keys().opener;
            }
            let genuine = forged.starts_with(&introduction);
            assert!(
                genuine || piece(&mut opener, &forged).is_none(),
                "a forgery was taken"
            );
        }
    }
    assert!(piece(&mut keys().opener, &introduction).is_some());
}

/// The first chunk in these bytes, if it is genuine.
fn piece(opener: &mut StreamOpener, bytes: &[u8]) -> Option<Vec<u8>> {
    let (head, rest) = bytes.split_first_chunk::<{ ChunkHead::BYTES }>()?;
    let head = ChunkHead::read(*head, CHUNK).ok()?;
    let mut sealed = rest.get(..head.sealed_bytes())?.to_vec();
    opener.open(head, &mut sealed).ok().map(<[u8]>::to_vec)
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let (_, mut b) = pair();
        prop_assert!(open(&mut b, &bytes).is_err());
    }

    #[test]
    fn an_arbitrary_header_of_a_member_is_refused(
        generation in 0u32..4,
        epoch in any::<u128>(),
        counter in any::<u64>(),
        body in prop::collection::vec(any::<u8>(), TAG..200),
    ) {
        let (_, mut b) = pair();
        let mut bytes = vec![1];
        bytes.extend(generation.to_be_bytes());
        bytes.extend(node(1).bits().to_be_bytes());
        bytes.extend(epoch.to_be_bytes());
        bytes.extend(counter.to_be_bytes());
        bytes.extend(body);
        prop_assert!(matches!(
            open(&mut b, &bytes),
            Err(Refusal::BadTag | Refusal::UnknownKey | Refusal::Replay)
        ));
    }

    #[test]
    fn every_message_arrives_as_it_was(message in prop::collection::vec(any::<u8>(), 0..=PAYLOAD)) {
        let (mut a, mut b) = pair();
        let datagram = a.seal(node(2), &message).unwrap();
        prop_assert_eq!(open(&mut b, &datagram), Ok((node(1), message)));
    }
}
