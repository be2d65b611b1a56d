//! Datagrams in and out.
//!
//! `receive` drains the socket as fast as it can, so that what waits in the kernel is never mostly
//! garbage: a stranger's datagram costs one look into a table. Input: the socket. Output: authentic
//! messages, into a queue that drops what finds no room. Ends when the queue's reader is gone.
//!
//! `send` takes sealed datagrams from a queue. Ends when the queue's writers are gone.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::UdpSocket,
    sync::mpsc::{self, error::TrySendError},
    time::sleep,
};
use tracing::debug;

use super::{SharedSeal, counters::Traffic, sockets::reachable_from};
use crate::{gossip::seal::DATAGRAM, model::NodeId};

/// Datagrams taken at once before other tasks have their turn.
const BURST: usize = 64;

/// Pause after an error that might come at once again.
const PAUSE: Duration = Duration::from_millis(10);

/// What a member said.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) from: NodeId,
    pub(crate) message: Vec<u8>,
}

/// A sealed datagram and where it goes.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) to: SocketAddr,
    pub(super) datagram: Vec<u8>,
}

pub(super) async fn receive(
    socket: Arc<UdpSocket>,
    seal: SharedSeal,
    traffic: Arc<Traffic>,
    queue: mpsc::Sender<Received>,
) {
    // One byte more than the longest, to know what is longer.
    let mut buffer = vec![0; DATAGRAM + 1];
    loop {
        tokio::select! {
            () = queue.closed() => return,
            ready = socket.readable() => if let Err(error) = ready {
                debug!(%error, "waiting for gossip");
                sleep(PAUSE).await;
            },
        }
        for _ in 0..BURST {
            match socket.try_recv_from(&mut buffer) {
                Ok((length, from)) => take(&mut buffer[..length], from, &seal, &traffic, &queue),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    debug!(%error, "receiving gossip");
                    traffic.datagrams().receive_errors += 1;
                    sleep(PAUSE).await;
                    break;
                }
            }
        }
        tokio::task::yield_now().await;
    }
}

fn take(
    datagram: &mut [u8],
    address: SocketAddr,
    seal: &SharedSeal,
    traffic: &Traffic,
    queue: &mpsc::Sender<Received>,
) {
    let bytes = datagram.len() as u64;
    let opened = seal.lock().open(datagram).map(|(from, plain)| Received {
        from,
        message: plain.to_vec(),
    });
    let mut counters = traffic.datagrams();
    counters.received_bytes += bytes;
    match opened {
        Ok(received) => {
            counters.received += 1;
            if let Err(TrySendError::Full(_)) = queue.try_send(received) {
                counters.overflowed += 1;
            }
        }
        Err(refusal) => {
            tracing::trace!(%refusal, %address, "a datagram was dropped");
            counters.refused.count(refusal);
        }
    }
}

pub(super) async fn send(
    socket: Arc<UdpSocket>,
    local: SocketAddr,
    traffic: Arc<Traffic>,
    mut queue: mpsc::Receiver<Outgoing>,
) {
    while let Some(Outgoing { to, datagram }) = queue.recv().await {
        let sent = socket.send_to(&datagram, reachable_from(local, to)).await;
        let mut counters = traffic.datagrams();
        match sent {
            Ok(bytes) => {
                counters.sent += 1;
                counters.sent_bytes += bytes as u64;
            }
            Err(error) => {
                debug!(%error, %to, "sending gossip");
                counters.unsent += 1;
            }
        }
    }
}
