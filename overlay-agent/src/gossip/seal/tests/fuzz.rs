//! Millions of forgeries. None gets in.

use proptest::prelude::*;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use zerocopy::IntoBytes;

use super::*;

/// An optimised build tries ten million in all.
const DATAGRAMS: u32 = if cfg!(debug_assertions) {
    60_000
} else {
    7_000_000
};
const STREAM_PIECES: u32 = if cfg!(debug_assertions) {
    30_000
} else {
    3_000_000
};

/// Changes the bytes so that they differ from what they were.
fn mutate(bytes: &mut Vec<u8>, random: &mut SmallRng) {
    let before = bytes.clone();
    while *bytes == before {
        match random.random_range(0..8) {
            0 => bytes.truncate(random.random_range(0..=before.len())),
            1 => bytes.extend((0..random.random_range(1..40)).map(|_| random.random::<u8>())),
            2 => {
                *bytes = (0..random.random_range(0..120))
                    .map(|_| random.random())
                    .collect();
            }
            _ => {
                for _ in 0..random.random_range(1..4) {
                    if !bytes.is_empty() {
                        let at = random.random_range(0..bytes.len());
                        bytes[at] ^= 1 << random.random_range(0..8);
                    }
                }
            }
        }
    }
}

#[test]
fn no_mutated_datagram_is_taken() {
    let (mut a, mut b) = pair();
    b.set_ring(&ring(1, &[1, 2, 3]));
    let mut random = SmallRng::seed_from_u64(7);
    let genuine: Vec<Vec<u8>> = (0..64u8)
        .map(|number| a.seal(node(2), &vec![number; usize::from(number)]).unwrap())
        .collect();
    let mut refused = Refusals::default();

    for _ in 0..DATAGRAMS {
        let mut forged = genuine[random.random_range(0..genuine.len())].clone();
        mutate(&mut forged, &mut random);
        match b.open(&mut forged) {
            Ok(_) => panic!("a forgery was taken"),
            Err(refusal) => refused.count(refusal),
        }
    }

    assert_eq!(refused.total(), u64::from(DATAGRAMS));
    assert!(refused.garbage > 0 && refused.bad_tag > 0, "{refused:?}");
    assert!(
        refused.unknown_sender > 0 && refused.unknown_key > 0,
        "{refused:?}"
    );
    for datagram in &genuine {
        assert!(open(&mut b, datagram).is_ok(), "a forgery left a trace");
    }
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

    for turn in 0..STREAM_PIECES {
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
