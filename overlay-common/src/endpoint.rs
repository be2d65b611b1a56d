//! Where a container of this node lives.

use crate::{
    address::{Address, Mac},
    shared::shared,
};

shared! {
    /// Key: one address inside one network. Networks may reuse addresses.
    pub struct EndpointKey [24] {
        /// The container's address.
        pub address: Address,
        /// VXLAN network identifier, 24 bits, host byte order.
        pub vni: u32,
        /// Zero.
        pub _reserved: u32,
    }

    /// Value: the way into the container.
    pub struct Endpoint [16] {
        /// Index of the host end of the veth pair.
        pub ifindex: u32,
        /// Largest layer-3 packet that the container takes, bytes.
        pub mtu: u32,
        /// Ethernet address of the container end.
        pub mac: Mac,
        /// `ENDPOINT_` flags.
        pub flags: u16,
    }
}

/// [`Endpoint::flags`]: its network has VIPs, so that what arrives may be an answer that has to be rewritten.
pub const ENDPOINT_BALANCED: u16 = 1;
/// [`Endpoint::flags`]: its network is encrypted on the underlay.
pub const ENDPOINT_ENCRYPTED: u16 = 2;

impl EndpointKey {
    /// The key of `address` in the network `vni`.
    #[inline(always)]
    pub const fn new(vni: u32, address: Address) -> Self {
        Self {
            address,
            vni,
            _reserved: 0,
        }
    }
}
