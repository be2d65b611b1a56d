//! The agent at a glance.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{ClusterStatus, EncryptionStatus, NamesStatus};
use crate::model::Encap;

/// Where networks and peers come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The configuration file.
    Static,
    /// The managers and the gossip of a cluster.
    Swarm,
    /// Nowhere yet: this node is in no cluster.
    None,
}

/// How programs are attached.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttachKind {
    /// TCX links (Linux 6.6).
    Tcx,
    /// Filters of a clsact queueing discipline.
    Clsact,
}

/// The agent and its data plane.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// This node's name.
    pub node: String,
    /// Where networks and peers come from.
    pub mode: Mode,
    /// The agent's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// How long it has run, seconds.
    pub uptime_s: u64,
    /// Version of the maps' layout.
    pub abi: u32,
    /// The kernel's release.
    pub kernel: String,
    /// How programs are attached.
    pub attach: AttachKind,
    /// How services are balanced.
    #[serde(default)]
    pub balancing: Balancing,
    /// How packets are encapsulated here: `Native` or `Device`.
    pub encap: Encap,
    /// UDP port of VXLAN.
    pub port: u16,
    /// This node's data-path address.
    pub address: IpAddr,
    /// Endpoints of this node.
    pub endpoints: u64,
    /// Networks.
    pub networks: u64,
    /// Other nodes.
    pub peers: u64,
    /// Exact routes.
    pub routes: u64,
    /// Block routes.
    pub blocks: u64,
    /// How long the last full programming of the maps took, milliseconds.
    pub programmed_ms: u64,
    /// How full the maps are.
    pub maps: Vec<MapUse>,
    /// What audits found so far.
    pub audit: AuditSummary,
    /// What this kernel lacks.
    pub missing_features: Vec<MissingFeature>,
    /// Names for containers; `None` where they are switched off, and before this node has its place in a
    /// cluster.
    #[serde(default)]
    pub names: Option<NamesStatus>,
    /// Encryption; `None` outside a swarm.
    #[serde(default)]
    pub encryption: Option<EncryptionStatus>,
    /// The cluster; `None` outside one.
    #[serde(default)]
    pub cluster: Option<ClusterStatus>,
}

/// How services are balanced: as configured and as the kernel allows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Balancing {
    /// Once for each socket.
    pub sockets: bool,
    /// Packet by packet.
    pub packets: bool,
}

/// One map.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct MapUse {
    /// Its name.
    pub name: String,
    /// Entries in it.
    pub entries: u64,
    /// Entries that fit.
    pub max_entries: u64,
    /// Kernel memory, bytes.
    pub bytes: u64,
}

/// All audits since the agent started.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct AuditSummary {
    /// How many ran.
    pub runs: u64,
    /// When the last one ended, seconds since 1970; `None` before the first.
    pub last_unix_s: Option<u64>,
    /// Repairs by all of them.
    pub repaired_total: u64,
    /// Repairs by the last one.
    pub last_repaired: u64,
}

/// A kernel feature that is not there.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct MissingFeature {
    /// Its name, with the release that brought it.
    pub feature: String,
    /// What its absence costs.
    pub costs: String,
}
