//! The cluster as a whole: made, joined, left, and its secrets.

use std::net::SocketAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{HostAddress, HostPort, JoinToken};
use crate::model::{Availability, NodeId, Role};

/// Where this node is to be found.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addresses {
    /// Where the other nodes reach its managers' service; the port is that of `listen` where none is
    /// given. `None`: the address of this host, if it has only one.
    pub advertise: Option<HostPort>,
    /// Where that service listens. `None`: every address, port 2377.
    pub listen: Option<HostPort>,
    /// Outer source of its packets. `None`: the advertised address.
    pub data_path: Option<HostAddress>,
}

/// The wish for a cluster.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwarmInit {
    /// Where this node is.
    pub addresses: Addresses,
    /// UDP port of VXLAN. `None`: 4789.
    pub data_path_port: Option<u16>,
    /// UDP and TCP port of the gossip. `None`: 7946.
    pub gossip_port: Option<u16>,
    /// Where networks without a subnet get theirs from; a family without one: 10.0.0.0/8, or a
    /// unique local /48.
    pub address_pools: Vec<IpNet>,
    /// Prefix length of those subnets. `None`: 24, and 64 of IPv6.
    pub pool_mask_length: Option<u8>,
    /// Go on with this manager alone and the state that it has, when the other managers are lost for
    /// ever.
    pub force_new_cluster: bool,
    /// What this node is wanted for.
    pub availability: Availability,
}

/// A cluster that was made.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct SwarmInitialized {
    /// This node.
    pub node_id: NodeId,
    /// What lets workers in.
    pub worker_token: JoinToken,
    /// Where they find this manager.
    pub address: SocketAddr,
}

/// The wish to become a node of a cluster.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwarmJoin {
    /// What lets this node in, as worker or manager.
    pub token: JoinToken,
    /// A manager: address or host name, always with a port.
    pub remote: String,
    /// Where this node is.
    pub addresses: Addresses,
    /// UDP and TCP port of its gossip; it need not be that of the other nodes. `None`: 7946.
    #[serde(default)]
    pub gossip_port: Option<u16>,
    /// What it is wanted for.
    pub availability: Availability,
}

/// A cluster that was joined.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct SwarmJoined {
    /// This node.
    pub node_id: NodeId,
    /// As what; follows from the token.
    pub role: Role,
}

/// The wish to leave.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwarmLeave {
    /// Even if the cluster then has no manager, or too few to decide anything.
    #[serde(default)]
    pub force: bool,
}

/// How nodes of one role get in.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct JoinWay {
    /// As what.
    pub role: Role,
    /// What lets them in.
    pub token: JoinToken,
    /// A manager, this one if it is one.
    pub address: SocketAddr,
}

/// The certificate that every node trusts.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RootCa {
    /// The certificate, PEM with a newline at its end; during a rotation the new one.
    pub pem: String,
    /// When it ends, seconds since 1970.
    pub expires: u64,
    /// Nodes that still have certificates of an older root; 0 unless a rotation is under way.
    pub outdated_nodes: u64,
    /// Those of them that do not answer, by host name. The old root is trusted until they return, or are
    /// removed.
    #[serde(default)]
    pub absent: Vec<String>,
}

/// The generations of the secret that protects the gossip, without the secrets.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct GossipKeys {
    /// The generation that senders use.
    pub primary: u32,
    /// Every generation that is accepted, ascending.
    pub accepted: Vec<u32>,
    /// When the primary one was made, seconds since 1970.
    pub rotated: u64,
    /// Time between rotations, seconds.
    pub period_s: u64,
}

/// Changes of settings of the cluster; what is `None` stays.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwarmUpdate {
    /// How long nodes' certificates are valid, seconds.
    #[serde(default)]
    pub cert_expiry_s: Option<u64>,
    /// Time between rotations of the gossip's keys, seconds.
    #[serde(default)]
    pub key_rotation_s: Option<u64>,
}

impl SwarmUpdate {
    /// Shortest life of a certificate, seconds: nodes renew theirs in its second half.
    pub const LEAST_CERT_EXPIRY_S: u64 = 3_600;
    /// Shortest time between rotations, seconds: a generation must reach every node before it is used.
    pub const LEAST_KEY_ROTATION_S: u64 = 60;
}
