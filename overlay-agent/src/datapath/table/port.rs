//! `PORT`: the ports that this node answers from outside.

use overlay_common::service::{
    self, PORT_DIRECT_RETURN, PORT_ENCRYPTED, PORT_HOST, PublishedPort, Ring,
};

use super::flag;
use crate::model::{PortEntry, PortKey, Protocol, RingSpan, Vni};

/// The key as the map holds it.
pub(in crate::datapath) fn encode_key(key: &PortKey) -> service::PortKey {
    service::PortKey {
        address: key.address.into(),
        port: key.port.to_be_bytes(),
        protocol: key.protocol.number(),
        _reserved: [0; 5],
    }
}

/// The key as the agent knows it; nothing for one that no agent writes.
pub(in crate::datapath) fn decode_key(key: &service::PortKey) -> Option<PortKey> {
    let protocols = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];
    let mut protocols = protocols.into_iter();
    let decoded = PortKey {
        address: key.address.into(),
        protocol: protocols.find(|protocol| protocol.number() == key.protocol)?,
        port: u16::from_be_bytes(key.port),
    };
    (encode_key(&decoded) == *key && decoded.port != 0).then_some(decoded)
}

/// The value as the map holds it.
pub(in crate::datapath) fn encode(entry: &PortEntry) -> PublishedPort {
    PublishedPort {
        everywhere: ring(entry.everywhere),
        here: ring(entry.here),
        service: entry.service,
        vni: entry.vni.into(),
        target: entry.target.to_be_bytes(),
        flags: flag(entry.is_direct_return, PORT_DIRECT_RETURN)
            | flag(entry.is_host, PORT_HOST)
            | flag(entry.is_encrypted, PORT_ENCRYPTED),
        _reserved: 0,
    }
}

/// The value as the agent knows it; nothing for one that no agent writes.
pub(in crate::datapath) fn decode(value: &PublishedPort) -> Option<PortEntry> {
    Some(PortEntry {
        everywhere: span(value.everywhere),
        here: span(value.here),
        service: value.service,
        vni: Vni::try_from(value.vni).ok()?,
        target: u16::from_be_bytes(value.target),
        is_direct_return: value.flags & PORT_DIRECT_RETURN != 0,
        is_host: value.flags & PORT_HOST != 0,
        is_encrypted: value.flags & PORT_ENCRYPTED != 0,
    })
}

/// A ring as the map holds it.
pub(super) fn ring(span: RingSpan) -> Ring {
    Ring {
        first: span.first,
        size: span.size,
    }
}

/// A ring as the agent knows it.
pub(super) fn span(ring: Ring) -> RingSpan {
    RingSpan {
        first: ring.first,
        size: ring.size,
    }
}
