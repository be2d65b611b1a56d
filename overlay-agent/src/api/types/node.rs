//! Nodes of the cluster. Objects are nested, and their keys named, as Docker's are, so that templates
//! written for it fit.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use serde::{Deserialize, Serialize};

use crate::model::{Availability, MacAddress, Member, NodeId, Role};

/// A node.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// Its identifier.
    pub id: NodeId,
    /// Whether it is the one that was asked.
    #[serde(rename = "self")]
    pub is_self: bool,
    /// When it joined, seconds since 1970.
    pub created_at: u64,
    /// What was decided about it.
    pub spec: NodeSpec,
    /// What it tells about itself.
    pub description: NodeDescription,
    /// How it is.
    pub status: NodeStatus,
    /// How it is as a manager; `None` for a worker.
    pub manager_status: Option<ManagerStatus>,
}

/// What was decided about a node.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NodeSpec {
    /// What it does.
    pub role: Role,
    /// What it is wanted for.
    pub availability: Availability,
    /// Labels by name.
    pub labels: BTreeMap<String, String>,
}

/// What a node tells about itself.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NodeDescription {
    /// The host's name; need not be unique.
    pub hostname: String,
    /// Version of its agent, where it is known.
    pub engine_version: Option<String>,
    /// Outer source of its packets.
    pub data_path: IpAddr,
    /// Where it gossips, UDP and TCP.
    pub gossip: SocketAddr,
}

/// How a node is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Whether it answers.
    pub state: NodeState,
    /// Its address.
    pub addr: IpAddr,
}

/// Whether a node answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// It answers.
    Ready,
    /// It does not.
    Down,
    /// Nobody has heard of it yet.
    Unknown,
    /// It said farewell, or its agent is being stopped.
    Disconnected,
}

/// How a manager is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ManagerStatus {
    /// Whether it decides the order of the log.
    pub leader: bool,
    /// Whether the leader reaches it.
    pub reachability: Reachability,
    /// Where it listens (2377/tcp).
    pub addr: SocketAddr,
}

/// Whether a manager answers the leader.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reachability {
    /// It does.
    Reachable,
    /// It does not.
    Unreachable,
    /// Nobody can tell.
    Unknown,
}

impl NodeInfo {
    /// A node as the managers know it, and how it is; it is not the asked one and its version unknown.
    pub fn new(member: &Member, state: NodeState, manager_status: Option<ManagerStatus>) -> Self {
        Self {
            id: member.id,
            is_self: false,
            created_at: member.joined,
            spec: NodeSpec {
                role: member.role,
                availability: member.availability,
                labels: member.labels.clone(),
            },
            description: NodeDescription {
                hostname: member.hostname.clone(),
                engine_version: None,
                data_path: member.data_path,
                gossip: member.gossip,
            },
            status: NodeStatus {
                state,
                addr: member.control.ip(),
            },
            manager_status,
        }
    }
}

/// An endpoint of any node, as its node told the others.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NodeEndpoint {
    /// Its identifier.
    pub id: String,
    /// The container's name.
    pub name: String,
    /// The network's name.
    pub network: String,
    /// Its addresses, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// Its Ethernet address.
    pub mac: MacAddress,
    /// Host name of its node.
    pub node: String,
}

/// Changes of a node; what is `None` or empty stays.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeUpdate {
    /// What it is wanted for.
    #[serde(default)]
    pub availability: Option<Availability>,
    /// What it does.
    #[serde(default)]
    pub role: Option<Role>,
    /// Labels that it gets; one that it has changes its value.
    #[serde(default)]
    pub add_labels: BTreeMap<String, String>,
    /// Names of labels that it loses; taken away before others are added.
    #[serde(default)]
    pub remove_labels: BTreeSet<String>,
}

/// A node after an update.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NodeUpdated {
    /// The node.
    pub node: NodeInfo,
    /// Whether it was different before.
    pub changed: bool,
}

/// The wish to forget a node.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeRemove {
    /// Even if it still answers.
    #[serde(default)]
    pub force: bool,
}
