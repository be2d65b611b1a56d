//! Networks as this node sees them.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::EndpointInfo;
use crate::model::{ClusterNetwork, MacAddress, Network, NetworkId, TaskState, Vni};

/// The only driver, as Docker calls it.
pub const DRIVER: &str = "overlay";

/// A network.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "they are Docker's keys")]
pub struct NetworkInfo {
    /// Its identifier in the cluster; `None` for one of a configuration file.
    pub id: Option<NetworkId>,
    /// Its name.
    pub name: String,
    /// When it was made, seconds since 1970; `None` for one of a configuration file.
    pub created: Option<u64>,
    /// Who knows it.
    pub scope: NetworkScope,
    /// [`DRIVER`].
    pub driver: String,
    /// What separates its packets from other networks'.
    pub vni: Vni,
    /// Its subnets.
    pub subnets: Vec<IpNet>,
    /// One gateway for each subnet, in the same order.
    pub gateways: Vec<IpAddr>,
    /// Parts of the subnets from which endpoints without a wish get their addresses; empty: all.
    pub ranges: Vec<IpNet>,
    /// Largest layer-3 packet, bytes: as configured, else what the underlay leaves.
    pub mtu: u32,
    /// Whether it has an IPv4 subnet.
    pub enable_ipv4: bool,
    /// Whether it has an IPv6 subnet.
    pub enable_ipv6: bool,
    /// Whether it has no way out.
    pub internal: bool,
    /// Whether containers that are no tasks may join it.
    pub attachable: bool,
    /// Whether nodes send each other by it what came to published ports.
    #[serde(default)]
    pub ingress: bool,
    /// Whether the underlay carries it encrypted.
    pub encrypted: bool,
    /// Driver options by name, as typed.
    pub options: BTreeMap<String, String>,
    /// Labels by name.
    pub labels: BTreeMap<String, String>,
    /// Its endpoints on this node, sorted by name, or those of all nodes; only when one network is
    /// asked for.
    #[serde(default)]
    pub containers: Vec<NetworkContainer>,
    /// Nodes that have addresses in it, sorted by name; only when one network is asked for.
    #[serde(default)]
    pub peers: Vec<NetworkPeer>,
    /// Services that are on it, by name; only when those of every node are asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, NetworkService>,
}

/// Who knows a network.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkScope {
    /// This node, from its configuration file.
    Local,
    /// Every node of the cluster.
    Swarm,
}

/// Whose containers are listed when one network is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Breadth {
    /// Those of this node.
    Node,
    /// Those of every node.
    Cluster,
}

impl NetworkInfo {
    /// A network of a configuration file, without containers and peers; `mtu` is the one in force.
    pub fn of_file(network: &Network, mtu: u32) -> Self {
        let has_family = |is_ipv4| {
            let mut subnets = network.subnets.iter();
            subnets.any(|subnet| matches!(subnet, IpNet::V4(_)) == is_ipv4)
        };
        Self {
            id: None,
            name: network.name.clone(),
            created: None,
            scope: NetworkScope::Local,
            driver: DRIVER.to_owned(),
            vni: network.vni,
            subnets: network.subnets.clone(),
            gateways: network.gateways.clone(),
            ranges: Vec::new(),
            mtu,
            enable_ipv4: has_family(true),
            enable_ipv6: has_family(false),
            internal: false,
            attachable: true,
            ingress: false,
            encrypted: false,
            options: BTreeMap::new(),
            labels: BTreeMap::new(),
            containers: Vec::new(),
            peers: Vec::new(),
            services: BTreeMap::new(),
        }
    }

    /// A network of the cluster, likewise.
    pub fn of_cluster(network: &ClusterNetwork, mtu: u32) -> Self {
        Self {
            id: Some(network.id),
            created: Some(network.created),
            scope: NetworkScope::Swarm,
            ranges: network.ranges.clone(),
            internal: network.internal,
            attachable: network.attachable,
            ingress: network.ingress,
            encrypted: network.encrypted,
            options: network.options.clone(),
            labels: network.labels.clone(),
            ..Self::of_file(&network.network, mtu)
        }
    }
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
    /// Host name of its node; only where those of every node are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

impl From<&EndpointInfo> for NetworkContainer {
    fn from(endpoint: &EndpointInfo) -> Self {
        Self {
            id: endpoint.id.clone(),
            name: endpoint.name.clone(),
            ipv4: endpoint.ipv4,
            ipv6: endpoint.ipv6,
            mac: endpoint.mac,
            node: None,
        }
    }
}

/// A service as one of its networks lists it, with Docker's keys.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct NetworkService {
    /// Its virtual addresses here, IPv4 first.
    pub vip: Vec<IpAddr>,
    /// Its published ports, as Docker tells them: `Target: 80, Publish: 8080`.
    pub ports: Vec<String>,
    /// Its tasks here, sorted by name.
    pub tasks: Vec<NetworkTask>,
}

/// A task as one of its networks lists it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NetworkTask {
    /// The container's name.
    pub name: String,
    /// The endpoint's identifier.
    pub endpoint_id: String,
    /// Its addresses, IPv4 first.
    pub endpoint_ip: Vec<IpAddr>,
    /// Host name of its node.
    pub node: String,
    /// Whether it takes flows.
    pub state: TaskState,
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
