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
