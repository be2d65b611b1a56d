use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use super::*;
use crate::gossip::seal::{CHUNK, Refusal};

fn hasty() -> Limits {
    Limits {
        handshake: Duration::from_millis(200),
        idle: Duration::from_millis(200),
        ..Limits::default()
    }
}

/// Opens a stream from another loopback address, which is no member's.
async fn stranger(to: SocketAddr, host: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket
        .bind(SocketAddr::from(([127, 0, 9, host], 0)))
        .unwrap();
    socket.connect(to).await.unwrap()
}

#[tokio::test]
async fn messages_go_both_ways_until_one_side_closes() {
    let (a, mut b) = (peer(1).await, peer(2).await);
    acquaint(&[&a, &b]);

    let mut of_a = a.connect(&b).await.unwrap();
    let mut of_b = b.accepted().await;
    assert_eq!((of_a.peer(), of_b.peer()), (node(2), node(1)));

    for size in [0, 1, CHUNK] {
        of_a.write(&vec![3; size]).await.unwrap();
        assert_eq!(of_b.read().await.unwrap(), Some(vec![3; size]));
        of_b.write(&vec![4; size]).await.unwrap();
        assert_eq!(of_a.read().await.unwrap(), Some(vec![4; size]));
    }
    of_a.close().await.unwrap();
    assert_eq!(of_b.read().await.unwrap(), None);
    assert_eq!((a.streams().opened, b.streams().accepted), (1, 1));
    assert_eq!(a.streams().sent_bytes, b.streams().received_bytes);
}

#[tokio::test]
async fn strangers_get_no_stream() {
    let mut b = peer(2).await;
    let wrong_key = peer_with(1, 8, "127.0.0.1:0", hasty()).await;
    let unknown = peer_with(9, 7, "127.0.0.1:0", hasty()).await;
    acquaint(&[&b, &wrong_key]);
    let knows_b = BTreeMap::from([(node(2), b.address())]);
    unknown.transport.set_members(&knows_b);

    let refused = wrong_key.connect(&b).await.map(|_| ()).unwrap_err();
    assert!(
        matches!(
            refused,
            LinkError::Refused {
                source: Refusal::BadTag
            }
        ),
        "{refused:?}"
    );
    assert!(unknown.connect(&b).await.is_err());

    eventually(
        || {
            let refused = b.streams().refused;
            (refused.bad_tag + b.streams().broken, refused.unknown_sender) == (1, 1)
        },
        || format!("{:?}", b.streams()),
    )
    .await;
    assert_eq!(b.streams().accepted, 0);
    assert!(b.inbound.links.try_recv().is_err());
}

#[tokio::test]
async fn a_stream_to_the_wrong_node_is_refused() {
    let (a, b) = (peer(1).await, peer(2).await);
    acquaint(&[&a, &b]);

    let refused = a.transport.connect(node(3), b.address()).await;

    assert!(refused.is_err());
    eventually(
        || b.streams().refused.misdirected == 1,
        || format!("{:?}", b.streams()),
    )
    .await;
}

#[tokio::test]
async fn a_recorded_stream_is_refused() {
    let (a, mut b) = (peer(1).await, peer(2).await);
    acquaint(&[&a, &b]);
    // A proxy records what a says.
    let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let through = proxy.local_addr().unwrap();
    let to = b.address();
    let relay = async {
        let (mut from_a, _) = proxy.accept().await.unwrap();
        let mut to_b = TcpStream::connect(to).await.unwrap();
        let mut recorded = Vec::new();
        let (mut read_a, mut write_a) = from_a.split();
        let (mut read_b, mut write_b) = to_b.split();
        let forth = async {
            let mut buffer = [0; 4096];
            loop {
                match read_a.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(length) => {
                        recorded.extend_from_slice(&buffer[..length]);
                        write_b.write_all(&buffer[..length]).await.unwrap();
                    }
                }
            }
            write_b.shutdown().await.unwrap();
        };
        let back = tokio::io::copy(&mut read_b, &mut write_a);
        let ((), _) = tokio::join!(forth, back);
        recorded
    };
    let talk = async {
        let mut link = a.transport.connect(node(2), through).await.unwrap();
        link.write(b"once").await.unwrap();
        let mut accepted = b.accepted().await;
        assert_eq!(accepted.read().await.unwrap().unwrap(), b"once");
        link.close().await.unwrap();
        drop(accepted);
    };
    let (recorded, ()) = tokio::join!(relay, talk);

    let mut again = TcpStream::connect(to).await.unwrap();
    again.write_all(&recorded).await.unwrap();

    eventually(
        || b.streams().refused.bad_tag == 1,
        || format!("{:?}", b.streams()),
    )
    .await;
    assert_eq!(b.streams().accepted, 1);
}

#[tokio::test]
async fn garbage_on_the_port_is_refused_and_the_port_lives() {
    let (a, mut b) = (peer(1).await, peer(2).await);
    acquaint(&[&a, &b]);

    for number in 0..20u8 {
        let mut stream = TcpStream::connect(b.address()).await.unwrap();
        stream.write_all(&[number ^ 0x80; 100]).await.unwrap();
        let mut end = Vec::new();
        // Closed or reset, as long as nothing is said.
        if stream.read_to_end(&mut end).await.is_ok() {
            assert!(end.is_empty());
        }
    }

    assert_eq!(b.streams().refused.garbage, 20);
    a.connect(&b).await.unwrap();
    b.accepted().await;
}

#[tokio::test]
async fn silent_streams_lose_their_place() {
    let a = peer(1).await;
    let mut b = peer_with(2, 7, "127.0.0.1:0", hasty()).await;
    acquaint(&[&a, &b]);

    let silent = stranger(b.address(), 1).await;
    let mut link = a.connect(&b).await.unwrap();
    let mut accepted = b.accepted().await;

    assert!(matches!(accepted.read().await, Err(LinkError::TimedOut)));
    eventually(
        || b.streams().timed_out == 2,
        || format!("{:?}", b.streams()),
    )
    .await;
    drop((silent, accepted));
    assert!(matches!(link.read().await, Ok(None)));
}

#[tokio::test]
async fn a_crowd_of_strangers_keeps_no_member_out() {
    let a = peer(1).await;
    let mut b = peer(2).await;
    acquaint(&[&a, &b]);
    let limits = Limits::default();

    let mut crowd = Vec::new();
    for host in 0..40 {
        crowd.push(stranger(b.address(), host + 1).await);
    }
    eventually(
        || b.streams().crowded == 40 - limits.strangers as u64,
        || format!("{:?}", b.streams()),
    )
    .await;

    a.connect(&b).await.unwrap();
    b.accepted().await;
}

#[tokio::test]
async fn a_stream_that_brings_too_much_is_cut() {
    let limits = Limits {
        stream_bytes: 100_000,
        ..Limits::default()
    };
    let a = peer(1).await;
    let mut b = peer_with(2, 7, "127.0.0.1:0", limits).await;
    acquaint(&[&a, &b]);

    let mut link = a.connect(&b).await.unwrap();
    let mut accepted = b.accepted().await;
    link.write(&vec![0; CHUNK]).await.unwrap();
    link.write(&vec![0; CHUNK]).await.unwrap();

    assert!(accepted.read().await.unwrap().is_some());
    assert!(matches!(
        accepted.read().await,
        Err(LinkError::TooMuch { limit: 100_000 })
    ));
    assert_eq!(b.streams().too_much, 1);
}

#[tokio::test]
async fn nobody_at_the_other_end_is_an_error_that_names_the_address() {
    let a = peer(1).await;
    let nowhere: SocketAddr = "127.0.0.1:1".parse().unwrap();

    let refused = a.transport.connect(node(2), nowhere).await.map(|_| ());

    assert!(refused.unwrap_err().to_string().contains("127.0.0.1:1"));
    assert_eq!(a.streams().broken, 1);
}

#[tokio::test]
async fn a_node_whose_clock_went_back_is_heard_again_after_a_stream() {
    let (a, mut b) = (peer(1).await, peer(2).await);
    acquaint(&[&a, &b]);
    let mut ahead = Seal::new("c", node(1), Epoch::starting(2000, 5), &ring(7));
    let earlier = ahead.seal(node(2), b"from the future").unwrap();
    let anybody = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    anybody.send_to(&earlier, b.address()).await.unwrap();
    b.received().await;
    a.send(&b, b"unheard");
    b.has_refused(Refusals {
        old_epoch: 1,
        ..Refusals::default()
    })
    .await;

    a.connect(&b).await.unwrap();
    a.send(&b, b"heard");

    assert_eq!(b.received().await, (node(1), b"heard".to_vec()));
}
