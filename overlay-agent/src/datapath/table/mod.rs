//! Entries as the agent knows them ↔ keys and values as the maps hold them, one file for each map.
//!
//! Every pair of functions is a round trip, which is what lets an audit compare what it reads with
//! what was planned.

pub(super) mod backend;
pub(super) mod block;
pub(super) mod endpoint;
pub(super) mod interface;
pub(super) mod meaning;
pub(super) mod namespace;
pub(super) mod network;
pub(super) mod node;
pub(super) mod peer;
pub(super) mod peer_address;
pub(super) mod port;
pub(super) mod route;
#[cfg(test)]
mod tests;
pub(super) mod vip;

use std::net::IpAddr;

use overlay_common::{
    address::{Address, Mac},
    endpoint::EndpointKey,
};

use crate::model::{MacAddress, Place, Vni};

/// The key of an address in a network.
pub(super) fn place_key(place: Place) -> EndpointKey {
    EndpointKey::new(place.vni.into(), place.address.into())
}

/// The address in a network behind a key; nothing for a key that no network can have.
pub(super) fn place(key: &EndpointKey) -> Option<Place> {
    let place = Place {
        vni: Vni::try_from(key.vni).ok()?,
        address: key.address.into(),
    };
    (place_key(place) == *key).then_some(place)
}

fn optional_address(address: Option<IpAddr>) -> Address {
    address.map_or(Address::UNSPECIFIED, Address::from)
}

fn address_or_none(address: Address) -> Option<IpAddr> {
    (!address.is_unspecified()).then(|| address.into())
}

/// A flag that is set, or none.
fn flag<T: Default>(is_set: bool, flag: T) -> T {
    if is_set { flag } else { T::default() }
}

fn optional_mac(mac: Option<MacAddress>) -> Mac {
    mac.map_or([0; 6], |mac| mac.0)
}

fn mac_or_none(mac: Mac) -> Option<MacAddress> {
    (mac != [0; 6]).then_some(MacAddress(mac))
}
