//! `PEER_BY_ADDR`: which peer an outer source is.

use std::net::IpAddr;

use overlay_common::address::Address;

use crate::model::PeerId;

/// As the map holds it.
pub(in crate::datapath) fn encode(address: IpAddr, peer: PeerId) -> (Address, u32) {
    (address.into(), peer.0)
}

/// As the agent knows it.
pub(in crate::datapath) fn decode(key: Address, value: u32) -> (IpAddr, PeerId) {
    (key.into(), PeerId(value))
}
