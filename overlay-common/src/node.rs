//! What the programs know of this node, and may change while they run.

use crate::{address::Mac, shared::shared};

shared! {
    /// The only entry of `NODE`.
    pub struct Node [32] {
        /// The device into which packets for the outside are redirected: the far end of the gateway's veth
        /// pair; 0 if there is no way out.
        pub gateway_ifindex: u32,
        /// Largest layer-3 packet on the gateway, bytes.
        pub gateway_mtu: u32,
        /// VNI of the `ingress` network, by which nodes send each other what came from outside; 0: none.
        pub ingress_vni: u32,
        /// Ethernet address of the gateway's near end.
        pub gateway_mac: Mac,
        /// Zero.
        pub _reserved: [u8; 10],
        /// Zero.
        pub _reserved_too: u32,
    }
}

/// Where the agent answers DNS: an address of the gateway's near end.
pub const DNS_IPV4: [u8; 4] = [169, 254, 53, 53];
/// The same for IPv6: `fd6f:7665:726c:53::53`.
pub const DNS_IPV6: [u8; 16] = [
    0xfd, 0x6f, 0x76, 0x65, 0x72, 0x6c, 0, 0x53, 0, 0, 0, 0, 0, 0, 0, 0x53,
];
/// The port of DNS, as it stands on the wire.
pub const DNS_PORT: [u8; 2] = [0, 53];
