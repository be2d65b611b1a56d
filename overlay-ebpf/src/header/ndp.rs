//! Neighbour discovery for IPv6 (RFC 4861).

use zerocopy::network_endian::{U16, U32};

use super::{Ipv6, headers};

headers! {
    /// Neighbour solicitation without options (RFC 4861, 4.3).
    pub struct NeighbourSolicitation [24] {
        /// 135.
        pub kind: u8,
        /// 0.
        pub code: u8,
        /// Over the pseudo-header and the message.
        pub checksum: U16,
        /// Zero.
        pub reserved: U32,
        /// The address asked for.
        pub target: [u8; 16],
    }

    /// Source or target link-layer address option (RFC 4861, 4.6.1).
    pub struct LinkLayerOption [8] {
        /// 1: source, 2: target.
        pub kind: u8,
        /// 1: in units of 8 bytes.
        pub length: u8,
        /// The Ethernet address.
        pub mac: [u8; 6],
    }

    /// A neighbour advertisement with its IPv6 header (RFC 4861, 4.4).
    pub struct NeighbourAdvertisement [72] {
        /// To the asker.
        pub ip: Ipv6,
        /// 136.
        pub kind: u8,
        /// 0.
        pub code: u8,
        /// Over the pseudo-header and the message.
        pub checksum: U16,
        /// Router, solicited and override flags, 29 reserved bits.
        pub flags: U32,
        /// The address asked for.
        pub target: [u8; 16],
        /// Where it is.
        pub option: LinkLayerOption,
    }
}

impl NeighbourSolicitation {
    /// `ICMPv6` type.
    pub const TYPE: u8 = 135;
}

impl NeighbourAdvertisement {
    /// `ICMPv6` type.
    pub const TYPE: u8 = 136;
    /// Sent because it was asked for.
    pub const SOLICITED: u32 = 0x4000_0000;
    /// Replaces what the asker has cached.
    pub const OVERRIDE: u32 = 0x2000_0000;
}
