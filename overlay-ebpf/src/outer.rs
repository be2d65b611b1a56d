//! The headers that carry an inner frame: IP, UDP, VXLAN (RFC 7348) and the inner Ethernet header.

use overlay_common::{address::Mac, peer::Peer};
use zerocopy::{
    IntoBytes,
    network_endian::{U16, U32},
};

use crate::{
    checksum::Checksum,
    ecn,
    header::{Ethernet, Ipv4, Ipv6, PROTOCOL_UDP, Udp, Vxlan, headers},
};

/// Hops that an outer packet may take; the kernel's default too.
const HOPS: u8 = 64;

headers! {
    /// What an IPv4 underlay needs between its own Ethernet header and the inner packet.
    pub struct OuterV4 [50] {
        /// Outer IP.
        pub ip: Ipv4,
        /// Outer UDP.
        pub udp: Udp,
        /// VXLAN.
        pub vxlan: Vxlan,
        /// Inner Ethernet.
        pub inner: Ethernet,
    }

    /// What an IPv6 underlay needs between its own Ethernet header and the inner packet.
    pub struct OuterV6 [70] {
        /// Outer IP.
        pub ip: Ipv6,
        /// Outer UDP.
        pub udp: Udp,
        /// VXLAN.
        pub vxlan: Vxlan,
        /// Inner Ethernet.
        pub inner: Ethernet,
    }
}

/// What goes into the outer headers of one packet.
#[derive(Clone, Copy, Debug)]
pub struct Envelope {
    /// The network.
    pub vni: u32,
    /// Length of the inner frame, Ethernet header included, bytes.
    pub length: u32,
    /// Traffic class of the inner packet.
    pub class: u8,
    /// From [`crate::entropy::source_port`].
    pub source_port: u16,
    /// UDP port of VXLAN.
    pub port: u16,
    /// A fresh number for the outer IPv4 header.
    pub identification: u16,
}

impl Envelope {
    /// Writes the headers for a peer on IPv4. `mac` replaces the inner destination.
    #[inline(always)]
    pub fn write_v4(&self, peer: &Peer, inner: &Ethernet, mac: Option<Mac>, outer: &mut OuterV4) {
        outer.ip = Ipv4 {
            version_ihl: Ipv4::VERSION_IHL,
            tos: ecn::encapsulate(self.class),
            total_length: length_field(self.length + 36),
            identification: U16::new(self.identification),
            flags_offset: U16::ZERO,
            ttl: HOPS,
            protocol: PROTOCOL_UDP,
            checksum: U16::ZERO,
            source: peer.local.last_four(),
            destination: peer.remote.last_four(),
        };
        outer.ip.checksum = U16::new(Checksum::default().over(outer.ip.as_bytes()).finish());
        outer.udp = self.udp();
        outer.vxlan = Vxlan::new(self.vni);
        outer.inner = *inner;
        if let Some(mac) = mac {
            outer.inner.destination = mac;
        }
    }

    /// Writes the headers for a peer on IPv6. `mac` replaces the inner destination.
    #[inline(always)]
    pub fn write_v6(&self, peer: &Peer, inner: &Ethernet, mac: Option<Mac>, outer: &mut OuterV6) {
        let class = u32::from(ecn::encapsulate(self.class));
        outer.ip = Ipv6 {
            version_class_label: U32::new(6 << 28 | class << 20),
            payload_length: length_field(self.length + 16),
            next_header: PROTOCOL_UDP,
            hop_limit: HOPS,
            source: peer.local.bytes(),
            destination: peer.remote.bytes(),
        };
        outer.udp = self.udp();
        outer.vxlan = Vxlan::new(self.vni);
        outer.inner = *inner;
        if let Some(mac) = mac {
            outer.inner.destination = mac;
        }
    }

    // No checksum (RFC 7348, 5; RFC 6935 for IPv6): a program cannot sum the segments that an
    // aggregate will be cut into, and the inner packet has its own.
    #[inline(always)]
    fn udp(&self) -> Udp {
        Udp {
            source: U16::new(self.source_port),
            destination: U16::new(self.port),
            length: length_field(self.length + 16),
            checksum: U16::ZERO,
        }
    }
}

/// An aggregate may be larger than the field; the kernel writes the right length into each segment
/// that it cuts from it, and 0 is what it expects where the whole does not fit.
#[inline(always)]
fn length_field(length: u32) -> U16 {
    if length > 0xffff {
        U16::ZERO
    } else {
        U16::new(length as u16)
    }
}

#[cfg(test)]
mod tests {
    use overlay_common::address::Address;
    use zerocopy::FromZeros;

    use super::*;
    use crate::header::ETHERTYPE_IPV4;

    fn envelope() -> Envelope {
        Envelope {
            vni: 0x00ab_cdef,
            length: 98,
            class: 0b11,
            source_port: 40000,
            port: 4789,
            identification: 0x1234,
        }
    }

    fn inner() -> Ethernet {
        Ethernet {
            destination: [2, 0x42, 10, 0, 0, 2],
            source: [2, 0x42, 10, 0, 0, 1],
            ethertype: ETHERTYPE_IPV4,
        }
    }

    fn peer(local: &str, remote: &str) -> Peer {
        let mut peer = Peer::new_zeroed();
        peer.local = Address::from(local.parse::<std::net::IpAddr>().unwrap());
        peer.remote = Address::from(remote.parse::<std::net::IpAddr>().unwrap());
        peer
    }

    #[test]
    fn an_ipv4_envelope_is_what_rfc_7348_asks_for() {
        let mut outer = OuterV4::new_zeroed();
        envelope().write_v4(
            &peer("192.0.2.1", "192.0.2.2"),
            &inner(),
            Some([9; 6]),
            &mut outer,
        );

        assert_eq!(Checksum::default().over(outer.ip.as_bytes()).finish(), 0);
        assert_eq!(outer.ip.total_length.get(), 98 + 8 + 8 + 20);
        assert_eq!(outer.ip.tos, 0b10);
        assert_eq!(outer.ip.source, [192, 0, 2, 1]);
        assert_eq!(outer.ip.destination, [192, 0, 2, 2]);
        assert_eq!(outer.udp.length.get(), 98 + 8 + 8);
        assert_eq!(outer.udp.destination.get(), 4789);
        assert_eq!(outer.udp.checksum.get(), 0);
        assert_eq!(outer.vxlan.as_bytes(), [8, 0, 0, 0, 0xab, 0xcd, 0xef, 0]);
        assert_eq!(outer.vxlan.vni(), 0x00ab_cdef);
        assert_eq!(
            (outer.inner.destination, outer.inner.source),
            ([9; 6], inner().source)
        );
    }

    #[test]
    fn an_ipv6_envelope_counts_its_payload_only() {
        let mut outer = OuterV6::new_zeroed();
        envelope().write_v6(
            &peer("2001:db8::1", "2001:db8::2"),
            &inner(),
            Some([9; 6]),
            &mut outer,
        );

        assert_eq!(outer.ip.payload_length.get(), 98 + 8 + 8);
        assert_eq!(outer.ip.version_class_label.get(), 0x6020_0000);
        assert_eq!(outer.ip.traffic_class(), 0b10);
        assert_eq!(outer.ip.destination[15], 2);
    }

    #[test]
    fn an_aggregate_larger_than_the_field_says_zero() {
        let mut large = envelope();
        large.length = 65_500;

        let mut outer = OuterV4::new_zeroed();
        large.write_v4(
            &peer("192.0.2.1", "192.0.2.2"),
            &inner(),
            Some([9; 6]),
            &mut outer,
        );

        assert_eq!(outer.ip.total_length.get(), 0);
        assert_eq!(outer.udp.length.get(), 65_516);
    }
}
