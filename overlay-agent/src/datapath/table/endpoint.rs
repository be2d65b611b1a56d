//! `ENDPOINT`: the way into each container of this node.

use overlay_common::endpoint::{ENDPOINT_BALANCED, ENDPOINT_ENCRYPTED, Endpoint};

use super::flag;
use crate::model::{EndpointEntry, MacAddress};

/// As the map holds it.
pub(in crate::datapath) fn encode(entry: &EndpointEntry) -> Endpoint {
    Endpoint {
        ifindex: entry.ifindex,
        mtu: entry.mtu,
        mac: entry.mac.0,
        flags: flag(entry.balanced, ENDPOINT_BALANCED)
            | flag(entry.is_encrypted, ENDPOINT_ENCRYPTED),
    }
}

/// As the agent knows it.
pub(in crate::datapath) fn decode(value: &Endpoint) -> EndpointEntry {
    EndpointEntry {
        ifindex: value.ifindex,
        mac: MacAddress(value.mac),
        mtu: value.mtu,
        balanced: value.flags & ENDPOINT_BALANCED != 0,
        is_encrypted: value.flags & ENDPOINT_ENCRYPTED != 0,
    }
}
