//! Forgeries from the network, on both kinds of socket.

use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, UdpSocket},
};
use zerocopy::IntoBytes as _;

use super::*;
use crate::{
    gossip::seal::DATAGRAM,
    model::fuzz::{mutate, tries},
};

/// Datagrams that are under way at once: they fit the receiver's buffer.
const BURST: u32 = 64;

fn noise(random: &mut SmallRng, longest: usize) -> Vec<u8> {
    let length = random.random_range(0..=longest);
    (0..length).map(|_| random.random()).collect()
}

/// A datagram that is wrong in one of the ways in which one can be.
fn forged(recorded: &[Vec<u8>], random: &mut SmallRng) -> Vec<u8> {
    let mut datagram = recorded[random.random_range(0..recorded.len())].clone();
    match random.random_range(0..4) {
        0 => {}
        1 => datagram = noise(random, DATAGRAM + 200),
        _ => mutate(&mut datagram, random),
    }
    datagram
}

#[tokio::test]
async fn no_forged_datagram_gets_in_and_each_is_counted() {
    let mut b = peer(2).await;
    let a = peer(1).await;
    acquaint(&[&a, &b]);
    let mut random = SmallRng::seed_from_u64(11);
    let mut sealer = seal(1, 7);
    let mut recorded = Vec::new();
    let anybody = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for number in 0..100u8 {
        let datagram = sealer.seal(node(2), &[number; 40]).unwrap();
        anybody.send_to(&datagram, b.address()).await.unwrap();
        b.received().await;
        recorded.push(datagram);
    }

    let forgeries = tries(70);
    for number in 1..=forgeries {
        let datagram = forged(&recorded, &mut random);
        anybody.send_to(&datagram, b.address()).await.unwrap();
        if number % BURST == 0 || number == forgeries {
            eventually(
                || b.datagrams().refused.total() == u64::from(number),
                || format!("{:?} after {number}", b.datagrams()),
            )
            .await;
        }
    }

    let counted = b.datagrams();
    assert_eq!((counted.received, counted.overflowed), (100, 0));
    let refused = counted.refused;
    assert!(refused.replay > 0 && refused.bad_tag > 0, "{refused:?}");
    assert!(refused.garbage > 0 && refused.too_big > 0, "{refused:?}");
    assert!(
        b.inbound.datagrams.is_empty(),
        "nobody said what was handed on"
    );
    let next = sealer.seal(node(2), b"next").unwrap();
    anybody.send_to(&next, b.address()).await.unwrap();
    assert_eq!(b.received().await, (node(1), b"next".to_vec()));
}

/// What a member sends until it is believed.
fn recorded_opening(of: &Seal, to: &Seal) -> Vec<u8> {
    let hello = of.hello(node(2), [1; 32]).unwrap();
    let (_, answer, _) = to
        .answer(hello.as_bytes().try_into().unwrap(), [2; 32])
        .unwrap();
    let mut keys = of
        .answered(&hello, answer.as_bytes().try_into().unwrap())
        .unwrap();
    let introduction = of.introduction(node(2));
    let introduction = keys.sealer.seal(introduction.as_bytes()).unwrap();
    [hello.as_bytes(), &introduction].concat()
}

#[tokio::test]
async fn no_forged_stream_gets_in_and_each_is_counted() {
    let mut b = peer(2).await;
    let a = peer(1).await;
    acquaint(&[&a, &b]);
    let (mut of, mut to) = (seal(1, 7), seal(2, 7));
    let members = HashSet::from([node(1), node(2)]);
    of.set_members(&members);
    to.set_members(&members);
    let recorded = recorded_opening(&of, &to);
    let mut random = SmallRng::seed_from_u64(12);

    let forgeries = tries(5);
    for number in 1..=forgeries {
        let mut bytes = recorded.clone();
        match random.random_range(0..4) {
            0 => {}
            1 => bytes = noise(&mut random, 2000),
            _ => mutate(&mut bytes, &mut random),
        }
        let socket = TcpSocket::new_v4().unwrap();
        // One address has only a few places, which it may hold for a moment longer.
        let host = (number % 200) as u8 + 1;
        socket
            .bind(SocketAddr::from(([127, 0, 9, host], 0)))
            .unwrap();
        let mut stream = socket.connect(b.address()).await.unwrap();
        let _sent = stream.write_all(&bytes).await;
        let _closed = stream.shutdown().await;
        let _read = stream.read_to_end(&mut Vec::new()).await;
        eventually(
            || {
                let streams = b.streams();
                let turned_away = streams.refused.total() + streams.broken + streams.crowded;
                turned_away == u64::from(number)
            },
            || format!("{:?} after {number}", b.streams()),
        )
        .await;
    }

    let counted = b.streams();
    assert_eq!((counted.accepted, counted.received_bytes), (0, 0));
    let refused = counted.refused;
    assert!(refused.bad_tag > 0 && refused.garbage > 0, "{refused:?}");
    a.connect(&b).await.unwrap();
    assert_eq!(b.accepted().await.peer(), node(1));
}
