//! What the cluster wants, whoever says so.

use std::{collections::BTreeSet, net::IpAddr};

use super::{MacAddress, Network, Node, Vni};

/// The cluster as configuration or managers describe it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Desired {
    /// The underlay address of this node among `nodes`. Names need not be unique, addresses are.
    pub this: IpAddr,
    /// Every node, this one included, sorted by name.
    pub nodes: Vec<Node>,
    /// Every network that this node takes part in, sorted by name.
    pub networks: Vec<Network>,
    /// Those of them that nothing leaves for the outside.
    pub internal: BTreeSet<Vni>,
    /// Those of them that the underlay carries encrypted.
    pub encrypted: BTreeSet<Vni>,
    /// The network by which nodes send each other what came to published ports, whether this node takes part in
    /// it or not.
    pub ingress: Option<Vni>,
}

/// The node that has a single address which its blocks do not tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Exact {
    /// The node's underlay address.
    pub node: IpAddr,
    /// The Ethernet address where it is not the derived one.
    pub mac: Option<MacAddress>,
}

impl Desired {
    /// Whether a node is this one.
    pub fn is_this(&self, node: &Node) -> bool {
        node.address == self.this
    }

    /// This node's own entry.
    pub fn this_node(&self) -> Option<&Node> {
        self.node_at(self.this)
    }

    /// Every node but this one.
    pub fn others(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| !self.is_this(node))
    }

    /// The node with this underlay address.
    pub fn node_at(&self, address: IpAddr) -> Option<&Node> {
        self.nodes.iter().find(|node| node.address == address)
    }

    /// The network of this name.
    pub fn network(&self, name: &str) -> Option<&Network> {
        self.networks.iter().find(|network| network.name == name)
    }

    /// The network with this identifier.
    pub fn network_by_vni(&self, vni: Vni) -> Option<&Network> {
        self.networks.iter().find(|network| network.vni == vni)
    }
}
