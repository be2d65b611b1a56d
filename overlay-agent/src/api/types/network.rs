//! Networks as this node sees them.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::EndpointInfo;
use crate::model::{MacAddress, Vni};

/// A network.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NetworkInfo {
    /// Its name.
    pub name: String,
    /// Its identifier.
    pub vni: Vni,
    /// Its subnets.
    pub subnets: Vec<IpNet>,
    /// One gateway for each subnet, in the same order.
    pub gateways: Vec<IpAddr>,
    /// Largest layer-3 packet, bytes: as configured, else what the underlay leaves.
    pub mtu: u32,
    /// Its endpoints on this node, sorted by name; only when one network is asked for.
    #[serde(default)]
    pub containers: Vec<NetworkContainer>,
    /// Nodes that have addresses in it, sorted by name; only when one network is asked for.
    #[serde(default)]
    pub peers: Vec<NetworkPeer>,
}

/// An endpoint as its network lists it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NetworkContainer {
    /// The endpoint's identifier.
    pub id: String,
    /// The container's name.
    pub name: String,
    /// IPv4 address with prefix length.
    pub ipv4: Option<Ipv4Net>,
    /// IPv6 address with prefix length.
    pub ipv6: Option<Ipv6Net>,
    /// Ethernet address.
    pub mac: MacAddress,
}

impl From<&EndpointInfo> for NetworkContainer {
    fn from(endpoint: &EndpointInfo) -> Self {
        Self {
            id: endpoint.id.clone(),
            name: endpoint.name.clone(),
            ipv4: endpoint.ipv4,
            ipv6: endpoint.ipv6,
            mac: endpoint.mac,
        }
    }
}

/// Another node of a network.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NetworkPeer {
    /// The node's name.
    pub name: String,
    /// Its data-path address.
    pub address: IpAddr,
    /// Its address blocks in this network.
    pub blocks: Vec<IpNet>,
    /// How many single addresses it has besides.
    pub endpoints: u64,
}
