//! Nodes as the managers know them.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
};

use serde::{Deserialize, Serialize};

use super::NodeId;

/// What a node does for the cluster.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs containers.
    Worker,
    /// Keeps the cluster's state, and runs containers.
    Manager,
}

/// What the managers want a node to be used for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Availability {
    /// Takes new endpoints.
    #[default]
    Active,
    /// Keeps its endpoints and takes no new ones.
    Pause,
    /// Takes no new endpoints, and its tasks leave.
    Drain,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Worker => "worker",
            Self::Manager => "manager",
        })
    }
}

impl fmt::Display for Availability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Active => "active",
            Self::Pause => "pause",
            Self::Drain => "drain",
        })
    }
}

/// A node of the cluster.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Given at join; never used again.
    pub id: NodeId,
    /// The host's name; need not be unique.
    pub hostname: String,
    /// What it does.
    pub role: Role,
    /// What it is wanted for.
    pub availability: Availability,
    /// Labels by name.
    pub labels: BTreeMap<String, String>,
    /// Outer source of its packets, and their destination on the way to it.
    pub data_path: IpAddr,
    /// Where it gossips, UDP and TCP.
    pub gossip: SocketAddr,
    /// Where it would answer as a manager (2377/tcp).
    pub control: SocketAddr,
    /// When it joined, seconds since 1970.
    pub joined: u64,
}
