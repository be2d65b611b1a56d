//! Entries as maps hold them → rows. What no agent would write means nothing.

use aya::maps::lpm_trie;
use overlay_common::{
    address::Address,
    endpoint::{Endpoint, EndpointKey},
    interface::Interface,
    network::Network,
    peer::Peer,
    route::{BlockKey, Route},
    socket::Namespace,
};

use crate::{
    control::Row,
    model::{PeerId, Vni},
};

/// `PEER`.
pub(in crate::datapath) fn peer(id: u32, value: Peer) -> Row {
    Row::Peer(PeerId(id), super::peer::decode(&value))
}

/// `PEER_BY_ADDR`.
pub(in crate::datapath) fn peer_address(key: Address, value: u32) -> Row {
    let (address, id) = super::peer_address::decode(key, value);
    Row::PeerAddress(address, id)
}

/// `NETWORK`.
pub(in crate::datapath) fn network(vni: u32, value: Network) -> Option<Row> {
    let vni = Vni::try_from(vni).ok()?;
    Some(Row::Network(vni, super::network::decode(&value)))
}

/// `ROUTE`.
pub(in crate::datapath) fn route(key: EndpointKey, value: Route) -> Option<Row> {
    let place = super::place(&key)?;
    Some(Row::Route(place, super::route::decode(&value)))
}

/// `BLOCK`.
pub(in crate::datapath) fn block(key: lpm_trie::Key<BlockKey>, value: Route) -> Option<Row> {
    let (vni, block) = super::block::decode(&key)?;
    Some(Row::Block(vni, block, super::route::decode(&value)))
}

/// `INTERFACE`.
pub(in crate::datapath) fn interface(ifindex: u32, value: Interface) -> Option<Row> {
    let entry = super::interface::decode(&value)?;
    Some(Row::Interface(ifindex, entry))
}

/// `ENDPOINT`.
pub(in crate::datapath) fn endpoint(key: EndpointKey, value: Endpoint) -> Option<Row> {
    let place = super::place(&key)?;
    Some(Row::Endpoint(place, super::endpoint::decode(&value)))
}

/// `NAMESPACE`.
pub(in crate::datapath) fn namespace(cookie: u64, value: Namespace) -> Option<Row> {
    let entry = super::namespace::decode(&value)?;
    Some(Row::Namespace(cookie, entry))
}
