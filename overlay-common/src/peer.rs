//! How another node is reached over the underlay.

use crate::{address::Address, shared::shared};

shared! {
    /// Value, keyed by the peer's id (`u32`, given by the agent, never 0).
    pub struct Peer [64] {
        /// Outer source: the advertised data-path address of this node.
        pub local: Address,
        /// Outer destination.
        pub remote: Address,
        /// Next hop on the underlay: the remote itself, or a gateway; `::` lets the kernel look the route
        /// up for every packet.
        pub next_hop: Address,
        /// Index of the underlay device, or 0 while there is no way to the peer.
        pub ifindex: u32,
        /// Largest outer layer-3 packet on the way, bytes.
        pub mtu: u32,
        /// One of the `ENCAP_` numbers.
        pub encap: u32,
        /// Zero.
        pub _reserved: u32,
    }
}

/// [`Peer::encap`]: the program writes the outer headers itself.
pub const ENCAP_NATIVE: u32 = 1;
/// [`Peer::encap`]: the kernel's collect-metadata vxlan device writes them.
pub const ENCAP_DEVICE: u32 = 2;

/// Bytes that VXLAN adds to an inner layer-3 packet on an IPv4 underlay: outer IPv4, UDP, VXLAN and
/// inner Ethernet (RFC 7348).
pub const OVERHEAD_V4: u32 = 20 + 8 + 8 + 14;
/// The same on an IPv6 underlay.
pub const OVERHEAD_V6: u32 = 40 + 8 + 8 + 14;
