//! The cluster as the managers tell it to every node.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

use super::{
    ClusterService, KeyRing, MacAddress, Member, Network, NetworkId, NodeId, ServiceId, TaskClaim,
    Vni,
};

/// A network with all that `network create` was told.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "they are what can be chosen")]
pub struct ClusterNetwork {
    /// Its identifier.
    pub id: NetworkId,
    /// Name, VNI, subnets, gateways and MTU.
    pub network: Network,
    /// Parts of the subnets from which endpoints without a wish get their addresses; empty: all.
    pub ranges: Vec<IpNet>,
    /// Whether containers that are no tasks may join it.
    pub attachable: bool,
    /// Whether it has no way out.
    pub internal: bool,
    /// Whether the underlay carries it encrypted.
    pub encrypted: bool,
    /// Whether it is the one by which nodes send each other what came to published ports.
    #[serde(default)]
    pub ingress: bool,
    /// Labels by name.
    pub labels: BTreeMap<String, String>,
    /// Driver options by name, as typed.
    pub options: BTreeMap<String, String>,
    /// When it was made, seconds since 1970.
    pub created: u64,
}

impl ClusterNetwork {
    /// The part of a subnet from which endpoints without a wish get their addresses.
    pub fn range_of(&self, subnet: IpNet) -> IpNet {
        let mut ranges = self.ranges.iter().copied();
        let range = ranges.find(|range| subnet.contains(range));
        range.unwrap_or(subnet)
    }
}

/// A block of a network's addresses that one node gives to its endpoints.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
pub struct Lease {
    /// The network.
    pub vni: Vni,
    /// The addresses.
    pub block: IpNet,
    /// Who has them.
    pub node: NodeId,
    /// Position in the managers' log at which it was given: orders claims on one address.
    pub index: u64,
}

/// Everything that a node needs to know, at one moment of the managers' log.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct ClusterView {
    /// Position in the managers' log; a later view has a greater one.
    pub index: u64,
    /// Every node, by identifier.
    pub members: BTreeMap<NodeId, Member>,
    /// Every network, by VNI.
    pub networks: BTreeMap<Vni, ClusterNetwork>,
    /// Every lease, in the order of networks and blocks.
    pub leases: BTreeSet<Lease>,
    /// Every service, by identifier.
    #[serde(default)]
    pub services: BTreeMap<ServiceId, ClusterService>,
    /// UDP port of VXLAN.
    pub data_path_port: u16,
    /// What protects the gossip.
    pub keys: KeyRing,
    /// Who vouches for nodes.
    #[serde(default)]
    pub roots: Roots,
}

/// Certificate authorities of the cluster.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Roots {
    /// The name of the one that signs: a node whose certificate is another's asks for a new one.
    pub signer: String,
    /// The certificates that are trusted, PEM.
    pub bundle: String,
}

impl ClusterView {
    /// The network of this name.
    pub fn network(&self, name: &str) -> Option<&ClusterNetwork> {
        self.networks
            .values()
            .find(|network| network.network.name == name)
    }

    /// The service of this name, which counts without its case as all names in DNS do; else of this
    /// identifier.
    pub fn service(&self, name: &str) -> Option<&ClusterService> {
        let mut services = self.services.values();
        let named = services.find(|service| service.name.eq_ignore_ascii_case(name));
        named.or_else(|| self.services.get(&name.parse().ok()?))
    }

    /// The network that carries what comes to published ports.
    pub fn ingress(&self) -> Option<&ClusterNetwork> {
        self.networks.values().find(|network| network.ingress)
    }

    /// The leases of a network, in the order of blocks.
    pub fn leases_of(&self, vni: Vni) -> impl Iterator<Item = &Lease> {
        let first = Lease {
            vni,
            block: IpNet::V4(Ipv4Net::default()),
            node: NodeId::from_random(0),
            index: 0,
        };
        let from_there = self.leases.range(first..);
        from_there.take_while(move |lease| lease.vni == vni)
    }

    /// The blocks of a node in a network.
    pub fn blocks(&self, node: NodeId, vni: Vni) -> impl Iterator<Item = IpNet> + '_ {
        self.leases_of(vni)
            .filter(move |lease| lease.node == node)
            .map(|lease| lease.block)
    }
}

/// One address of an endpoint, as its node tells it to the others.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
pub struct Claim {
    /// The network.
    pub vni: Vni,
    /// The address.
    pub address: IpAddr,
    /// The endpoint's name.
    pub name: String,
    /// The endpoint's identifier.
    pub endpoint: String,
    /// Its Ethernet address where it is not the derived one.
    pub mac: Option<MacAddress>,
    /// Other names under which it is found in this network.
    pub aliases: Vec<String>,
    /// Its part in a service.
    pub task: Option<TaskClaim>,
    /// Position in the managers' log when the address was claimed; of two claims on one address the
    /// greater wins, and of two equal ones that of the greater node identifier.
    pub index: u64,
}

/// What the gossip has found out about the other nodes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Observed {
    /// Nodes that do not answer. Their endpoints are left out below.
    pub failed: BTreeSet<NodeId>,
    /// The winning claims of the nodes that do, by network and address, without this node's own.
    pub claims: BTreeMap<(Vni, IpAddr), (NodeId, Claim)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leases_of_a_network_and_of_no_other() {
        let lease = |vni: u32, block: &str, node: u128| Lease {
            vni: Vni::try_from(vni).unwrap(),
            block: block.parse().unwrap(),
            node: NodeId::from_random(node),
            index: 7,
        };
        let view = ClusterView {
            leases: [
                lease(4095, "10.0.0.0/30", 1),
                lease(4096, "0.0.0.0/0", 0),
                lease(4096, "10.0.0.4/30", 1),
                lease(4096, "10.0.0.8/30", 2),
                lease(4096, "fd00::/122", 1),
                lease(4097, "10.0.0.4/30", 1),
            ]
            .into(),
            ..ClusterView::default()
        };
        let vni = Vni::try_from(4096).unwrap();

        assert_eq!(view.leases_of(vni).count(), 4);
        let blocks: Vec<IpNet> = view.blocks(NodeId::from_random(1), vni).collect();
        assert_eq!(format!("{blocks:?}"), "[10.0.0.4/30, fd00::/122]");
    }
}
