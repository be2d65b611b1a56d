//! Endpoints of this node.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use super::{MacAddress, PublishedPort, ServiceId, Vni};

/// Which namespace a path led to when the endpoint was attached; a path can be reused, this cannot
/// while the namespace lives.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
pub struct NamespaceId {
    /// Device of nsfs.
    pub device: u64,
    /// Inode of the namespace.
    pub inode: u64,
}

/// An endpoint of this node: one container's interface in one network. Kept on disk, so that a
/// restarted agent knows what it has.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    /// 64 hexadecimal digits, unique.
    pub id: String,
    /// The container's name; unique on this node in its network.
    pub name: String,
    /// The network's name.
    pub network: String,
    /// The network's identifier.
    pub vni: Vni,
    /// IPv4 address and prefix length, if the network has an IPv4 subnet.
    pub ipv4: Option<(Ipv4Addr, u8)>,
    /// IPv6 address and prefix length, if the network has an IPv6 subnet.
    pub ipv6: Option<(Ipv6Addr, u8)>,
    /// Ethernet address of the container end.
    pub mac: MacAddress,
    /// Largest layer-3 packet, bytes.
    pub mtu: u32,
    /// Path of the network namespace as it was given.
    pub netns: PathBuf,
    /// The namespace itself.
    pub namespace: NamespaceId,
    /// By what the programs at sockets know the namespace; `None` if the kernel did not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<u64>,
    /// Name of the host end (`ov…`).
    pub host_interface: String,
    /// Index of the host end in the agent's namespace.
    pub host_ifindex: u32,
    /// Name of the container end (`eth0`, …).
    pub interface: String,
    /// When it was attached, seconds since 1970.
    pub created: u64,
    /// Why it is cut off: another node has won its address, or its network is gone. It keeps its
    /// interface, and nothing gets in or out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<String>,
    /// Other names under which it is found in this network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The service of which it is a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceId>,
    /// Whether its container goes into every network that its service is on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub follows_service: bool,
    /// Ports of this node at which it answers itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PublishedPort>,
    /// Whether the underlay carries its network encrypted. Kept here, so that no moment without a view of the cluster
    /// lets its packets out as they are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub encrypted: bool,
    /// Which of this node's transit addresses stands for it outside: a position in the pools, from 1 up;
    /// `None` if it has no way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transit: Option<u32>,
}

impl Attachment {
    /// Its addresses, IPv4 first.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let v4 = self.ipv4.map(|(address, _)| IpAddr::V4(address));
        let v6 = self.ipv6.map(|(address, _)| IpAddr::V6(address));
        v4.into_iter().chain(v6)
    }
}
