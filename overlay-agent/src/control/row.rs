//! One entry of one table, whichever table it is.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

use crate::model::{
    BackendEntry, BackendId, EndpointEntry, InterfaceEntry, NamespaceEntry, NetworkEntry,
    NodeEntry, PeerEntry, PeerId, Place, PortEntry, PortKey, RouteEntry, Slots, VipEntry, Vni,
};

/// The tables of the data plane.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Table {
    /// How each peer is reached.
    Peer,
    /// Which peer an outer source is.
    PeerAddress,
    /// Networks.
    Network,
    /// Exact routes.
    Route,
    /// Block routes.
    Block,
    /// Tasks of services.
    Backend,
    /// Which backend each slot of the services' rings stands for.
    Ring,
    /// What each container may send as.
    Interface,
    /// The way into each container.
    Endpoint,
    /// This node's own addresses.
    OwnAddress,
    /// Published ports.
    Port,
    /// Virtual addresses of services.
    Vip,
    /// What stands for each container outside.
    Transit,
    /// This node.
    Node,
    /// Networks of each network namespace, by cookie.
    Namespace,
}

impl Table {
    /// Every table, so that what an entry refers to is in an earlier one: written in this order and
    /// cleared in the reverse one, no table ever names something that is not there.
    pub const ALL: [Self; 15] = [
        Self::Peer,
        Self::PeerAddress,
        Self::Network,
        Self::Route,
        Self::Block,
        Self::Backend,
        Self::Ring,
        Self::Interface,
        Self::Endpoint,
        Self::OwnAddress,
        Self::Port,
        Self::Vip,
        Self::Transit,
        Self::Node,
        Self::Namespace,
    ];
}

/// What an entry is found by.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Key {
    /// In [`Table::Peer`].
    Peer(PeerId),
    /// In [`Table::PeerAddress`].
    PeerAddress(IpAddr),
    /// In [`Table::Network`].
    Network(Vni),
    /// In [`Table::Route`].
    Route(Place),
    /// In [`Table::Block`].
    Block(Vni, IpNet),
    /// In [`Table::Backend`].
    Backend(BackendId),
    /// In [`Table::Ring`]: so many [`Slots`] in.
    Slots(u32),
    /// In [`Table::Interface`].
    Interface(u32),
    /// In [`Table::Endpoint`].
    Endpoint(Place),
    /// In [`Table::OwnAddress`].
    OwnAddress(IpAddr),
    /// In [`Table::Port`].
    Port(PortKey),
    /// In [`Table::Vip`].
    Vip(Place),
    /// In [`Table::Transit`].
    Transit(IpAddr),
    /// The only one in [`Table::Node`].
    Node,
    /// In [`Table::Namespace`].
    Namespace(u64),
}

impl Key {
    /// The table it is a key of.
    pub fn table(&self) -> Table {
        match self {
            Self::Peer(_) => Table::Peer,
            Self::PeerAddress(_) => Table::PeerAddress,
            Self::Network(_) => Table::Network,
            Self::Route(_) => Table::Route,
            Self::Block(..) => Table::Block,
            Self::Backend(_) => Table::Backend,
            Self::Slots(_) => Table::Ring,
            Self::Interface(_) => Table::Interface,
            Self::Endpoint(_) => Table::Endpoint,
            Self::OwnAddress(_) => Table::OwnAddress,
            Self::Port(_) => Table::Port,
            Self::Vip(_) => Table::Vip,
            Self::Transit(_) => Table::Transit,
            Self::Node => Table::Node,
            Self::Namespace(_) => Table::Namespace,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(PeerId(number)) => write!(f, "{number}"),
            Self::PeerAddress(address) | Self::OwnAddress(address) | Self::Transit(address) => {
                address.fmt(f)
            }
            Self::Network(vni) => write!(f, "vni {vni}"),
            Self::Route(place) | Self::Endpoint(place) | Self::Vip(place) => {
                write!(f, "{} in vni {}", place.address, place.vni)
            }
            Self::Block(vni, block) => write!(f, "{block} in vni {vni}"),
            Self::Backend(BackendId(number)) => write!(f, "backend {number}"),
            Self::Slots(entry) => write!(f, "slots {entry}"),
            Self::Interface(ifindex) => write!(f, "interface {ifindex}"),
            Self::Port(port) => port.fmt(f),
            Self::Node => f.write_str("this node"),
            Self::Namespace(cookie) => write!(f, "cookie {cookie}"),
        }
    }
}

/// An entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Row {
    /// Of [`Table::Peer`].
    Peer(PeerId, PeerEntry),
    /// Of [`Table::PeerAddress`].
    PeerAddress(IpAddr, PeerId),
    /// Of [`Table::Network`].
    Network(Vni, NetworkEntry),
    /// Of [`Table::Route`].
    Route(Place, RouteEntry),
    /// Of [`Table::Block`].
    Block(Vni, IpNet, RouteEntry),
    /// Of [`Table::Backend`].
    Backend(BackendId, BackendEntry),
    /// Of [`Table::Ring`].
    Slots(u32, Slots),
    /// Of [`Table::Interface`].
    Interface(u32, InterfaceEntry),
    /// Of [`Table::Endpoint`].
    Endpoint(Place, EndpointEntry),
    /// Of [`Table::OwnAddress`]: the device from which its answers leave, or 0.
    OwnAddress(IpAddr, u32),
    /// Of [`Table::Port`].
    Port(PortKey, PortEntry),
    /// Of [`Table::Vip`].
    Vip(Place, VipEntry),
    /// Of [`Table::Transit`].
    Transit(IpAddr, Place),
    /// Of [`Table::Node`].
    Node(NodeEntry),
    /// Of [`Table::Namespace`].
    Namespace(u64, NamespaceEntry),
}

impl Row {
    /// What it is found by.
    pub fn key(&self) -> Key {
        match *self {
            Self::Peer(id, _) => Key::Peer(id),
            Self::PeerAddress(address, _) => Key::PeerAddress(address),
            Self::Network(vni, _) => Key::Network(vni),
            Self::Route(place, _) => Key::Route(place),
            Self::Block(vni, block, _) => Key::Block(vni, block),
            Self::Backend(id, _) => Key::Backend(id),
            Self::Slots(entry, _) => Key::Slots(entry),
            Self::Interface(ifindex, _) => Key::Interface(ifindex),
            Self::Endpoint(place, _) => Key::Endpoint(place),
            Self::OwnAddress(address, _) => Key::OwnAddress(address),
            Self::Port(key, _) => Key::Port(key),
            Self::Vip(place, _) => Key::Vip(place),
            Self::Transit(address, _) => Key::Transit(address),
            Self::Node(_) => Key::Node,
            Self::Namespace(cookie, _) => Key::Namespace(cookie),
        }
    }
}

/// One write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// Insert the entry, or overwrite the one with its key.
    Put(Row),
    /// Take the entry away.
    Remove(Key),
}
