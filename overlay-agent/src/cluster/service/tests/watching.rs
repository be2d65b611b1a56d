//! Streams of changes.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use crate::{
    cluster::{
        pki::testing::tls,
        service::{
            Counter,
            fake::Cluster,
            testing::{Door, node, short},
        },
    },
    model::Role,
};

/// Lines of a stream with their chunks' sizes left out.
struct Lines(BufReader<TlsStream<TcpStream>>);

impl Lines {
    async fn open(door: &Door, cluster: &Cluster, query: &str) -> Self {
        let worker = node(cluster, Role::Worker);
        let mut stream = door.connect(tls(worker).client()).await;
        let request = format!("GET /v1/watch{query} HTTP/1.1\r\nHost: m\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        Self(BufReader::new(stream))
    }

    /// Nothing at the end of the stream.
    async fn next(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            let reading = self.0.read_line(&mut line);
            let read = timeout(Duration::from_secs(5), reading).await.unwrap();
            if read.unwrap_or(0) == 0 {
                return None;
            }
            if line.starts_with('{') || line.starts_with('"') {
                return Some(line.trim().to_owned());
            }
        }
    }

    async fn next_change(&mut self) -> Option<String> {
        loop {
            let line = self.next().await?;
            if line != r#""heartbeat""# {
                return Some(line);
            }
        }
    }
}

#[tokio::test]
async fn changes_come_as_lines_after_an_index_and_heartbeats_between() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, short()).await;
    cluster.publish("one");
    cluster.publish("two");
    let mut lines = Lines::open(&door, &cluster, "?index=1").await;

    let change = lines.next_change().await.unwrap();
    assert_eq!(change, r#"{"change":{"index":2,"change":"two"}}"#);
    assert_eq!(lines.next().await.unwrap(), r#""heartbeat""#);
    cluster.publish("three");
    let change = lines.next_change().await.unwrap();
    assert_eq!(change, r#"{"change":{"index":3,"change":"three"}}"#);
}

#[tokio::test]
async fn who_is_removed_sees_nothing_more() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, short()).await;
    let mut lines = Lines::open(&door, &cluster, "").await;
    lines.next().await.unwrap();

    let watcher = *cluster.state().roles.last_key_value().unwrap().0;
    cluster.state().removed.insert(watcher);
    cluster.publish("a secret");

    while let Some(line) = lines.next().await {
        assert!(!line.contains("secret"), "{line}");
    }
    door.counted(Counter::RemovedNode, 1).await;
}

#[tokio::test]
async fn who_does_not_read_is_cut_off_and_the_others_are_not() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, short()).await;
    let _deaf = Lines::open(&door, &cluster, "").await;
    let mut attentive = Lines::open(&door, &cluster, "").await;
    let long: Arc<str> = "x".repeat(1 << 20).into();

    for _change in 0..30 {
        cluster.publish(&long);
        attentive.next_change().await.unwrap();
    }

    door.counted(Counter::Broken, 1).await;
    cluster.publish("more");
    assert!(attentive.next_change().await.unwrap().contains("more"));
}
