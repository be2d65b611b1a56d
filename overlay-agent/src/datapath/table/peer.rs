//! `PEER`: how each peer is reached.

use overlay_common::peer::{ENCAP_DEVICE, ENCAP_NATIVE, Peer};

use super::{address_or_none, optional_address};
use crate::model::{Encap, PeerEntry};

/// As the map holds it.
pub(in crate::datapath) fn encode(entry: &PeerEntry) -> Peer {
    Peer {
        local: entry.local.into(),
        remote: entry.remote.into(),
        next_hop: optional_address(entry.next_hop),
        ifindex: entry.ifindex,
        mtu: entry.mtu,
        encap: match entry.encap {
            Encap::Native => ENCAP_NATIVE,
            Encap::Device => ENCAP_DEVICE,
            Encap::Auto => 0,
        },
        _reserved: 0,
    }
}

/// As the agent knows it. A mode that is none reads as `Auto`, which is never written.
pub(in crate::datapath) fn decode(value: &Peer) -> PeerEntry {
    PeerEntry {
        local: value.local.into(),
        remote: value.remote.into(),
        next_hop: address_or_none(value.next_hop),
        ifindex: value.ifindex,
        mtu: value.mtu,
        encap: match value.encap {
            ENCAP_NATIVE => Encap::Native,
            ENCAP_DEVICE => Encap::Device,
            _ => Encap::Auto,
        },
    }
}
