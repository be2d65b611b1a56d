//! Entries as maps hold them → rows. What no agent would write means nothing.

use aya::maps::lpm_trie;
use overlay_common::{
    address::Address,
    endpoint::{Endpoint, EndpointKey},
    interface::Interface,
    network::Network,
    node::Node,
    peer::Peer,
    route::{BlockKey, Route},
    service::{Backend, PortKey, PublishedPort, SLOTS, Slots, Vip},
    socket::Namespace,
};

use crate::{
    control::Row,
    model::{BackendId, NodeEntry, PeerId, Vni},
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

/// `OWN_ADDRESS`.
pub(in crate::datapath) fn own_address(key: Address, ifindex: u32) -> Row {
    Row::OwnAddress(key.into(), ifindex)
}

/// `PORT`.
pub(in crate::datapath) fn port(key: PortKey, value: PublishedPort) -> Option<Row> {
    let key = super::port::decode_key(&key)?;
    Some(Row::Port(key, super::port::decode(&value)?))
}

/// `VIP`.
pub(in crate::datapath) fn vip(key: EndpointKey, value: Vip) -> Option<Row> {
    let place = super::place(&key)?;
    Some(Row::Vip(place, super::vip::decode(&value)))
}

/// `BACKEND`.
pub(in crate::datapath) fn backend(id: u32, value: Backend) -> Option<Row> {
    let entry = super::backend::decode(&value)?;
    (id != 0).then_some(Row::Backend(BackendId(id), entry))
}

/// `RING`; nothing where no slot holds a backend.
pub(in crate::datapath) fn slots(entry: u32, value: &Slots) -> Option<Row> {
    let is_empty = value.backends == [0; SLOTS];
    (!is_empty).then_some(Row::Slots(entry, value.backends))
}

/// `TRANSIT`.
pub(in crate::datapath) fn transit(key: Address, value: EndpointKey) -> Option<Row> {
    let place = super::place(&value)?;
    Some(Row::Transit(key.into(), place))
}

/// `NODE`; nothing where nothing was written.
pub(in crate::datapath) fn node(value: &Node) -> Option<Row> {
    let entry = super::node::decode(value);
    (super::node::encode(&NodeEntry::default()) != *value).then_some(Row::Node(entry))
}

/// `NAMESPACE`.
pub(in crate::datapath) fn namespace(cookie: u64, value: Namespace) -> Option<Row> {
    let entry = super::namespace::decode(&value)?;
    Some(Row::Namespace(cookie, entry))
}
