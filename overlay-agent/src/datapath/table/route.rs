//! `ROUTE`: which peer has a remote address.

use overlay_common::route::Route;

use super::{mac_or_none, optional_mac};
use crate::model::{PeerId, RouteEntry};

/// As the map holds it.
pub(in crate::datapath) fn encode(entry: &RouteEntry) -> Route {
    Route {
        peer: entry.peer.0,
        mac: optional_mac(entry.mac),
        _reserved: [0; 2],
    }
}

/// As the agent knows it.
pub(in crate::datapath) fn decode(value: &Route) -> RouteEntry {
    RouteEntry {
        peer: PeerId(value.peer),
        mac: mac_or_none(value.mac),
    }
}
