//! What the cluster wants, whoever says so.

use super::{Network, Node, Vni};

/// The cluster as configuration or managers describe it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Desired {
    /// The name of this node among `nodes`.
    pub this: String,
    /// Every node, this one included, sorted by name.
    pub nodes: Vec<Node>,
    /// Every network, sorted by name.
    pub networks: Vec<Network>,
}

impl Desired {
    /// This node's own entry.
    pub fn this_node(&self) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == self.this)
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
