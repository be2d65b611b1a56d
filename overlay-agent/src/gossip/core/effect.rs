//! What the gossip wants done, and what it has found out.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::timer::Timer;
use crate::model::{Claim, NodeId, Vni};

/// Something to be done, in order.
#[derive(Debug)]
pub enum Effect {
    /// Send a datagram, encrypted, once. It may be lost.
    Send {
        /// The node that alone may read it.
        to: NodeId,
        /// Where it listens.
        address: SocketAddr,
        /// Plain bytes, at most [`Pace::datagram`](super::Pace::datagram).
        datagram: Vec<u8>,
    },
    /// Give `timer` to [`Gossip::handle_timer`](super::Gossip::handle_timer) after a while.
    StartTimer {
        /// Opaque.
        timer: Timer,
        /// How long.
        after: Duration,
    },
    /// Open a stream and run [`Gossip::begin_exchange`](super::Gossip::begin_exchange) over it.
    Exchange {
        /// With whom.
        with: NodeId,
        /// Where it listens.
        address: SocketAddr,
    },
    /// Tell the rest of the agent.
    Event(Event),
}

/// What the rest of the agent wants to know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A node answers, for the first time or again.
    MemberUp(NodeId),
    /// A node does not answer; its endpoints are hidden.
    MemberFailed(NodeId),
    /// A node said that it leaves; its endpoints are hidden.
    MemberLeft(NodeId),
    /// [`Gossip::take_changes`](super::Gossip::take_changes) has something. Comes once until it is called.
    ClaimsChanged,
    /// A claim of this node lost its address and has been withdrawn.
    ClaimLost {
        /// The lost claim.
        claim: Claim,
        /// Who has the address.
        winner: NodeId,
        /// Position of the winning claim in the managers' log.
        index: u64,
    },
    /// Another node has said something that is none of the gossip's business.
    Aside {
        /// Who said it.
        from: NodeId,
        /// What.
        words: Vec<u8>,
    },
}

/// What is different from the last time, in [`Observed`](crate::model::Observed)'s terms.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Changes {
    /// Nodes that failed (`true`) or answer again (`false`).
    pub failed: BTreeMap<NodeId, bool>,
    /// Watched nodes that may be failing (`true`) or answer again (`false`). One that failed is none.
    pub suspects: BTreeMap<NodeId, bool>,
    /// The winning claim now, or that there is none.
    pub claims: BTreeMap<(Vni, IpAddr), Option<(NodeId, Claim)>>,
}

/// What came from the network, and what was not taken of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    /// Datagrams and frames from nodes that the managers do not know.
    pub strangers: u64,
    /// Datagrams and frames that are not ours, or of another version.
    pub malformed: u64,
    /// Rows and members told by others about nodes that the managers do not know.
    pub unknown_owners: u64,
    /// Own claims that lost their address.
    pub lost_claims: u64,
    /// Gaps that had to be asked for.
    pub repairs: u64,
    /// Full exchanges completed.
    pub exchanges: u64,
    /// Rows of other nodes that said something new.
    pub received: u64,
    /// Those of them that came by a full exchange.
    pub exchanged: u64,
    /// Pieces of news that wait to be told or passed on, now.
    pub queued: u64,
}
