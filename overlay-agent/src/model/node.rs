//! The hosts of a cluster.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{MacAddress, Vni};

/// How packets to peers get their outer headers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encap {
    /// By the program itself.
    Native,
    /// By the kernel's collect-metadata vxlan device.
    Device,
    /// Native where the kernel and the underlay device can, else by the device.
    #[default]
    Auto,
}

/// How programs are attached to devices.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attach {
    /// By TCX links (Linux 6.6).
    Tcx,
    /// By filters of a clsact queueing discipline.
    Clsact,
    /// By TCX links where the kernel has them, else by filters.
    #[default]
    Auto,
}

/// A host that takes part.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its name; unique in a configuration file, not in a cluster with managers.
    pub name: String,
    /// Its data-path address on the underlay, unique: the outer source of what it sends.
    pub address: IpAddr,
    /// Address blocks from which it gives addresses to its endpoints, by network.
    pub blocks: BTreeMap<Vni, Vec<IpNet>>,
    /// Single addresses that it has, outside or inside other nodes' blocks.
    pub endpoints: Vec<RemoteEndpoint>,
}

/// One address of another node.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
pub struct RemoteEndpoint {
    /// The network.
    pub vni: Vni,
    /// The address.
    pub address: IpAddr,
    /// Its Ethernet address where it is not the derived one.
    pub mac: Option<MacAddress>,
}
