//! How much anybody gets, and for how long.

use std::time::Duration;

use super::{RaftCall, authorisation::Route};

/// What the service gives at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections of nodes.
    pub nodes: usize,
    /// Connections of others: handshakes, hosts that join.
    pub strangers: usize,
    /// Those from one IPv4 address or one /64.
    pub strangers_per_source: usize,
    /// For a handshake.
    pub handshake: Duration,
    /// For the whole connection of somebody without a certificate.
    pub stranger: Duration,
    /// For the head of a request, and between requests.
    pub head: Duration,
    /// For the body of a request.
    pub body: Duration,
    /// For the other side to acknowledge what it was sent (Linux: `TCP_USER_TIMEOUT`). Hosts that are gone
    /// and watchers that do not read are cut off then.
    pub unacknowledged: Duration,
    /// Between signs of life on a watch stream without changes.
    pub heartbeat: Duration,
    /// For running requests after the service was told to stop.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            nodes: 4096,
            strangers: 512,
            strangers_per_source: 64,
            handshake: Duration::from_secs(10),
            stranger: Duration::from_mins(1),
            head: Duration::from_mins(1),
            body: Duration::from_secs(30),
            unacknowledged: Duration::from_secs(30),
            heartbeat: Duration::from_secs(5),
            grace: Duration::from_secs(5),
        }
    }
}

/// The longest head of a request.
pub(super) const HEAD: usize = 16 << 10;

/// The longest body of a request; only managers may send much.
pub(super) const fn longest_body(route: Route, call: Option<RaftCall>) -> usize {
    match (route, call) {
        (Route::Join | Route::Renew, _) => 64 << 10,
        (Route::Watch, _) => 0,
        (Route::Raft, Some(RaftCall::Append)) => 64 << 20,
        (Route::Raft, Some(RaftCall::Snapshot)) => 256 << 20,
        (Route::Request(_), _) | (Route::Raft, Some(RaftCall::Vote) | None) => 1 << 20,
    }
}
