//! What a node knows of a network besides its addresses.

use crate::{address::Address, shared::shared};

shared! {
    /// Value, keyed by the VNI (`u32`, host byte order).
    pub struct Network [40] {
        /// Gateway, answered to ARP by the data plane (mapped), or `::`.
        pub gateway_ipv4: Address,
        /// Gateway, answered to neighbour discovery by the data plane, or `::`.
        pub gateway_ipv6: Address,
        /// Largest layer-3 packet inside the network, bytes.
        pub mtu: u32,
        /// `NETWORK_` flags.
        pub flags: u32,
    }
}

/// [`Network::flags`]: nothing leaves it for the outside.
pub const NETWORK_INTERNAL: u32 = 1;
/// [`Network::flags`]: its packets are encrypted on the underlay.
pub const NETWORK_ENCRYPTED: u32 = 2;

/// The Ethernet address with which every network's gateway answers (locally administered).
pub const GATEWAY_MAC: [u8; 6] = [0x02, 0x42, 0x00, 0x00, 0x00, 0x01];
