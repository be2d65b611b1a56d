//! `INTERFACE`: what a container of this node may send as.

use overlay_common::interface::{INTERFACE_ENCRYPTED, Interface};

use super::{address_or_none, flag, optional_address};
use crate::model::{InterfaceEntry, MacAddress, Vni};

/// As the map holds it.
pub(in crate::datapath) fn encode(entry: &InterfaceEntry) -> Interface {
    Interface {
        vni: entry.vni.into(),
        ipv4: optional_address(entry.ipv4),
        ipv6: optional_address(entry.ipv6),
        transit_ipv4: optional_address(entry.transit_ipv4),
        transit_ipv6: optional_address(entry.transit_ipv6),
        mac: entry.mac.0,
        flags: flag(entry.is_encrypted, INTERFACE_ENCRYPTED),
        _reserved: [0; 4],
    }
}

/// As the agent knows it; nothing for a VNI that no network can have.
pub(in crate::datapath) fn decode(value: &Interface) -> Option<InterfaceEntry> {
    Some(InterfaceEntry {
        vni: Vni::try_from(value.vni).ok()?,
        ipv4: address_or_none(value.ipv4),
        ipv6: address_or_none(value.ipv6),
        mac: MacAddress(value.mac),
        transit_ipv4: address_or_none(value.transit_ipv4),
        transit_ipv6: address_or_none(value.transit_ipv6),
        is_encrypted: value.flags & INTERFACE_ENCRYPTED != 0,
    })
}
