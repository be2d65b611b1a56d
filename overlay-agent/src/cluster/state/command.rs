//! What the managers agree on, one entry of their log at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{CreateService, Family, Pool, Secret, ServiceEdit, Times};
use crate::model::{Availability, ClusterId, NetworkId, NodeId, Role, ServiceId};

/// An entry of the log. A new form gets a new variant; old ones stay, for they are on disks.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// The first form.
    V1(Request),
}

/// A change that someone asked for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Random bits of whoever asks: asked again with the same ones, it is answered as before and not
    /// done again.
    pub id: u128,
    /// When it was asked, seconds since 1970.
    pub at: u64,
    /// What is to change.
    pub change: Change,
}

impl Command {
    /// An entry in the newest form.
    pub fn new(id: u128, at: u64, change: Change) -> Self {
        Self::V1(Request { id, at, change })
    }
}

/// What can change.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// The cluster begins. Its first node joins by a [`Change::Join`] of its own.
    Init(Box<Init>),
    /// One manager goes on alone with what it has; all others become workers.
    ForceNewCluster {
        /// The manager that goes on.
        node: NodeId,
    },
    /// A node comes, or comes back with other addresses.
    Join(Box<Join>),
    /// A node goes of its own accord. It stays in the list until it is removed.
    Leave {
        /// Who goes.
        node: NodeId,
        /// Even if the managers lose their majority.
        force: bool,
        /// Nodes that do not answer.
        down: BTreeSet<NodeId>,
    },
    /// A node becomes a manager or a worker.
    SetRole {
        /// Which one.
        node: NodeId,
        /// What it becomes.
        role: Role,
        /// Nodes that do not answer.
        down: BTreeSet<NodeId>,
    },
    /// A node is wanted for something else.
    SetAvailability {
        /// Which one.
        node: NodeId,
        /// What it is wanted for.
        availability: Availability,
    },
    /// A node gets and loses labels.
    SetLabels {
        /// Which one.
        node: NodeId,
        /// New ones, or old ones with other values.
        add: BTreeMap<String, String>,
        /// Names of those that go.
        remove: BTreeSet<String>,
    },
    /// A node is taken out. The gossip changes its key at once.
    RemoveNode {
        /// Which one.
        node: NodeId,
        /// Even if it answers.
        force: bool,
        /// Whether it answers.
        is_down: bool,
        /// 256 random bits.
        secret: Secret<[u8; 32]>,
    },
    /// A join token loses its worth, another takes its place.
    RotateToken {
        /// The role it gives.
        role: Role,
        /// The new token's secret.
        secret: Secret<String>,
    },
    /// Certificates are signed by another authority from now on; both are trusted.
    StartAuthorityRotation {
        /// The one to come.
        next: Authority,
        /// Certificates that are trusted meanwhile, PEM.
        bundle: String,
    },
    /// A node got a certificate.
    ReportCertificate {
        /// Which one.
        node: NodeId,
        /// The authority that signed it, by the name that [`Authority::name`] has.
        authority: String,
    },
    /// Only the new authority is trusted from now on.
    FinishAuthorityRotation {
        /// Even if nodes still have certificates of the old one.
        force: bool,
    },
    /// The gossip's keys move on by one generation.
    RotateKeys {
        /// 256 random bits.
        secret: Secret<[u8; 32]>,
    },
    /// Generations older than one are accepted no longer.
    RetireKeys {
        /// The oldest that stays.
        oldest: u32,
    },
    /// A network comes into being.
    CreateNetwork(Box<CreateNetwork>),
    /// A network goes.
    RemoveNetwork {
        /// Which one.
        network: NetworkId,
        /// How many endpoints it is known to have.
        endpoints: u64,
    },
    /// A node needs more addresses in a network.
    LeaseBlocks {
        /// Which node.
        node: NodeId,
        /// Which network.
        network: NetworkId,
        /// One block for each; all are given or none.
        families: BTreeSet<Family>,
    },
    /// A node needs this very address.
    LeaseAddress {
        /// Which node.
        node: NodeId,
        /// Which network.
        network: NetworkId,
        /// The address.
        address: IpAddr,
    },
    /// A node gives addresses back: leases, or parts of them.
    GiveBack {
        /// Which node.
        node: NodeId,
        /// Which network.
        network: NetworkId,
        /// Leases or parts of leases.
        blocks: BTreeSet<IpNet>,
    },
    /// Addresses of nodes that left or were removed long enough ago become free.
    Reap {
        /// How long ago, seconds.
        after: u64,
    },
    /// Times are chosen; what is left open stays.
    SetTimes(Times),
    /// A service comes into being.
    CreateService(Box<CreateService>),
    /// A service becomes another.
    UpdateService {
        /// Which one.
        service: ServiceId,
        /// What changes.
        edit: Box<ServiceEdit>,
    },
    /// A service goes.
    RemoveService {
        /// Which one.
        service: ServiceId,
    },
}

/// What a cluster begins with.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Init {
    /// The cluster.
    pub cluster: ClusterId,
    /// Where networks without `--subnet` get theirs; a family with none gets its default.
    pub pools: Vec<Pool>,
    /// UDP port of VXLAN.
    pub data_path_port: u16,
    /// Who signs certificates.
    pub authority: Authority,
    /// The secret of the token that makes workers.
    pub worker_token: Secret<String>,
    /// The secret of the token that makes managers.
    pub manager_token: Secret<String>,
    /// 256 random bits, the first key of the gossip.
    pub gossip_secret: Secret<[u8; 32]>,
    /// 128 random bits as the identifier of the ingress network. In logs that are older than that network
    /// there is none: who leads such a cluster makes it later.
    #[serde(default)]
    pub ingress: Option<NetworkId>,
}

/// A certificate authority, opaque to the state.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Authority {
    /// What tells it from others, such as the digest of its certificate.
    pub name: String,
    /// Its own certificate, PEM.
    pub certificate: String,
    /// What it signs with.
    pub material: Secret<String>,
}

/// A node that comes.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Join {
    /// Its identifier.
    pub node: NodeId,
    /// The host's name.
    pub hostname: String,
    /// What its token allows.
    pub role: Role,
    /// Outer source of its packets.
    pub data_path: IpAddr,
    /// Where it gossips.
    pub gossip: SocketAddr,
    /// Where it would answer as a manager.
    pub control: SocketAddr,
    /// Nodes that do not answer: their data-path addresses may be taken over.
    pub down: BTreeSet<NodeId>,
    /// What it is wanted for; one that comes back is wanted for what it was.
    #[serde(default)]
    pub availability: Availability,
}

/// `network create`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct CreateNetwork {
    /// 128 random bits as an identifier.
    pub id: NetworkId,
    /// Its name.
    pub name: String,
    /// `--subnet`; a family that is wanted and has none gets one of the default pools.
    pub subnets: Vec<IpNet>,
    /// `--ip-range`, each inside a subnet.
    pub ranges: Vec<IpNet>,
    /// `--gateway`, each inside a subnet; a subnet with none has its first host address.
    pub gateways: Vec<IpAddr>,
    /// Addresses that are never given away (`--aux-address`).
    pub kept: Vec<IpAddr>,
    /// Families that it has also without `--subnet`: IPv4, and IPv6 with `--ipv6`.
    pub families: BTreeSet<Family>,
    /// `--internal`.
    pub internal: bool,
    /// `--attachable`.
    pub attachable: bool,
    /// `--ingress`: nodes send each other by it what came to published ports.
    #[serde(default)]
    pub ingress: bool,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `--opt`; unknown ones are kept.
    pub options: BTreeMap<String, String>,
    /// Routes of the host that asks: subnets must not overlap them. Default routes do not count.
    pub host_routes: Vec<IpNet>,
}
