//! What carries the gossip: datagrams and streams on one port, sealed, counted and limited.
//!
//! | task | in | out |
//! |---|---|---|
//! | `datagrams::receive` | UDP socket | [`Inbound::datagrams`] |
//! | `datagrams::send` | [`Transport::send`] | UDP socket |
//! | `listener::accept` | TCP socket | [`Inbound::links`] |

mod counters;
mod datagrams;
mod limits;
mod link;
mod listener;
mod places;
mod sockets;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashSet},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::mpsc, task::JoinSet};
use tracing::debug;

pub(crate) use self::{
    counters::Traffic,
    datagrams::Received,
    link::{Link, LinkError},
    sockets::Sockets,
};
pub use self::{
    counters::{DatagramCounters, StreamCounters},
    limits::Limits,
    sockets::ListenError,
};
use self::{datagrams::Outgoing, link::Introducing, places::Places};
use super::seal::Seal;
use crate::model::{KeyRing, NodeId};

/// Authenticated streams that wait to be taken.
const WAITING_LINKS: usize = 16;

/// The seal, between the tasks that use it. Held for a few microseconds, never while waiting.
#[derive(Clone)]
struct SharedSeal(Arc<Mutex<Seal>>);

impl SharedSeal {
    fn lock(&self) -> MutexGuard<'_, Seal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends to members, and decides who is one.
pub(crate) struct Transport {
    local: SocketAddr,
    introducing: Introducing,
    places: Places,
    outgoing: mpsc::Sender<Outgoing>,
}

/// What members send.
pub(crate) struct Inbound {
    pub(crate) datagrams: mpsc::Receiver<Received>,
    pub(crate) links: mpsc::Receiver<Link>,
}

impl Transport {
    /// Starts the transport's tasks. They end with the set, or when both the transport and the
    /// inbound side are dropped.
    pub(crate) fn start(
        sockets: Sockets,
        local: SocketAddr,
        seal: Seal,
        limits: Limits,
        tasks: &mut JoinSet<()>,
    ) -> (Self, Inbound) {
        let introducing = Introducing {
            seal: SharedSeal(Arc::new(Mutex::new(seal))),
            limits,
            traffic: Arc::new(Traffic::default()),
        };
        let traffic = &introducing.traffic;
        let places = Places::new(limits);
        let socket = Arc::new(sockets.datagrams);
        let (outgoing, to_send) = mpsc::channel(limits.queue);
        let (received, datagrams) = mpsc::channel(limits.queue);
        let (accepted, links) = mpsc::channel(WAITING_LINKS);
        tasks.spawn(datagrams::send(
            Arc::clone(&socket),
            local,
            Arc::clone(traffic),
            to_send,
        ));
        tasks.spawn(datagrams::receive(
            socket,
            introducing.seal.clone(),
            Arc::clone(traffic),
            received,
        ));
        tasks.spawn(listener::accept(
            sockets.streams,
            introducing.clone(),
            places.clone(),
            accepted,
        ));
        let transport = Self {
            local,
            introducing,
            places,
            outgoing,
        };
        (transport, Inbound { datagrams, links })
    }

    /// Lets in exactly these nodes.
    pub(crate) fn set_members(&self, members: &BTreeMap<NodeId, SocketAddr>) {
        let ids: HashSet<NodeId> = members.keys().copied().collect();
        self.introducing.seal.lock().set_members(&ids);
        self.places
            .set_members(members.values().map(SocketAddr::ip));
    }

    /// Accepts exactly these keys.
    pub(crate) fn set_ring(&self, ring: &KeyRing) {
        self.introducing.seal.lock().set_ring(ring);
    }

    /// Seals a message of at most [`PAYLOAD`](super::seal::PAYLOAD) bytes and queues it.
    pub(crate) fn send(&self, to: NodeId, address: SocketAddr, message: &[u8]) {
        let sealed = self.introducing.seal.lock().seal(to, message);
        let queued = match sealed {
            Ok(datagram) => self
                .outgoing
                .try_send(Outgoing {
                    to: address,
                    datagram,
                })
                .is_ok(),
            Err(error) => {
                debug!(%error, %to, "a datagram was not sent");
                false
            }
        };
        if !queued {
            self.traffic().datagrams().unsent += 1;
        }
    }

    /// Opens a stream to a member.
    pub(crate) fn connect(
        &self,
        peer: NodeId,
        address: SocketAddr,
    ) -> impl Future<Output = Result<Link, LinkError>> + use<> {
        self.introducing.clone().connect(self.local, peer, address)
    }

    /// What came, went and was refused.
    pub(crate) fn traffic(&self) -> &Arc<Traffic> {
        &self.introducing.traffic
    }

    /// How many streams and bytes are allowed.
    pub(crate) fn limits(&self) -> &Limits {
        &self.introducing.limits
    }
}
