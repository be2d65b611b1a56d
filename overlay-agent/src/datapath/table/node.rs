//! `NODE`: what the programs know of this node.

use overlay_common::node::Node;

use super::{mac_or_none, optional_mac};
use crate::model::{NodeEntry, Vni};

/// As the map holds it.
pub(in crate::datapath) fn encode(entry: &NodeEntry) -> Node {
    Node {
        gateway_ifindex: entry.gateway_ifindex,
        gateway_mtu: entry.gateway_mtu,
        ingress_vni: entry.ingress.map_or(0, u32::from),
        gateway_mac: optional_mac(entry.gateway_mac),
        _reserved: [0; 10],
        _reserved_too: 0,
    }
}

/// As the agent knows it.
pub(in crate::datapath) fn decode(value: &Node) -> NodeEntry {
    NodeEntry {
        gateway_ifindex: value.gateway_ifindex,
        gateway_mtu: value.gateway_mtu,
        ingress: Vni::try_from(value.ingress_vni).ok(),
        gateway_mac: mac_or_none(value.gateway_mac),
    }
}
