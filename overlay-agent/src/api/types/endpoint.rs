//! Endpoints of this node, asked for and existing.

use std::{net::IpAddr, path::PathBuf};

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use crate::model::{
    Attachment, MacAddress, NamespaceId, PortWish, PublishedPort, ServiceId, TransitPools, Vni,
};

/// The wish for an endpoint.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachRequest {
    /// Path of the network namespace, absolute, as the agent sees it. Its loopback device is brought
    /// up as well.
    pub netns: PathBuf,
    /// The network's name.
    pub network: String,
    /// The container's name.
    pub name: String,
    /// Addresses that it must get, at most one of a family; the agent chooses the others from this
    /// node's blocks.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// Ethernet address, unless it follows from the IP address.
    #[serde(default)]
    pub mac: Option<MacAddress>,
    /// Name or identifier of the service of which it is a task; the service is on the network.
    #[serde(default)]
    pub service: Option<String>,
    /// Other names under which it is found in this network.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Ports of this node at which it answers itself.
    #[serde(default)]
    pub ports: Vec<PortWish>,
}

/// Whether an endpoint can be reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointState {
    /// Both ends of its link are up.
    Up,
    /// An end of its link is down.
    Down,
    /// Its namespace or its link is gone; the next audit takes the endpoint away.
    Gone,
    /// It is cut off, because another node has won its address or its network was removed.
    Conflict,
}

/// An endpoint of this node.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct EndpointInfo {
    /// 64 hexadecimal digits, unique.
    pub id: String,
    /// The container's name.
    pub name: String,
    /// The network's name.
    pub network: String,
    /// The network's identifier.
    pub vni: Vni,
    /// IPv4 address with the prefix length of its subnet.
    pub ipv4: Option<Ipv4Net>,
    /// IPv6 address with the prefix length of its subnet.
    pub ipv6: Option<Ipv6Net>,
    /// Ethernet address of the container end.
    pub mac: MacAddress,
    /// Largest layer-3 packet, bytes.
    pub mtu: u32,
    /// Path of the network namespace as it was given.
    pub netns: PathBuf,
    /// The namespace itself.
    pub namespace: NamespaceId,
    /// Name of the host end.
    pub host_interface: String,
    /// Index of the host end.
    pub host_ifindex: u32,
    /// Name of the container end.
    pub interface: String,
    /// When it was attached, seconds since 1970.
    pub created: u64,
    /// Whether it can be reached.
    pub state: EndpointState,
    /// Why it is cut off, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<String>,
    /// Other names under which it is found in this network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The service of which it is a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceId>,
    /// Ports of this node at which it answers itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PublishedPort>,
    /// What stands for it in this host, and so for its packets to and from outside; IPv4 first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transit: Vec<IpAddr>,
    /// What is odd about it, though it was attached; told once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl EndpointInfo {
    /// What is told about an attachment whose link is in this state. A prefix length that its family does not have is left out
    /// with its address.
    pub fn new(attachment: &Attachment, state: EndpointState, pools: TransitPools) -> Self {
        let ipv4 = attachment.ipv4;
        let ipv6 = attachment.ipv6;
        Self {
            id: attachment.id.clone(),
            name: attachment.name.clone(),
            network: attachment.network.clone(),
            vni: attachment.vni,
            ipv4: ipv4.and_then(|(address, length)| Ipv4Net::new(address, length).ok()),
            ipv6: ipv6.and_then(|(address, length)| Ipv6Net::new(address, length).ok()),
            mac: attachment.mac,
            mtu: attachment.mtu,
            netns: attachment.netns.clone(),
            namespace: attachment.namespace,
            host_interface: attachment.host_interface.clone(),
            host_ifindex: attachment.host_ifindex,
            interface: attachment.interface.clone(),
            created: attachment.created,
            state: match attachment.conflict {
                Some(_) => EndpointState::Conflict,
                None => state,
            },
            conflict: attachment.conflict.clone(),
            aliases: attachment.aliases.clone(),
            service: attachment.service,
            ports: attachment.ports.clone(),
            transit: attachment
                .addresses()
                .filter_map(|address| pools.stand_in(address, attachment.transit))
                .collect(),
            warnings: Vec::new(),
        }
    }

    /// Its addresses, IPv4 first.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let v4 = self.ipv4.map(|net| IpAddr::V4(net.addr()));
        let v6 = self.ipv6.map(|net| IpAddr::V6(net.addr()));
        v4.into_iter().chain(v6)
    }
}
