//! What the underlay brings: whether it is VXLAN for this node, and what is inside.

use overlay_common::{address::Address, reason::Reason};

use crate::{
    admission::{self, ETHERNET, Packet},
    frame::{Bytes, Frame},
    header::{
        Arp, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, Ethernet, Ipv4, Ipv6,
        NeighbourSolicitation, PROTOCOL_ICMPV6, PROTOCOL_UDP, Udp, Vxlan,
    },
};

/// Where the inner Ethernet header stands behind an outer IPv4 header without options.
pub const INNER_V4: usize = ETHERNET + 20 + 8 + 8;
/// Where the inner Ethernet header stands behind an outer IPv6 header.
pub const INNER_V6: usize = ETHERNET + 40 + 8 + 8;

/// What the outer headers say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outer {
    /// No VXLAN, or not for this node.
    NotOurs,
    /// VXLAN for this node that only the kernel's own path takes: fragments, IP options.
    KernelOnly,
    /// VXLAN.
    Vxlan(Carrier),
}

/// Who carries what.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Carrier {
    /// Outer source.
    pub source: Address,
    /// Outer DSCP and ECN.
    pub class: u8,
    /// The network.
    pub vni: u32,
}

/// Reads the outer headers of an IPv4 packet.
#[inline(always)]
pub fn outer_v4<B: Bytes>(frame: &Frame<B>, local: [u8; 4], port: u16) -> Result<Outer, Reason> {
    let Ok(ip) = frame.header::<Ipv4>(ETHERNET) else {
        return Ok(Outer::NotOurs);
    };
    if ip.protocol != PROTOCOL_UDP || ip.destination != local {
        return Ok(Outer::NotOurs);
    }
    if ip.version_ihl != Ipv4::VERSION_IHL {
        return Ok(Outer::KernelOnly);
    }
    if ip.is_later_fragment() {
        return Ok(Outer::NotOurs);
    }
    let Ok(udp) = frame.header::<Udp>(ETHERNET + size_of::<Ipv4>()) else {
        return Ok(Outer::NotOurs);
    };
    if udp.destination.get() != port {
        return Ok(Outer::NotOurs);
    }
    if ip.is_fragment() {
        return Ok(Outer::KernelOnly);
    }
    carrier::<B, { INNER_V4 - 8 }>(frame, Address::from_v4(ip.source), ip.tos)
}

/// Reads the outer headers of an IPv6 packet. Extension headers, fragments among them, are the
/// kernel's business.
#[inline(always)]
pub fn outer_v6<B: Bytes>(frame: &Frame<B>, local: [u8; 16], port: u16) -> Result<Outer, Reason> {
    let Ok(ip) = frame.header::<Ipv6>(ETHERNET) else {
        return Ok(Outer::NotOurs);
    };
    if ip.next_header != PROTOCOL_UDP || ip.destination != local {
        return Ok(Outer::NotOurs);
    }
    let Ok(udp) = frame.header::<Udp>(ETHERNET + size_of::<Ipv6>()) else {
        return Ok(Outer::NotOurs);
    };
    if udp.destination.get() != port {
        return Ok(Outer::NotOurs);
    }
    carrier::<B, { INNER_V6 - 8 }>(frame, Address::from_v6(ip.source), ip.traffic_class())
}

#[inline(always)]
fn carrier<B: Bytes, const AT: usize>(
    frame: &Frame<B>,
    source: Address,
    class: u8,
) -> Result<Outer, Reason> {
    let vxlan = frame.header::<Vxlan>(AT)?;
    if vxlan.flags & Vxlan::VNI_VALID == 0 {
        return Err(Reason::Malformed);
    }
    Ok(Outer::Vxlan(Carrier {
        source,
        class,
        vni: vxlan.vni(),
    }))
}

/// What a peer sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Inner {
    /// "Who has this IPv4 address?", from a host that does not answer it itself.
    ArpQuestion {
        /// The address asked for.
        target: Address,
    },
    /// "Who has this IPv6 address?"
    NeighbourQuestion {
        /// The address asked for.
        target: Address,
    },
    /// A packet for a container.
    Packet(Packet),
}

/// Sorts an inner frame, whose Ethernet header stands at `AT`.
#[inline(always)]
pub fn inner<B: Bytes, const AT: usize>(frame: &Frame<B>) -> Result<Inner, Reason> {
    let ethernet = frame.header::<Ethernet>(AT)?;
    let is_multicast = ethernet.is_multicast();
    let ip_at = AT + ETHERNET;
    let packet = match ethernet.ethertype {
        ETHERTYPE_IPV4 => admission::ipv4(frame, ip_at)?,
        ETHERTYPE_IPV6 => admission::ipv6(frame, ip_at)?,
        ETHERTYPE_ARP => return arp_question(frame, ip_at),
        _ => return Err(Reason::UnsupportedProtocol),
    };
    if !packet.is_v4 && packet.protocol == PROTOCOL_ICMPV6 {
        let icmp_at = ip_at + size_of::<Ipv6>();
        if *frame.header::<u8>(icmp_at)? == NeighbourSolicitation::TYPE {
            let question = frame.header::<NeighbourSolicitation>(icmp_at)?;
            return Ok(Inner::NeighbourQuestion {
                target: Address::from_v6(question.target),
            });
        }
    }
    if is_multicast || admission::is_multicast(&packet.destination) {
        return Err(Reason::Multicast);
    }
    Ok(Inner::Packet(packet))
}

#[inline(always)]
fn arp_question<B: Bytes>(frame: &Frame<B>, at: usize) -> Result<Inner, Reason> {
    let arp = frame.header::<Arp>(at)?;
    if !arp.is_ipv4_over_ethernet() {
        return Err(Reason::UnsupportedProtocol);
    }
    if arp.operation != Arp::REQUEST {
        return Err(Reason::ArpIgnored);
    }
    Ok(Inner::ArpQuestion {
        target: Address::from_v4(arp.target),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOCAL: [u8; 4] = [192, 0, 2, 1];
    const PORT: u16 = 4789;

    fn carried(flags_offset: u16) -> Vec<u8> {
        let mut packet = vec![0; 12];
        packet.extend([8, 0, 0x45, 0b11, 0, 100, 0, 0]);
        packet.extend(flags_offset.to_be_bytes());
        packet.extend([64, 17, 0, 0, 192, 0, 2, 2]);
        packet.extend(LOCAL);
        packet.extend(40000_u16.to_be_bytes());
        packet.extend(PORT.to_be_bytes());
        packet.extend([0, 80, 0, 0, 8, 0, 0, 0, 0, 0, 42, 0]);
        packet.extend([2; 12]);
        packet.extend([
            8, 0, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
        ]);
        packet
    }

    fn outer(bytes: &[u8]) -> Result<Outer, Reason> {
        outer_v4(&Frame(bytes), LOCAL, PORT)
    }

    #[test]
    fn vxlan_for_this_node_is_taken_apart() {
        let packet = carried(0);

        let expected = Carrier {
            source: Address::from_v4([192, 0, 2, 2]),
            class: 3,
            vni: 42,
        };
        assert_eq!(outer(&packet), Ok(Outer::Vxlan(expected)));
        let Ok(Inner::Packet(inside)) = inner::<_, INNER_V4>(&Frame(&packet[..])) else {
            panic!()
        };
        assert_eq!(inside.destination, Address::from_v4([10, 0, 0, 2]));
    }

    #[test]
    fn other_traffic_is_left_alone() {
        let mut other_host = carried(0);
        other_host[33] = 9;
        let mut tcp = carried(0);
        tcp[23] = 6;
        let mut other_port = carried(0);
        other_port[37] ^= 1;

        for packet in [other_host, tcp, other_port, carried(100)] {
            assert_eq!(outer(&packet), Ok(Outer::NotOurs));
        }
    }

    #[test]
    fn first_fragments_and_options_are_left_to_the_kernel() {
        let mut options = carried(0);
        options[14] = 0x46;

        assert_eq!(outer(&carried(0x2000)), Ok(Outer::KernelOnly));
        assert_eq!(outer(&options), Ok(Outer::KernelOnly));
    }

    #[test]
    fn a_header_without_a_vni_is_malformed() {
        let mut packet = carried(0);
        packet[42] = 0;

        assert_eq!(outer(&packet), Err(Reason::Malformed));
    }

    #[test]
    fn every_truncation_is_told_apart() {
        let packet = carried(0);
        for length in 0..=packet.len() {
            let bytes = &packet[..length];
            let result = outer(bytes);
            match length {
                0..42 => assert_eq!(result, Ok(Outer::NotOurs), "{length}"),
                42..50 => assert_eq!(result, Err(Reason::Malformed), "{length}"),
                _ => assert!(matches!(result, Ok(Outer::Vxlan(_))), "{length}"),
            }
            let inside = inner::<_, INNER_V4>(&Frame(bytes));
            assert_eq!(inside.is_ok(), length >= 84, "{length}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reading(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let frame = Frame(&bytes[..]);

            for outer in [outer_v4(&frame, LOCAL, PORT), outer_v6(&frame, [1; 16], PORT)] {
                if let Ok(Outer::Vxlan(carrier)) = outer {
                    prop_assert!(carrier.vni < 1 << 24);
                }
            }
            for inside in [inner::<_, 0>(&frame), inner::<_, INNER_V4>(&frame), inner::<_, INNER_V6>(&frame)] {
                if let Ok(Inner::Packet(packet)) = inside {
                    prop_assert!(!admission::is_multicast(&packet.destination));
                }
            }
        }
    }
}
