//! What a container sends, and whether it may: the check of its sources and the sorting of its packets.

use overlay_common::{address::Address, interface::Interface, reason::Reason};

use crate::{
    frame::{Bytes, Frame},
    header::{
        Arp, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, Ethernet, Ipv4, Ipv6,
        NeighbourSolicitation, PROTOCOL_ICMPV6,
    },
};

/// Length of an Ethernet header, bytes.
pub const ETHERNET: usize = 14;

/// A packet for another address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Packet {
    /// Receiver.
    pub destination: Address,
    /// DSCP and ECN.
    pub class: u8,
    /// Whether it is IPv4.
    pub is_v4: bool,
    /// Whether routers must not fragment it; always so for IPv6.
    pub dont_fragment: bool,
    /// Neither a fragment nor with IP options: the transport header is at its usual place.
    pub is_plain: bool,
    /// Transport protocol, or an IPv6 extension header.
    pub protocol: u8,
}

/// What a frame turned out to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admitted {
    /// "Who has this IPv4 address?"
    ArpQuestion {
        /// The address asked for.
        target: Address,
    },
    /// "Who has this IPv6 address?"
    NeighbourQuestion {
        /// The address asked for.
        target: Address,
    },
    /// Anything else that may be sent.
    Packet(Packet),
}

/// Sorts a frame from a container.
#[inline(always)]
pub fn admit<B: Bytes>(frame: &Frame<B>, interface: &Interface) -> Result<Admitted, Reason> {
    let ethernet = frame.header::<Ethernet>(0)?;
    if ethernet.source != interface.mac {
        return Err(Reason::SpoofedMac);
    }
    match ethernet.ethertype {
        ETHERTYPE_IPV4 => admit_ipv4(frame, interface),
        ETHERTYPE_IPV6 => admit_ipv6(frame, interface),
        ETHERTYPE_ARP => admit_arp(frame, interface),
        _ => Err(Reason::UnsupportedProtocol),
    }
}

#[inline(always)]
fn admit_ipv4<B: Bytes>(frame: &Frame<B>, interface: &Interface) -> Result<Admitted, Reason> {
    let packet = ipv4(frame, ETHERNET)?;
    if Address::from_v4(frame.header::<Ipv4>(ETHERNET)?.source) != interface.ipv4 {
        return Err(Reason::SpoofedAddress);
    }
    if is_multicast(&packet.destination) || frame.header::<Ethernet>(0)?.is_multicast() {
        return Err(Reason::Multicast);
    }
    Ok(Admitted::Packet(packet))
}

#[inline(always)]
fn admit_ipv6<B: Bytes>(frame: &Frame<B>, interface: &Interface) -> Result<Admitted, Reason> {
    let packet = ipv6(frame, ETHERNET)?;
    let source = Address::from_v6(frame.header::<Ipv6>(ETHERNET)?.source);
    let is_nameless = source.is_unspecified();
    if source != interface.ipv6 && !is_link_local(&source) && !is_nameless {
        return Err(Reason::SpoofedAddress);
    }
    if packet.protocol == PROTOCOL_ICMPV6 {
        let kind = *frame.header::<u8>(ETHERNET + size_of::<Ipv6>())?;
        if kind == NeighbourSolicitation::TYPE {
            return solicitation(frame, interface, is_nameless);
        }
        if is_neighbour_discovery(kind) {
            return Err(Reason::NeighbourIgnored);
        }
    }
    if is_multicast(&packet.destination) || frame.header::<Ethernet>(0)?.is_multicast() {
        return Err(Reason::Multicast);
    }
    if is_nameless {
        return Err(Reason::SpoofedAddress);
    }
    Ok(Admitted::Packet(packet))
}

#[inline(always)]
fn solicitation<B: Bytes>(
    frame: &Frame<B>,
    interface: &Interface,
    is_nameless: bool,
) -> Result<Admitted, Reason> {
    let question = frame.header::<NeighbourSolicitation>(ETHERNET + size_of::<Ipv6>())?;
    let target = Address::from_v6(question.target);
    // RFC 4861, 7.1.1: a hop limit below 255 shows that it came through a router.
    if frame.header::<Ipv6>(ETHERNET)?.hop_limit != 255 || question.code != 0 {
        return Err(Reason::Malformed);
    }
    // Link-local addresses are the container's own business; their check must find them free.
    if target == interface.ipv6 || (is_nameless && is_link_local(&target)) {
        return Err(Reason::OwnAddressCheck);
    }
    Ok(Admitted::NeighbourQuestion { target })
}

#[inline(always)]
fn admit_arp<B: Bytes>(frame: &Frame<B>, interface: &Interface) -> Result<Admitted, Reason> {
    let arp = frame.header::<Arp>(ETHERNET)?;
    if !arp.is_ipv4_over_ethernet() {
        return Err(Reason::UnsupportedProtocol);
    }
    if arp.sender_mac != interface.mac {
        return Err(Reason::SpoofedMac);
    }
    let sender = Address::from_v4(arp.sender);
    if sender != interface.ipv4 && arp.sender != [0; 4] {
        return Err(Reason::SpoofedAddress);
    }
    if arp.operation != Arp::REQUEST {
        return Err(Reason::ArpIgnored);
    }
    let target = Address::from_v4(arp.target);
    if target == interface.ipv4 {
        return Err(Reason::OwnAddressCheck);
    }
    Ok(Admitted::ArpQuestion { target })
}

/// Reads an IPv4 header.
#[inline(always)]
pub fn ipv4<B: Bytes>(frame: &Frame<B>, at: usize) -> Result<Packet, Reason> {
    let ip = frame.header::<Ipv4>(at)?;
    if ip.version_ihl >> 4 != 4 || ip.header_length() < 20 {
        return Err(Reason::Malformed);
    }
    Ok(Packet {
        destination: Address::from_v4(ip.destination),
        class: ip.tos,
        is_v4: true,
        dont_fragment: ip.flags_offset.get() & Ipv4::DONT_FRAGMENT != 0,
        is_plain: ip.version_ihl == Ipv4::VERSION_IHL && !ip.is_fragment(),
        protocol: ip.protocol,
    })
}

/// Reads an IPv6 header.
#[inline(always)]
pub fn ipv6<B: Bytes>(frame: &Frame<B>, at: usize) -> Result<Packet, Reason> {
    let ip = frame.header::<Ipv6>(at)?;
    if ip.version_class_label.get() >> 28 != 6 {
        return Err(Reason::Malformed);
    }
    Ok(Packet {
        destination: Address::from_v6(ip.destination),
        class: ip.traffic_class(),
        is_v4: false,
        dont_fragment: true,
        is_plain: true,
        protocol: ip.next_header,
    })
}

/// Multicast of either family, and IPv4's limited broadcast.
#[inline(always)]
pub fn is_multicast(address: &Address) -> bool {
    if address.is_v4() {
        let [first, ..] = address.last_four();
        first & 0xf0 == 0xe0 || address.last_four() == [0xff; 4]
    } else {
        address.bytes()[0] == 0xff
    }
}

#[inline(always)]
fn is_link_local(address: &Address) -> bool {
    address.bytes()[0] == 0xfe && address.bytes()[1] & 0xc0 == 0x80
}

/// Router and neighbour discovery (RFC 4861, 4): types 133 to 137.
#[inline(always)]
fn is_neighbour_discovery(kind: u8) -> bool {
    (133..=137).contains(&kind)
}

#[cfg(test)]
mod tests;
