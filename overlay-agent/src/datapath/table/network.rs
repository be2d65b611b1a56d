//! `NETWORK`: what a node knows of a network.

use overlay_common::network::{NETWORK_ENCRYPTED, NETWORK_INTERNAL, Network};

use super::{address_or_none, flag, optional_address};
use crate::model::NetworkEntry;

/// As the map holds it.
pub(in crate::datapath) fn encode(entry: &NetworkEntry) -> Network {
    Network {
        gateway_ipv4: optional_address(entry.gateway_ipv4),
        gateway_ipv6: optional_address(entry.gateway_ipv6),
        mtu: entry.mtu,
        flags: flag(entry.is_internal, NETWORK_INTERNAL)
            | flag(entry.is_encrypted, NETWORK_ENCRYPTED),
    }
}

/// As the agent knows it.
pub(in crate::datapath) fn decode(value: &Network) -> NetworkEntry {
    NetworkEntry {
        gateway_ipv4: address_or_none(value.gateway_ipv4),
        gateway_ipv6: address_or_none(value.gateway_ipv6),
        mtu: value.mtu,
        is_internal: value.flags & NETWORK_INTERNAL != 0,
        is_encrypted: value.flags & NETWORK_ENCRYPTED != 0,
    }
}
