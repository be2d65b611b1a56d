//! What the maps of the data plane hold, in the agent's own terms.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{BackendEntry, BackendId, Encap, MacAddress, PortEntry, PortKey, Vni};

/// A peer's number in the tables, given by the agent; never 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub struct PeerId(pub u32);

impl PeerId {
    /// In a route: no node has the address, and it is the network's all the same.
    pub const NOBODY: Self = Self(0);
}

/// One address inside one network.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The network.
    pub vni: Vni,
    /// The address.
    pub address: IpAddr,
}

/// How a peer is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct PeerEntry {
    /// Outer source.
    pub local: IpAddr,
    /// Outer destination.
    pub remote: IpAddr,
    /// Next hop, device and MTU; `None` while the host has no way to it.
    pub next_hop: Option<IpAddr>,
    /// Underlay device, or 0.
    pub ifindex: u32,
    /// Largest outer packet, bytes.
    pub mtu: u32,
    /// `Native` or `Device`; `Auto` is decided before an entry is made.
    pub encap: Encap,
}

/// Where a remote address or block is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RouteEntry {
    /// The node that has it.
    pub peer: PeerId,
    /// Its Ethernet address where it is not the derived one.
    pub mac: Option<MacAddress>,
}

/// What the data plane knows of a network.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NetworkEntry {
    /// IPv4 gateway.
    pub gateway_ipv4: Option<IpAddr>,
    /// IPv6 gateway.
    pub gateway_ipv6: Option<IpAddr>,
    /// Largest layer-3 packet, bytes.
    pub mtu: u32,
    /// Whether nothing leaves it for the outside.
    pub is_internal: bool,
    /// Whether the underlay carries it encrypted.
    pub is_encrypted: bool,
}

/// The way into a container of this node.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct EndpointEntry {
    /// Host end of the veth pair.
    pub ifindex: u32,
    /// Ethernet address of the container end.
    pub mac: MacAddress,
    /// Largest layer-3 packet, bytes.
    pub mtu: u32,
    /// Whether its network has virtual addresses, so that answers may have to be rewritten.
    pub balanced: bool,
    /// Whether the underlay carries its network encrypted.
    pub is_encrypted: bool,
}

/// What a container of this node may send as.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct InterfaceEntry {
    /// The network.
    pub vni: Vni,
    /// IPv4 source.
    pub ipv4: Option<IpAddr>,
    /// IPv6 source.
    pub ipv6: Option<IpAddr>,
    /// Ethernet source.
    pub mac: MacAddress,
    /// What stands for the container outside, IPv4.
    pub transit_ipv4: Option<IpAddr>,
    /// The same, IPv6.
    pub transit_ipv6: Option<IpAddr>,
    /// Whether the underlay carries its network encrypted.
    pub is_encrypted: bool,
}

/// What the data plane knows of this node.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct NodeEntry {
    /// The far end of the gateway's pair, or 0 while there is no way out.
    pub gateway_ifindex: u32,
    /// Ethernet address of the near end.
    pub gateway_mac: Option<MacAddress>,
    /// Largest layer-3 packet on the way in, bytes.
    pub gateway_mtu: u32,
    /// The network by which nodes send each other what came from outside.
    pub ingress: Option<Vni>,
}

/// Networks of a namespace that the programs at sockets look at; packets of the others are balanced.
pub const NAMESPACE_NETWORKS: usize = 14;

/// What the programs at sockets know of a network namespace.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct NamespaceEntry {
    /// Whether it is the host's own.
    pub is_host: bool,
    /// Its networks in ascending order, then nothing.
    networks: [Option<Vni>; NAMESPACE_NETWORKS],
}

impl NamespaceEntry {
    /// The host's own namespace.
    pub const HOST: Self = Self {
        is_host: true,
        networks: [None; NAMESPACE_NETWORKS],
    };

    /// A container's namespace with these networks, or as many of them as there is room for.
    pub fn new(networks: impl IntoIterator<Item = Vni>) -> Self {
        let sorted: BTreeSet<Vni> = networks.into_iter().collect();
        let mut entry = Self::default();
        for (slot, vni) in entry.networks.iter_mut().zip(sorted) {
            *slot = Some(vni);
        }
        entry
    }

    /// Its networks.
    pub fn networks(&self) -> impl Iterator<Item = Vni> + '_ {
        self.networks.iter().copied().flatten()
    }

    /// The same namespace with one network more.
    #[must_use]
    pub fn with(&self, vni: Vni) -> Self {
        let is_host = self.is_host;
        Self {
            is_host,
            ..Self::new(self.networks().chain([vni]))
        }
    }

    /// The same namespace with one network less.
    #[must_use]
    pub fn without(&self, vni: Vni) -> Self {
        let is_host = self.is_host;
        Self {
            is_host,
            ..Self::new(self.networks().filter(|other| *other != vni))
        }
    }

    /// Whether there is nothing to know.
    pub fn is_empty(&self) -> bool {
        !self.is_host && self.networks().next().is_none()
    }
}

/// Tables that follow from the cluster: large, they change with it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RemoteTables {
    /// Peers by number.
    pub peers: BTreeMap<PeerId, PeerEntry>,
    /// Exact routes.
    pub routes: BTreeMap<Place, RouteEntry>,
    /// Block routes; the longest prefix wins, an exact route wins over all.
    pub blocks: BTreeMap<(Vni, IpNet), RouteEntry>,
    /// Networks.
    pub networks: BTreeMap<Vni, NetworkEntry>,
    /// This node's own addresses, each with the device from which its answers leave, or 0.
    pub own_addresses: BTreeMap<IpAddr, u32>,
    /// Ports that services publish.
    pub ports: BTreeMap<PortKey, PortEntry>,
}

/// Tables that follow from this node's own endpoints: small, they change with every attach.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LocalTables {
    /// Endpoints by address.
    pub endpoints: BTreeMap<Place, EndpointEntry>,
    /// Interfaces by index of the host end.
    pub interfaces: BTreeMap<u32, InterfaceEntry>,
    /// Ports that single endpoints publish.
    pub ports: BTreeMap<PortKey, PortEntry>,
    /// The endpoint behind each transit address.
    pub transit: BTreeMap<IpAddr, Place>,
    /// The endpoints behind them.
    pub backends: BTreeMap<BackendId, BackendEntry>,
    /// Network namespaces by cookie.
    pub namespaces: BTreeMap<u64, NamespaceEntry>,
}
