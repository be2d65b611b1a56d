//! 2377/tcp: how nodes and managers ask a manager. HTTP/1.1 and JSON over mutual TLS.
//!
//! | call | who | what |
//! |---|---|---|
//! | `POST /v1/join` | whoever has a token | token and host → node, certificate, roots, managers |
//! | `POST /v1/renew` | nodes | a new certificate |
//! | `GET /v1/watch?index=N` | nodes | changes after N, a JSON line for each, with signs of life |
//! | `POST /v1/request` | nodes; managers for most | what the state machine understands |
//! | `POST /v1/raft/{append,vote,snapshot}` | managers | bytes of consensus |
//!
//! [`Managers`] is what stands behind it. Everybody can reach the port, so nothing that comes in is
//! believed, waited for or kept without a limit, and what is turned away is counted.

mod accept;
mod admission;
mod authorisation;
mod connection;
mod counters;
mod error;
#[cfg(test)]
pub(in crate::cluster) mod fake;
mod limits;
mod managers;
mod routes;
#[cfg(test)]
pub(in crate::cluster) mod testing;
#[cfg(test)]
mod tests;
mod watch;
pub(in crate::cluster) mod wire;

use std::{net::SocketAddr, sync::Arc};

pub use authorisation::{Route, authorise, effective_role};
pub use counters::{Counter, Counters};
pub(in crate::cluster) use error::ErrorBody;
pub use error::{ErrorKind, ServiceError};
pub use limits::Limits;
pub use managers::{Caller, Changes, Joining, Managers, Privilege, Standing};
use tokio::sync::watch::Receiver;
pub use wire::{
    Host, Indexed, JoinRequest, Joined, Numbered, RaftCall, RenewRequest, Renewed, TypedToken,
};

use super::pki::{Clock, Identity, tls::Tls};

/// The service of one manager; [`Service::serve`] answers on a socket.
pub struct Service<M> {
    managers: Arc<M>,
    tls: Receiver<Arc<Tls>>,
    clock: Clock,
    limits: Limits,
    counters: Arc<Counters>,
}

impl<M: Managers> Service<M> {
    /// A service in front of `managers`. New connections use the latest `tls`; older ones go on. `clock`
    /// decides whose certificates count.
    pub fn new(managers: Arc<M>, tls: Receiver<Arc<Tls>>, clock: Clock, limits: Limits) -> Self {
        Self {
            managers,
            tls,
            clock,
            limits,
            counters: Arc::default(),
        }
    }

    /// What happens is counted here.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }
}

/// The other side of a connection. Its certificate was genuine when the connection began.
#[derive(Clone, Copy, Debug)]
struct Peer {
    address: SocketAddr,
    identity: Option<Identity>,
}
