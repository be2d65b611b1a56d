//! The cluster as this node takes part in it.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{NodeState, Reachability};
use crate::model::{Availability, NodeId, Role};

/// This node in its cluster.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// This node.
    pub node_id: NodeId,
    /// What it does.
    pub role: Role,
    /// What it is wanted for.
    pub availability: Availability,
    /// Whether the managers reach it, as it knows.
    pub state: NodeState,
    /// Every manager, sorted by host name.
    pub managers: Vec<ManagerInfo>,
    /// Position in the managers' log up to which this node knows their decisions.
    pub index: u64,
    /// When it last heard from a manager, seconds since 1970; `None`: not since it started.
    pub heard_unix_s: Option<u64>,
    /// What the nodes tell each other.
    pub gossip: GossipStatus,
}

/// A manager as another node sees it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ManagerInfo {
    /// The node.
    pub node_id: NodeId,
    /// Its host name.
    pub hostname: String,
    /// Where it listens (2377/tcp).
    pub addr: SocketAddr,
    /// Whether it decides the order of the log.
    pub leader: bool,
    /// Whether it answers.
    pub reachability: Reachability,
}

/// What the nodes tell each other, counted since the agent started.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct GossipStatus {
    /// Other nodes that answer.
    pub alive: u64,
    /// Other nodes that do not; their endpoints are hidden.
    pub failed: u64,
    /// Addresses of other nodes' endpoints that are known.
    pub claims: u64,
    /// Changes that wait to be sent.
    pub queued: u64,
    /// Changes received that were new.
    pub received: u64,
    /// Full exchanges with another node.
    pub exchanges: u64,
    /// Changes that came by a full exchange because their event was lost.
    pub repaired: u64,
    /// Datagrams and messages dropped: garbage, replays, unknown keys.
    pub refused: u64,
    /// Addresses of own endpoints that were withdrawn because another node's claim won.
    pub withdrawn: u64,
}
