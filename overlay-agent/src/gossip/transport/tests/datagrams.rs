use tokio::net::UdpSocket;

use super::*;
use crate::gossip::seal::DATAGRAM;

async fn anybody() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

#[tokio::test]
async fn members_hear_each_other() {
    let (mut a, mut b) = (peer(1).await, peer(2).await);
    acquaint(&[&a, &b]);

    a.send(&b, b"ping");
    assert_eq!(b.received().await, (node(1), b"ping".to_vec()));
    b.send(&a, b"pong");
    assert_eq!(a.received().await, (node(2), b"pong".to_vec()));

    let counted = b.datagrams();
    assert_eq!((counted.received, counted.refused.total()), (1, 0));
    assert_eq!(counted.received_bytes, a.datagrams().sent_bytes);
}

#[tokio::test]
async fn an_ipv6_socket_talks_to_both_families() {
    let mut a = peer_with(1, 7, "[::]:0", Limits::default()).await;
    let mut b = peer(2).await;
    let mut c = peer_with(3, 7, "[::1]:0", Limits::default()).await;
    acquaint(&[&a, &b, &c]);

    a.send(&b, b"4");
    assert_eq!(b.received().await.1, b"4");
    b.send(&a, b"back");
    assert_eq!(a.received().await.1, b"back");
    a.send(&c, b"6");
    assert_eq!(c.received().await.1, b"6");
    let mut link = a.connect(&b).await.unwrap();
    link.write(b"stream").await.unwrap();
    assert_eq!(b.accepted().await.read().await.unwrap().unwrap(), b"stream");
}

#[tokio::test]
async fn strangers_stay_out_and_are_counted() {
    let b = peer(2).await;
    let wrong_key = peer_with(1, 8, "127.0.0.1:0", Limits::default()).await;
    let unknown = peer_with(9, 7, "127.0.0.1:0", Limits::default()).await;
    acquaint(&[&b, &wrong_key]);
    let anybody = anybody().await;

    wrong_key.send(&b, b"let me in");
    unknown.send(&b, b"let me in");
    unknown.send(&b, b"let me in");
    anybody.send_to(b"garbage", b.address()).await.unwrap();
    anybody
        .send_to(&[1; DATAGRAM + 1], b.address())
        .await
        .unwrap();

    b.has_refused(Refusals {
        bad_tag: 1,
        unknown_sender: 2,
        garbage: 1,
        too_big: 1,
        ..Refusals::default()
    })
    .await;
    assert_eq!(b.datagrams().received, 0);
}

#[tokio::test]
async fn a_capture_that_is_played_again_changes_nothing() {
    let mut b = peer(2).await;
    let a = peer(1).await;
    acquaint(&[&a, &b]);
    let mut sealer = seal(1, 7);
    let capture: Vec<Vec<u8>> = (0..100u8)
        .map(|number| sealer.seal(node(2), &[number]).unwrap())
        .collect();
    let anybody = anybody().await;

    for datagram in &capture {
        anybody.send_to(datagram, b.address()).await.unwrap();
        b.received().await;
    }
    for datagram in &capture {
        anybody.send_to(datagram, b.address()).await.unwrap();
    }

    b.has_refused(Refusals {
        replay: 100,
        ..Refusals::default()
    })
    .await;
    assert_eq!(b.datagrams().received, 100);
}

#[tokio::test]
async fn members_are_heard_through_a_flood_of_garbage() {
    let mut b = peer(2).await;
    let a = peer(1).await;
    acquaint(&[&a, &b]);
    let mut looks_genuine = seal(9, 7).seal(node(2), &[0; 1000]).unwrap();
    let mut forged = seal(1, 8).seal(node(2), &[0; 1000]).unwrap();
    let anybody = anybody().await;

    for round in 0..100u8 {
        for _ in 0..100 {
            looks_genuine[44] = looks_genuine[44].wrapping_add(1);
            forged[30] = forged[30].wrapping_add(1);
            anybody.send_to(&looks_genuine, b.address()).await.unwrap();
            anybody.send_to(&forged, b.address()).await.unwrap();
        }
        a.send(&b, &[round]);
        assert_eq!(b.received().await.1, [round]);
    }

    let refused = b.datagrams().refused;
    assert!(
        refused.unknown_sender > 0 && refused.bad_tag > 0,
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_finds_no_room_is_dropped_and_counted() {
    let limits = Limits {
        queue: 4,
        ..Limits::default()
    };
    let mut b = peer_with(2, 7, "127.0.0.1:0", limits).await;
    let a = peer(1).await;
    acquaint(&[&a, &b]);

    for number in 0..10u8 {
        a.send(&b, &[number]);
    }

    eventually(
        || b.datagrams().overflowed == 6,
        || format!("{:?}", b.datagrams()),
    )
    .await;
    for number in 0..4u8 {
        assert_eq!(b.received().await.1, [number]);
    }
}

#[tokio::test]
async fn what_cannot_be_sealed_is_counted() {
    let a = peer(1).await;
    a.transport.set_ring(&KeyRing::default());

    a.transport.send(node(2), a.address(), b"no key");

    assert_eq!(a.datagrams().unsent, 1);
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let a = peer(1).await;

    let refused = Sockets::bind(a.address(), 1 << 20).await.unwrap_err();

    assert_eq!(refused.address, a.address());
    assert!(refused.to_string().contains(&a.address().to_string()));
}
