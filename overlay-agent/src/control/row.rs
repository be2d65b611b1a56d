//! One entry of one table, whichever table it is.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

use crate::model::{
    EndpointEntry, InterfaceEntry, NamespaceEntry, NetworkEntry, PeerEntry, PeerId, Place,
    RouteEntry, Vni,
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
    /// What each container may send as.
    Interface,
    /// The way into each container.
    Endpoint,
    /// Networks of each network namespace, by cookie.
    Namespace,
}

impl Table {
    /// Every table, so that what an entry refers to is in an earlier one: written in this order and
    /// cleared in the reverse one, no table ever names something that is not there.
    pub const ALL: [Self; 8] = [
        Self::Peer,
        Self::PeerAddress,
        Self::Network,
        Self::Route,
        Self::Block,
        Self::Interface,
        Self::Endpoint,
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
    /// In [`Table::Interface`].
    Interface(u32),
    /// In [`Table::Endpoint`].
    Endpoint(Place),
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
            Self::Interface(_) => Table::Interface,
            Self::Endpoint(_) => Table::Endpoint,
            Self::Namespace(_) => Table::Namespace,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(PeerId(number)) => write!(f, "{number}"),
            Self::PeerAddress(address) => address.fmt(f),
            Self::Network(vni) => write!(f, "vni {vni}"),
            Self::Route(place) | Self::Endpoint(place) => {
                write!(f, "{} in vni {}", place.address, place.vni)
            }
            Self::Block(vni, block) => write!(f, "{block} in vni {vni}"),
            Self::Interface(ifindex) => write!(f, "interface {ifindex}"),
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
    /// Of [`Table::Interface`].
    Interface(u32, InterfaceEntry),
    /// Of [`Table::Endpoint`].
    Endpoint(Place, EndpointEntry),
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
            Self::Interface(ifindex, _) => Key::Interface(ifindex),
            Self::Endpoint(place, _) => Key::Endpoint(place),
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
