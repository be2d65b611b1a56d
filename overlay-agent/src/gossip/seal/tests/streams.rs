use zerocopy::IntoBytes;

use super::*;

fn bytes(hello: &Hello) -> [u8; HELLO] {
    hello.as_bytes().try_into().unwrap()
}

fn connect(a: &Seal, b: &Seal) -> (StreamKeys, StreamKeys) {
    let hello = a.hello(node(2), [1; 32]).unwrap();
    let (peer, answer, of_b) = b.answer(&bytes(&hello), [2; 32]).unwrap();
    assert_eq!(peer, node(1));
    (a.answered(&hello, &bytes(&answer)).unwrap(), of_b)
}

fn receive(opener: &mut StreamOpener, chunk: &[u8]) -> Result<Vec<u8>, Refusal> {
    let (head, sealed) = chunk.split_at(ChunkHead::BYTES);
    let head = ChunkHead::read(head.try_into().unwrap(), CHUNK)?;
    assert_eq!(head.sealed_bytes(), sealed.len());
    opener.open(head, &mut sealed.to_vec()).map(<[u8]>::to_vec)
}

fn introduce(from: &mut Seal, to: &mut Seal) {
    let said = from.introduction(to.own);
    let said = Introduction::read(said.as_bytes()).unwrap();
    to.introduced(from.own, said).unwrap();
}

#[test]
fn both_sides_understand_each_other() {
    let (a, b) = pair();
    let (mut of_a, mut of_b) = connect(&a, &b);

    let asked = of_a.sealer.seal(&vec![5; CHUNK]).unwrap();
    let more = of_a.sealer.seal(b"end").unwrap();
    let told = of_b.sealer.seal(b"").unwrap();

    assert_eq!(receive(&mut of_b.opener, &asked), Ok(vec![5; CHUNK]));
    assert_eq!(receive(&mut of_b.opener, &more), Ok(b"end".to_vec()));
    assert_eq!(receive(&mut of_a.opener, &told), Ok(Vec::new()));
    assert!(of_a.sealer.seal(&vec![5; CHUNK + 1]).is_err());
}

#[test]
fn chunks_come_once_in_order_unchanged_and_not_back() {
    let (a, b) = pair();
    let (mut of_a, _) = connect(&a, &b);
    let first = of_a.sealer.seal(b"1").unwrap();
    let second = of_a.sealer.seal(b"2").unwrap();
    let mut shorter = first.clone();
    shorter[3] -= 1;
    shorter.pop();

    let opener = || connect(&a, &b).1.opener;
    assert_eq!(receive(&mut opener(), &second), Err(Refusal::BadTag));
    assert_eq!(receive(&mut opener(), &shorter), Err(Refusal::BadTag));
    let mut twice = opener();
    assert!(receive(&mut twice, &first).is_ok());
    assert_eq!(receive(&mut twice, &first), Err(Refusal::BadTag));
    assert_eq!(receive(&mut of_a.opener, &first), Err(Refusal::BadTag));
}

#[test]
fn a_recorded_stream_opens_nothing() {
    let (a, b) = pair();
    let hello = a.hello(node(2), [1; 32]).unwrap();
    let (_, answer, _) = b.answer(&bytes(&hello), [2; 32]).unwrap();
    let mut of_a = a.answered(&hello, &bytes(&answer)).unwrap();
    let recorded = of_a.sealer.seal(b"let me in").unwrap();

    let (_, _, mut of_b) = b.answer(&bytes(&hello), [3; 32]).unwrap();

    assert_eq!(receive(&mut of_b.opener, &recorded), Err(Refusal::BadTag));
}

#[test]
fn who_has_no_business_here_is_refused() {
    let (a, mut b) = pair();
    let stranger = Seal::new(CLUSTER, node(9), Epoch::starting(1, 1), &ring(1, &[1]));
    let mut lagging = Seal::new(CLUSTER, node(1), Epoch::starting(1, 1), &ring(7, &[7]));
    let answer = |b: &Seal, hello: &Hello| b.answer(&bytes(hello), [2; 32]).map(|_| ()).err();

    let for_another = a.hello(node(3), [1; 32]).unwrap();
    let from_stranger = stranger.hello(node(2), [1; 32]).unwrap();
    let mut other_version = bytes(&a.hello(node(2), [1; 32]).unwrap());
    other_version[0] = 9;

    assert_eq!(answer(&b, &for_another), Some(Refusal::Misdirected));
    assert_eq!(answer(&b, &from_stranger), Some(Refusal::UnknownSender));
    assert_eq!(
        b.answer(&other_version, [2; 32]).map(|_| ()).err(),
        Some(Refusal::Garbage)
    );
    lagging.set_members(&HashSet::from([node(2)]));
    let hello = lagging.hello(node(2), [1; 32]).unwrap();
    let (_, answered, _) = b.answer(&bytes(&hello), [2; 32]).unwrap();
    assert_eq!(
        lagging
            .answered(&hello, &bytes(&answered))
            .map(|_| ())
            .err(),
        Some(Refusal::UnknownKey)
    );
    b.set_ring(&KeyRing::default());
    let hello = a.hello(node(2), [1; 32]).unwrap();
    assert_eq!(answer(&b, &hello), Some(Refusal::UnknownKey));
}

#[test]
fn a_node_whose_ring_lags_behind_is_answered_in_the_older_generation() {
    let (mut a, b) = pair();
    a.set_ring(&ring(2, &[1, 2]));

    let (mut of_a, mut of_b) = connect(&a, &b);

    let chunk = of_a.sealer.seal(b"hello").unwrap();
    assert!(receive(&mut of_b.opener, &chunk).is_ok());
}

#[test]
fn lengths_that_no_chunk_has_are_refused() {
    let head = |word: u32| ChunkHead::read(word.to_be_bytes(), CHUNK).map(|_| ());

    assert_eq!(head(TAG as u32 - 1), Err(Refusal::Garbage));
    assert_eq!(head(TAG as u32), Ok(()));
    assert_eq!(head((CHUNK + TAG) as u32), Ok(()));
    assert_eq!(head((CHUNK + TAG) as u32 + 1), Err(Refusal::TooBig));
    assert_eq!(head(u32::MAX), Err(Refusal::TooBig));
    assert_eq!(
        Introduction::read(&[0; 39]).map(|_| ()),
        Err(Refusal::Garbage)
    );
}

#[test]
fn what_was_recorded_before_a_node_began_to_listen_is_refused_after_an_introduction() {
    let mut a = seal(1, 1000);
    let recorded = a.seal(node(2), b"1").unwrap();
    let from_before = seal(1, 500).seal(node(2), b"0").unwrap();

    let mut b = seal(2, 3000);
    introduce(&mut a, &mut b);

    assert_eq!(open(&mut b, &recorded), Err(Refusal::Replay));
    assert_eq!(open(&mut b, &from_before), Err(Refusal::OldEpoch));
    assert!(open(&mut b, &a.seal(node(2), b"2").unwrap()).is_ok());
}

#[test]
fn a_node_whose_clock_went_backwards_is_heard_again_after_an_introduction() {
    let mut ahead = seal(1, 1_000_000);
    let mut b = seal(2, 1000);
    assert!(open(&mut b, &ahead.seal(node(2), b"1").unwrap()).is_ok());
    let recorded = ahead.seal(node(2), b"2").unwrap();
    let mut behind = seal(1, 1000);
    let unheard = behind.seal(node(2), b"3").unwrap();
    assert_eq!(open(&mut b, &unheard), Err(Refusal::OldEpoch));

    introduce(&mut behind, &mut b);
    introduce(&mut b, &mut behind);

    assert!(open(&mut b, &behind.seal(node(2), b"4").unwrap()).is_ok());
    assert_eq!(open(&mut b, &recorded), Err(Refusal::OldEpoch));
}

#[test]
fn an_introduction_of_a_stranger_changes_nothing() {
    let (mut a, _) = pair();
    let stranger = Seal::new(CLUSTER, node(9), Epoch::starting(1, 1), &ring(1, &[1]));

    let refused = a.introduced(node(9), stranger.introduction(node(1)));

    assert_eq!(refused, Err(Refusal::UnknownSender));
}
