//! Headers as they stand on the wire: alignment 1, network byte order in the types.

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    network_endian::{U16, U32},
};

use crate::ecn;

mod icmp;
mod ndp;

pub use icmp::{DestinationUnreachable, PacketTooBig};
pub use ndp::{LinkLayerOption, NeighbourAdvertisement, NeighbourSolicitation};

/// Declares wire headers with their size in bytes.
#[macro_export]
macro_rules! headers {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident [$size:literal] {
            $( $(#[$field_meta:meta])* pub $field:ident : $type:ty, )+
        }
    )+) => {$(
        $(#[$meta])*
        #[repr(C)]
        #[derive(
            Clone, Copy, Debug, Eq, PartialEq,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable,
            zerocopy::KnownLayout, zerocopy::Unaligned,
        )]
        pub struct $name {
            $( $(#[$field_meta])* pub $field : $type, )+
        }

        const _: () = assert!(core::mem::size_of::<$name>() == $size);
    )+};
}
pub use headers;

/// `EtherType` of IPv4.
pub const ETHERTYPE_IPV4: U16 = U16::new(0x0800);
/// `EtherType` of ARP.
pub const ETHERTYPE_ARP: U16 = U16::new(0x0806);
/// `EtherType` of IPv6.
pub const ETHERTYPE_IPV6: U16 = U16::new(0x86dd);

/// IP protocol number of TCP.
pub const PROTOCOL_TCP: u8 = 6;
/// IP protocol number of UDP.
pub const PROTOCOL_UDP: u8 = 17;
/// IP protocol number of ICMP.
pub const PROTOCOL_ICMP: u8 = 1;
/// Next-header number of `ICMPv6`.
pub const PROTOCOL_ICMPV6: u8 = 58;
/// Next-header number of IPv6's fragment header.
pub const PROTOCOL_FRAGMENT: u8 = 44;
/// IP protocol number of DCCP.
pub const PROTOCOL_DCCP: u8 = 33;
/// IP protocol number of SCTP.
pub const PROTOCOL_SCTP: u8 = 132;
/// IP protocol number of UDP-Lite.
pub const PROTOCOL_UDP_LITE: u8 = 136;

headers! {
    /// Ethernet II (IEEE 802.3, 3.1.1).
    pub struct Ethernet [14] {
        /// Receiver.
        pub destination: [u8; 6],
        /// Sender.
        pub source: [u8; 6],
        /// What follows.
        pub ethertype: U16,
    }

    /// IPv4 without options (RFC 791).
    pub struct Ipv4 [20] {
        /// Version (4) and header length in 32-bit words.
        pub version_ihl: u8,
        /// DSCP (6 bits) and ECN (2 bits).
        pub tos: u8,
        /// Header and payload, bytes.
        pub total_length: U16,
        /// Common to all fragments of one packet.
        pub identification: U16,
        /// Flags (3 bits) and fragment offset in 8-byte units (13 bits).
        pub flags_offset: U16,
        /// Hops left.
        pub ttl: u8,
        /// What follows.
        pub protocol: u8,
        /// Ones' complement sum over this header.
        pub checksum: U16,
        /// Sender.
        pub source: [u8; 4],
        /// Receiver.
        pub destination: [u8; 4],
    }

    /// IPv6 (RFC 8200).
    pub struct Ipv6 [40] {
        /// Version (6), traffic class (8 bits) and flow label (20 bits).
        pub version_class_label: U32,
        /// What follows this header, bytes.
        pub payload_length: U16,
        /// Type of what follows.
        pub next_header: u8,
        /// Hops left.
        pub hop_limit: u8,
        /// Sender.
        pub source: [u8; 16],
        /// Receiver.
        pub destination: [u8; 16],
    }

    /// UDP (RFC 768).
    pub struct Udp [8] {
        /// Sender's port.
        pub source: U16,
        /// Receiver's port.
        pub destination: U16,
        /// Header and payload, bytes.
        pub length: U16,
        /// 0: none.
        pub checksum: U16,
    }

    /// The fixed part of TCP (RFC 9293).
    pub struct Tcp [20] {
        /// Ports.
        pub ports: [u8; 4],
        /// Number of the first byte.
        pub sequence: U32,
        /// Number of the byte that is expected next.
        pub acknowledged: U32,
        /// Data offset in 32-bit words (4 bits), reserved and flags.
        pub offset_flags: U16,
        /// Bytes that may be sent.
        pub window: U16,
        /// Over the pseudo-header, this one and the payload.
        pub checksum: U16,
        /// Where urgent data ends.
        pub urgent: U16,
    }

    /// IPv6's fragment header (RFC 8200, 4.5).
    pub struct FragmentHeader [8] {
        /// Type of what follows.
        pub next_header: u8,
        /// Zero.
        pub reserved: u8,
        /// Offset in 8-byte units (13 bits), two reserved bits, "more fragments".
        pub offset_flags: U16,
        /// Common to all fragments of one packet.
        pub identification: [u8; 4],
    }

    /// VXLAN (RFC 7348, 5).
    pub struct Vxlan [8] {
        /// Only bit 0x08, "VNI is valid", is defined.
        pub flags: u8,
        /// Zero.
        pub reserved: [u8; 3],
        /// The network identifier and eight zero bits.
        pub vni_reserved: U32,
    }

    /// ARP for IPv4 over Ethernet (RFC 826).
    pub struct Arp [28] {
        /// 1: Ethernet.
        pub hardware: U16,
        /// 0x0800: IPv4.
        pub protocol: U16,
        /// 6 and 4.
        pub lengths: [u8; 2],
        /// 1: question, 2: answer.
        pub operation: U16,
        /// Sender's Ethernet address.
        pub sender_mac: [u8; 6],
        /// Sender's IPv4 address; zero in a duplicate-address check (RFC 5227).
        pub sender: [u8; 4],
        /// Target's Ethernet address.
        pub target_mac: [u8; 6],
        /// The address asked for.
        pub target: [u8; 4],
    }
}

impl Ethernet {
    /// Whether the frame is for more than one host.
    #[inline(always)]
    pub fn is_multicast(&self) -> bool {
        self.destination[0] & 1 != 0
    }
}

impl Ipv4 {
    /// Version 4, no options.
    pub const VERSION_IHL: u8 = 0x45;
    /// "Do not fragment" in `flags_offset`.
    pub const DONT_FRAGMENT: u16 = 0x4000;
    /// "More fragments" and the offset in `flags_offset`: not zero in every fragment.
    pub const FRAGMENT: u16 = 0x3fff;
    /// The offset in `flags_offset`, in units of 8 bytes.
    pub const OFFSET: u16 = 0x1fff;

    /// Header length, bytes.
    #[inline(always)]
    pub fn header_length(&self) -> u32 {
        u32::from(self.version_ihl & 0x0f) * 4
    }

    /// Marks congestion and corrects the checksum for it (RFC 1624, equation 3).
    #[inline(always)]
    pub fn mark_congestion(&mut self) {
        let class = ecn::marked(self.tos);
        let grown = u16::from(class) - u16::from(self.tos);
        let sum = u32::from(!self.checksum.get()) + u32::from(grown);
        let folded = (sum & 0xffff) + (sum >> 16);
        self.tos = class;
        self.checksum = U16::new(!(folded as u16));
    }

    /// Whether this is one of several fragments.
    #[inline(always)]
    pub fn is_fragment(&self) -> bool {
        self.flags_offset.get() & Self::FRAGMENT != 0
    }

    /// Whether this is a fragment, and not the first one.
    #[inline(always)]
    pub fn is_later_fragment(&self) -> bool {
        self.flags_offset.get() & Self::OFFSET != 0
    }
}

impl Ipv6 {
    /// Marks congestion.
    #[inline(always)]
    pub fn mark_congestion(&mut self) {
        let class = u32::from(ecn::marked(self.traffic_class()));
        self.version_class_label |= U32::new(class << 20);
    }

    /// Traffic class: DSCP and ECN.
    #[inline(always)]
    pub fn traffic_class(&self) -> u8 {
        (self.version_class_label.get() >> 20) as u8
    }
}

impl Tcp {
    /// The sender has no more data.
    pub const FIN: u8 = 0x01;
    /// The first packet of a direction.
    pub const SYN: u8 = 0x02;
    /// The connection is over.
    pub const RST: u8 = 0x04;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;
}

impl Vxlan {
    /// "VNI is valid".
    pub const VNI_VALID: u8 = 0x08;

    /// The header for a network.
    #[inline(always)]
    pub fn new(vni: u32) -> Self {
        Self {
            flags: Self::VNI_VALID,
            reserved: [0; 3],
            vni_reserved: U32::new(vni << 8),
        }
    }

    /// The network identifier.
    #[inline(always)]
    pub fn vni(&self) -> u32 {
        self.vni_reserved.get() >> 8
    }
}

impl Arp {
    /// A question.
    pub const REQUEST: U16 = U16::new(1);
    /// An answer.
    pub const REPLY: U16 = U16::new(2);

    /// Whether it is ARP for IPv4 over Ethernet.
    #[inline(always)]
    pub fn is_ipv4_over_ethernet(&self) -> bool {
        self.hardware.get() == 1 && self.protocol == ETHERTYPE_IPV4 && self.lengths == [6, 4]
    }
}

/// What every wire header is.
pub trait Header:
    Copy + FromBytes + IntoBytes + Immutable + KnownLayout + Unaligned + 'static
{
}
impl<T> Header for T where
    T: Copy + FromBytes + IntoBytes + Immutable + KnownLayout + Unaligned + 'static
{
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::checksum::Checksum;

    proptest! {
        #[test]
        fn marking_congestion_keeps_the_checksum_right(mut bytes: [u8; 20]) {
            bytes[10..12].fill(0);
            let checksum = Checksum::default().over(&bytes).finish();
            bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
            let mut ip = Ipv4::read_from_bytes(&bytes).unwrap();

            ip.mark_congestion();

            prop_assert_eq!(ip.tos & 0b11, 0b11);
            prop_assert_eq!(Checksum::default().over(ip.as_bytes()).finish(), 0);
        }
    }

    #[test]
    fn marking_congestion_changes_nothing_else_in_ipv6() {
        let mut ip = Ipv6::read_from_bytes(&[0x65; 40]).unwrap();
        let before = ip;

        ip.mark_congestion();

        assert_eq!(ip.traffic_class(), before.traffic_class() | 0b11);
        assert_eq!(
            ip.version_class_label.get() & 0xf00f_ffff,
            before.version_class_label.get() & 0xf00f_ffff
        );
    }
}
