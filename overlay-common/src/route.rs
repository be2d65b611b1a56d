//! Which peer has a remote address.

use crate::{
    address::{Address, Mac},
    shared::shared,
};

shared! {
    /// Key of the longest-prefix table, without the prefix length that the kernel's
    /// `struct bpf_lpm_trie_key` puts before it.
    pub struct BlockKey [20] {
        /// VXLAN network identifier, big-endian: the trie compares bits in this order.
        pub vni: [u8; 4],
        /// First address of the block.
        pub address: [u8; 16],
    }

    /// Value of exact routes and of blocks.
    pub struct Route [12] {
        /// Key into `PEER`.
        pub peer: u32,
        /// Ethernet address of the endpoint where it is not the derived one, or zeros.
        pub mac: Mac,
        /// Zero.
        pub _reserved: [u8; 2],
    }
}

/// [`Route::peer`]: no node has the address, and it is the network's all the same. Routes to the subnets of a network
/// say so, which keeps what nobody has from leaving for the outside.
pub const NOBODY: u32 = 0;

impl BlockKey {
    /// Bits that the VNI takes at the start of every prefix.
    pub const VNI_BITS: u32 = 32;
    /// Bits of a whole key.
    pub const BITS: u32 = 160;

    /// The key with which an address is looked up, or a block stored.
    #[inline(always)]
    pub const fn new(vni: u32, address: Address) -> Self {
        Self {
            vni: vni.to_be_bytes(),
            address: address.bytes(),
        }
    }
}
