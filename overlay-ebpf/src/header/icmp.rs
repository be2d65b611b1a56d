//! The two ICMP errors that the data plane sends, whole packets with their Ethernet header.

use zerocopy::network_endian::{U16, U32};

use super::{Ethernet, Ipv4, Ipv6, headers};

headers! {
    /// Fragmentation needed (RFC 792, RFC 1191) about an IPv4 packet without options.
    pub struct DestinationUnreachable [70] {
        /// Back to the sender.
        pub ethernet: Ethernet,
        /// Back to the sender.
        pub ip: Ipv4,
        /// 3.
        pub kind: u8,
        /// 4: fragmentation needed.
        pub code: u8,
        /// Over the ICMP message.
        pub checksum: U16,
        /// Zero.
        pub unused: U16,
        /// Largest packet that fits, bytes.
        pub mtu: U16,
        /// The packet's own header.
        pub original: Ipv4,
        /// The first bytes behind it: ports and, for TCP, the sequence number.
        pub original_start: [u8; 8],
    }

    /// Packet too big (RFC 4443, 3.2).
    pub struct PacketTooBig [110] {
        /// Back to the sender.
        pub ethernet: Ethernet,
        /// Back to the sender.
        pub ip: Ipv6,
        /// 2.
        pub kind: u8,
        /// 0.
        pub code: u8,
        /// Over the pseudo-header and the ICMP message.
        pub checksum: U16,
        /// Largest packet that fits, bytes.
        pub mtu: U32,
        /// The packet's own header.
        pub original: Ipv6,
        /// The first bytes behind it: ports and, for TCP, the sequence number.
        pub original_start: [u8; 8],
    }
}
