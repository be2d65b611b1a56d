//! Whose packets enter at a host-side veth, and what they may claim to be.

use crate::{
    address::{Address, Mac},
    shared::shared,
};

shared! {
    /// Value, keyed by the interface index of the host end.
    pub struct Interface [80] {
        /// The only IPv4 source that the container may use (mapped), or `::` for none.
        pub ipv4: Address,
        /// The only routable IPv6 source that the container may use, or `::` for none.
        pub ipv6: Address,
        /// The node-local IPv4 address that stands for the container outside (mapped), or `::`.
        pub transit_ipv4: Address,
        /// The node-local IPv6 address that stands for the container outside, or `::`.
        pub transit_ipv6: Address,
        /// VXLAN network identifier, host byte order.
        pub vni: u32,
        /// The only Ethernet source that the container may use.
        pub mac: Mac,
        /// `INTERFACE_` flags.
        pub flags: u16,
        /// Zero.
        pub _reserved: [u8; 4],
    }
}

/// [`Interface::flags`]: its network is encrypted on the underlay.
pub const INTERFACE_ENCRYPTED: u16 = 1;
