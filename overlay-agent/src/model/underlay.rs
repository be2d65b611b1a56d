//! What the host's own network says about a peer.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The way to a peer over the underlay.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Way {
    /// The underlay device.
    pub ifindex: u32,
    /// The gateway, or the peer itself where it is on the link.
    pub next_hop: IpAddr,
    /// Largest outer layer-3 packet, bytes: the route's MTU, else the device's.
    pub mtu: u32,
    /// Whether the device carries Ethernet frames; only there can the program write outer headers.
    pub is_ethernet: bool,
}
