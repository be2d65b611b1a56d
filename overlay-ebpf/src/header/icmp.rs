//! The ICMP errors that the data plane sends, whole packets with their Ethernet header.

use zerocopy::network_endian::{U16, U32};

use super::{Ethernet, Ipv4, Ipv6, headers};

headers! {
    /// Destination unreachable (RFC 792, RFC 1191) about an IPv4 packet without options.
    pub struct DestinationUnreachable [70] {
        /// Back to the sender.
        pub ethernet: Ethernet,
        /// Back to the sender.
        pub ip: Ipv4,
        /// 3.
        pub kind: u8,
        /// 4: fragmentation needed; 1, 2, 3: no such host, protocol, port.
        pub code: u8,
        /// Over the ICMP message.
        pub checksum: U16,
        /// Zero.
        pub unused: U16,
        /// Largest packet that fits, bytes; zero for the other codes.
        pub mtu: U16,
        /// The packet's own header.
        pub original: Ipv4,
        /// The first bytes behind it: ports and, for TCP, the sequence number.
        pub original_start: [u8; 8],
    }

    /// Packet too big, and destination unreachable, which has the same form (RFC 4443, 3.1 and 3.2).
    pub struct PacketTooBig [110] {
        /// Back to the sender.
        pub ethernet: Ethernet,
        /// Back to the sender.
        pub ip: Ipv6,
        /// 2: packet too big; 1: destination unreachable.
        pub kind: u8,
        /// 0; of an unreachable destination 3, 4: no such address, port.
        pub code: u8,
        /// Over the pseudo-header and the ICMP message.
        pub checksum: U16,
        /// Largest packet that fits, bytes; zero for an unreachable destination.
        pub mtu: U32,
        /// The packet's own header.
        pub original: Ipv6,
        /// The first bytes behind it: ports and, for TCP, the sequence number.
        pub original_start: [u8; 8],
    }
}
