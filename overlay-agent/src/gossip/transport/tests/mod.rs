//! Transports that talk over the loopback device.

mod datagrams;
mod fuzz;
mod streams;

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::time::timeout;

use super::*;
use crate::{
    gossip::seal::{Epoch, Refusals},
    model::RingKey,
};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn node(number: u128) -> NodeId {
    NodeId::from_random(number)
}

fn ring(secret: u8) -> KeyRing {
    KeyRing {
        primary: 1,
        keys: vec![RingKey {
            number: 1,
            secret: [secret; 32],
        }],
    }
}

fn seal(number: u128, secret: u8) -> Seal {
    let epoch = Epoch::starting(1000, number);
    Seal::new("c", node(number), epoch, &ring(secret))
}

/// A running transport. Its tasks end with it.
struct Peer {
    number: u128,
    transport: Transport,
    inbound: Inbound,
    _tasks: JoinSet<()>,
}

async fn peer(number: u128) -> Peer {
    peer_with(number, 7, "127.0.0.1:0", Limits::default()).await
}

async fn peer_with(number: u128, secret: u8, listen: &str, limits: Limits) -> Peer {
    let sockets = Sockets::bind(listen.parse().unwrap(), limits.receive_buffer)
        .await
        .unwrap();
    let local = sockets.address().unwrap();
    let mut tasks = JoinSet::new();
    let (transport, inbound) =
        Transport::start(sockets, local, seal(number, secret), limits, &mut tasks);
    Peer {
        number,
        transport,
        inbound,
        _tasks: tasks,
    }
}

fn acquaint(peers: &[&Peer]) {
    let members = peers
        .iter()
        .map(|peer| (node(peer.number), peer.address()))
        .collect();
    for peer in peers {
        peer.transport.set_members(&members);
    }
}

impl Peer {
    /// Where others reach it.
    fn address(&self) -> SocketAddr {
        let mut address = self.transport.local;
        if address.ip().is_unspecified() {
            address.set_ip(IpAddr::from([127, 0, 0, 1]));
        }
        address
    }

    fn send(&self, to: &Self, message: &[u8]) {
        self.transport.send(node(to.number), to.address(), message);
    }

    async fn received(&mut self) -> (NodeId, Vec<u8>) {
        let received = timeout(PATIENCE, self.inbound.datagrams.recv())
            .await
            .expect("nothing came")
            .unwrap();
        (received.from, received.message)
    }

    async fn connect(&self, to: &Self) -> Result<Link, LinkError> {
        self.transport.connect(node(to.number), to.address()).await
    }

    async fn accepted(&mut self) -> Link {
        timeout(PATIENCE, self.inbound.links.recv())
            .await
            .expect("nobody came")
            .unwrap()
    }

    fn datagrams(&self) -> DatagramCounters {
        *self.transport.traffic().datagrams()
    }

    fn streams(&self) -> StreamCounters {
        *self.transport.traffic().streams()
    }

    /// Waits until the counters of refused datagrams are these.
    async fn has_refused(&self, expected: Refusals) {
        eventually(
            || self.datagrams().refused == expected,
            || format!("{:?} instead of {expected:?}", self.datagrams().refused),
        )
        .await;
    }
}

async fn eventually(mut holds: impl FnMut() -> bool, otherwise: impl Fn() -> String) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(PATIENCE, waiting).await.is_ok(), "{}", otherwise());
}
