//! What the data plane knows of published ports.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::{Protocol, Vni};

/// Backends and services from this number on belong to single endpoints of this node, which publish
/// ports without a service.
pub const FIRST_LOCAL_NUMBER: u32 = 0x8000_0000;

/// Ports that masquerading gives to connections of containers, and that cannot be published: it does not
/// look at sockets, and an answer to such a connection would be taken for a client.
pub const MASQUERADE_PORTS: std::ops::RangeInclusive<u16> = 61_000..=65_535;

/// A port that this node answers from outside.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub struct PortKey {
    /// The only address of this node at which it is answered; `0.0.0.0` or `::` for all of that family.
    pub address: IpAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// The port, never 0.
    pub port: u16,
}

impl fmt::Display for PortKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            protocol,
            port,
        } = self;
        write!(f, "port {port}/{protocol} at {address}")
    }
}

/// The part of the rings' array that is one ring.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct RingSpan {
    /// The first slot; of a ring with [`Self::SINGLE`] slots the number of its backend.
    pub first: u32,
    /// Slots; 0 if there is no backend for new flows.
    pub size: u32,
}

impl RingSpan {
    /// The size of a ring with one backend that takes no slot.
    pub const SINGLE: u32 = u32::MAX;

    /// A ring with one backend.
    pub const fn single(backend: u32) -> Self {
        Self {
            first: backend,
            size: Self::SINGLE,
        }
    }
}

/// What answers at a published port.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct PortEntry {
    /// Backends on all nodes.
    pub everywhere: RingSpan,
    /// Those on this node.
    pub here: RingSpan,
    /// Number of the service.
    pub service: u32,
    /// The network in which the backends' addresses are.
    pub vni: Vni,
    /// Port of the backends, never 0.
    pub target: u16,
    /// Whether the backend's node answers the client itself.
    pub is_direct_return: bool,
    /// Whether only backends of this node answer.
    pub is_host: bool,
    /// Whether nodes encrypt what they send each other of it.
    pub is_encrypted: bool,
}

impl PortEntry {
    /// Whether it leads to a single endpoint of this node.
    pub fn is_local(&self) -> bool {
        self.service >= FIRST_LOCAL_NUMBER
    }
}
