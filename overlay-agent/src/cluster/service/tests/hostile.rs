//! What does not belong on the port.

use std::{sync::Arc, time::Duration};

use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use rustls::ClientConfig;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    cluster::{
        pki::{
            testing::{clock, tls},
            tls::first_contact,
        },
        service::{
            Counter, Limits,
            fake::Cluster,
            testing::{Door, node, short},
        },
    },
    model::Role,
};

const LEASE: &str = r#"{"id":"0000000000000000000000001","request":{"lease":"blue"}}"#;

fn worker(cluster: &Cluster) -> Arc<ClientConfig> {
    Arc::clone(tls(node(cluster, Role::Worker)).client())
}

async fn still_answers(door: &Door, cluster: &Cluster) {
    let (status, answer) = door.ask(&worker(cluster), "POST /v1/request", LEASE).await;
    assert_eq!(status, 200, "{answer}");
}

/// Bytes of any kind, many of which look like the beginning of a handshake.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let bytes = proptest::collection::vec(any::<u8>(), 1..300);
    let record = (20..25u8, any::<u16>(), bytes.clone()).prop_map(
        |(kind, length, rest): (u8, u16, Vec<u8>)| {
            let mut bytes = vec![kind, 3, 1];
            bytes.extend(length.to_be_bytes());
            bytes.extend(rest);
            bytes
        },
    );
    prop_oneof![bytes, record, Just(b"GET / HTTP/1.1\r\n\r\n".to_vec())]
}

#[tokio::test]
async fn thousands_of_garbage_connections_are_counted_and_survived() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, short()).await;
    let mut runner = TestRunner::deterministic();
    for _connection in 0..3_000 {
        let bytes = garbage().new_tree(&mut runner).unwrap().current();
        let mut stream = TcpStream::connect(door.address).await.unwrap();
        let _sent = stream.write_all(&bytes).await;
        let _closed = stream.shutdown().await;
        let mut answer = Vec::new();
        let _read = stream.read_to_end(&mut answer).await;
        assert!(answer.len() < 64, "only an alert: {answer:?}");
    }

    door.counted(Counter::Accepted, 3_000).await;
    door.counted(Counter::HandshakeFailed, 3_000).await;
    assert_eq!(door.counters.get(Counter::OverLimit), 0);
    still_answers(&door, &cluster).await;
}

#[tokio::test]
async fn garbage_of_a_node_is_counted_and_survived() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, short()).await;
    let config = worker(&cluster);
    let mut runner = TestRunner::deterministic();
    for number in 1..=200 {
        let bytes = garbage().new_tree(&mut runner).unwrap().current();
        let mut stream = door.connect(&config).await;
        let _sent = stream.write_all(&bytes).await;
        let _sent = stream.write_all(b" \r\n\r\n").await;
        let _closed = stream.shutdown().await;
        let mut answer = Vec::new();
        let _read = stream.read_to_end(&mut answer).await;
        door.counted(Counter::Accepted, number).await;
    }
    for wrong in ["", "{", "[]", "null", r#"{"id":"x"}"#, &"[".repeat(10_000)] {
        let (status, _refusal) = door.ask(&config, "POST /v1/request", wrong).await;
        assert_eq!(status, 400);
    }
    let (status, _refusal) = door.ask(&config, "GET /v1/watch?index=x", "").await;
    assert_eq!(status, 400);

    assert!(door.counters.get(Counter::Malformed) > 7);
    assert!(cluster.state().done.is_empty());
    still_answers(&door, &cluster).await;
}

#[tokio::test]
async fn who_says_nothing_is_cut_off() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, short()).await;
    let mut silent = Vec::new();
    for _connection in 0..20 {
        silent.push(TcpStream::connect(door.address).await.unwrap());
    }

    door.counted(Counter::TooSlow, 20).await;

    for mut stream in silent {
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
    }
    still_answers(&door, &cluster).await;
}

#[tokio::test]
async fn a_slow_loris_is_cut_off_in_head_and_body() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, short()).await;
    let config = worker(&cluster);
    let head = b"POST /v1/request HTTP/1.1\r\nHost: m\r\nContent-Length: 100\r\n\r\n";

    let mut slow_head = door.connect(&config).await;
    let mut slow_body = door.connect(&config).await;
    slow_body.write_all(head).await.unwrap();
    for byte in &head[..20] {
        let _sent = slow_head.write_all(&[*byte]).await;
        let _sent = slow_body.write_all(b"[").await;
        sleep(Duration::from_millis(50)).await;
    }
    let mut answer = Vec::new();
    let _read = timeout(Duration::from_secs(5), slow_body.read_to_end(&mut answer)).await;
    let answer = String::from_utf8(answer).unwrap();

    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    door.counted(Counter::TooSlow, 2).await;
    assert_eq!(slow_head.read(&mut [0]).await.unwrap_or(0), 0);
    still_answers(&door, &cluster).await;
}

#[tokio::test]
async fn a_stranger_is_not_kept_however_busy_it_looks() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, short()).await;
    let digest = cluster.state().world.authority.digest();
    let stranger = first_contact(digest, clock()).unwrap();
    let mut stream = door.connect(&stranger).await;

    let talking = async {
        loop {
            let request = b"GET / HTTP/1.1\r\nHost: m\r\n\r\n";
            stream.write_all(request).await?;
            stream.read_u8().await?;
            sleep(Duration::from_millis(50)).await;
            stream.flush().await?;
        }
    };
    let ended: Result<std::io::Result<()>, _> = timeout(Duration::from_secs(10), talking).await;

    assert!(ended.unwrap().is_err());
    door.counted(Counter::TooSlow, 1).await;
}

#[tokio::test]
async fn strangers_take_no_places_of_nodes() {
    let cluster = Cluster::new();
    let limits = Limits {
        strangers: 10,
        strangers_per_source: 5,
        nodes: 3,
        ..Limits::default()
    };
    let door = Door::open(&cluster, limits).await;
    let config = worker(&cluster);
    let mut nodes = Vec::new();
    for _node in 0..3 {
        nodes.push(door.connect(&config).await);
    }
    for node in &mut nodes {
        let request = b"GET /v1/watch HTTP/1.1\r\nHost: m\r\n\r\n";
        node.write_all(request).await.unwrap();
        node.read_u8().await.unwrap();
    }

    let mut fourth = door.connect(&config).await;
    assert_eq!(fourth.read(&mut [0]).await.unwrap_or(0), 0);
    door.counted(Counter::OverLimit, 1).await;
    let mut silent = Vec::new();
    for _stranger in 0..7 {
        silent.push(TcpStream::connect(door.address).await.unwrap());
    }
    door.counted(Counter::OverLimit, 3).await;

    drop(silent);
    drop(nodes.pop());
    door.counted(Counter::HandshakeFailed, 5).await;
    still_answers(&door, &cluster).await;
}

#[tokio::test]
async fn a_body_is_not_read_beyond_its_limit() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, Limits::default()).await;
    let config = worker(&cluster);
    let mut stream = door.connect(&config).await;
    let head = b"POST /v1/request HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let mut chunk = b"10000\r\n".to_vec();
    chunk.extend(vec![b'x'; 0x10000]);
    chunk.extend(b"\r\n");
    for _chunk in 0..20 {
        if stream.write_all(&chunk).await.is_err() {
            break;
        }
    }

    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();

    assert_eq!(&answer, b"HTTP/1.1 413");
    door.counted(Counter::TooLarge, 1).await;
    still_answers(&door, &cluster).await;
}

#[tokio::test]
async fn a_head_is_not_read_beyond_its_limit() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, Limits::default()).await;
    let mut stream = door.connect(&worker(&cluster)).await;
    let head = format!(
        "GET /v1/watch HTTP/1.1\r\nHost: m\r\nX: {}",
        "x".repeat(64 << 10)
    );

    let _sent = stream.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _read = stream.read_to_end(&mut answer).await;

    assert!(!String::from_utf8_lossy(&answer).contains(" 200 "));
    door.counted(Counter::Malformed, 1).await;
}
