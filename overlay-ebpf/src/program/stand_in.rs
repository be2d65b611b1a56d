//! Exchanging one address of a packet for another that stands in for it, with all that depends on it: headers'
//! checksums, and the packet that an ICMP error quotes.

use overlay_common::{address::Address, reason::Reason};
use overlay_ebpf::{
    admission::ETHERNET,
    header::{Ipv4, Ipv6, PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP},
};

use super::TcFrame;

/// Protocols whose checksum, like UDP's, covers the addresses and stands in its place.
const PROTOCOL_DCCP: u8 = 33;
const PROTOCOL_UDP_LITE: u8 = 136;
/// SCTP's covers no addresses.
const PROTOCOL_SCTP: u8 = 132;
/// IPv6 extension headers (RFC 8200, 4).
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION_OPTIONS: u8 = 60;
/// Length of IPv6's fragment header.
const FRAGMENT_LENGTH: u32 = 8;

const IPV4_CHECKSUM: u32 = 10;
const TCP_CHECKSUM: u32 = 16;
const UDP_CHECKSUM: u32 = 6;
const ICMP_CHECKSUM: u32 = 2;
/// Where the quoted packet stands behind an ICMP header.
const QUOTE: u32 = 8;

const IPV4_AT: u32 = ETHERNET as u32;
const TRANSPORT_V4: u32 = IPV4_AT + 20;
const IPV6_AT: u32 = ETHERNET as u32;
const TRANSPORT_V6: u32 = IPV6_AT + 40;

/// Which of a packet's two addresses.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Side {
    /// Where it comes from.
    Source,
    /// Where it goes.
    Destination,
}

impl Side {
    /// An ICMP error goes the other way than what it is about.
    #[inline(always)]
    fn other(self) -> Self {
        match self {
            Self::Source => Self::Destination,
            Self::Destination => Self::Source,
        }
    }

    #[inline(always)]
    fn offset_v4(self) -> u32 {
        match self {
            Self::Source => 12,
            Self::Destination => 16,
        }
    }

    #[inline(always)]
    fn offset_v6(self) -> u32 {
        match self {
            Self::Source => 8,
            Self::Destination => 24,
        }
    }
}

/// Puts `to` in the place of `from`, which the packet has at this side; in the quote of an ICMP error at the other. Before the first
/// write errors say what is wrong with the packet, after it that it is torn.
#[inline(always)]
pub(super) fn exchange(
    frame: &mut TcFrame,
    side: Side,
    from: &Address,
    to: &Address,
) -> Result<(), Reason> {
    if from.is_v4() {
        exchange_v4(frame, side, from, to)
    } else {
        exchange_v6(frame, side, from, to)
    }
}

#[inline(always)]
fn exchange_v4(
    frame: &mut TcFrame,
    side: Side,
    from: &Address,
    to: &Address,
) -> Result<(), Reason> {
    let ip = frame.header::<Ipv4>(ETHERNET)?;
    let (protocol, is_later) = (ip.protocol, ip.is_later_fragment());
    let is_usual = ip.version_ihl == Ipv4::VERSION_IHL;
    let transport = IPV4_AT + ip.header_length();
    let difference = frame.0.difference(from, to);
    if !is_later {
        match protocol {
            PROTOCOL_TCP => frame
                .0
                .amend_transport(transport + TCP_CHECKSUM, difference)?,
            PROTOCOL_UDP | PROTOCOL_UDP_LITE | PROTOCOL_DCCP => {
                frame
                    .0
                    .amend_optional(transport + UDP_CHECKSUM, difference)?;
            }
            PROTOCOL_ICMP if is_usual => exchange_quoted_v4(frame, side.other(), from, to)?,
            _ => {}
        }
    }
    frame.0.amend_header(IPV4_AT + IPV4_CHECKSUM, difference)?;
    frame.0.store_v4(IPV4_AT + side.offset_v4(), to)
}

/// The sum over the quoted header stays zero, so that the ICMP checksum stays true.
#[inline(never)]
fn exchange_quoted_v4(
    frame: &mut TcFrame,
    side: Side,
    from: &Address,
    to: &Address,
) -> Result<(), Reason> {
    const QUOTED: u32 = TRANSPORT_V4 + QUOTE;
    frame.0.ensure(QUOTED + 20);
    let Ok(kind) = frame.header::<u8>(TRANSPORT_V4 as usize) else {
        return Ok(());
    };
    // Unreachable, quench, redirect, time exceeded, parameter problem (RFC 792).
    if !matches!(*kind, 3 | 4 | 5 | 11 | 12) {
        return Ok(());
    }
    let Ok(quoted) = frame.header::<Ipv4>(QUOTED as usize) else {
        return Ok(());
    };
    let address = match side {
        Side::Source => quoted.source,
        Side::Destination => quoted.destination,
    };
    if address != from.last_four() {
        return Ok(());
    }
    let difference = frame.0.difference(from, to);
    frame.0.amend_header(QUOTED + IPV4_CHECKSUM, difference)?;
    frame.0.store_v4(QUOTED + side.offset_v4(), to)
}

#[inline(always)]
fn exchange_v6(
    frame: &mut TcFrame,
    side: Side,
    from: &Address,
    to: &Address,
) -> Result<(), Reason> {
    let (protocol, transport, is_later) = transport_v6(frame)?;
    let difference = frame.0.difference(from, to);
    if !is_later {
        match protocol {
            PROTOCOL_TCP => frame
                .0
                .amend_transport(transport + TCP_CHECKSUM, difference)?,
            PROTOCOL_UDP | PROTOCOL_UDP_LITE | PROTOCOL_DCCP => {
                frame
                    .0
                    .amend_optional(transport + UDP_CHECKSUM, difference)?;
            }
            PROTOCOL_ICMPV6 => {
                if transport == TRANSPORT_V6 {
                    exchange_quoted_v6(frame, side.other(), from, to)?;
                }
                frame
                    .0
                    .amend_transport(transport + ICMP_CHECKSUM, difference)?;
            }
            _ => {}
        }
    }
    // IPv6 has no checksum of its own that would make up for the address in a sum over the whole packet.
    frame.0.store_v6(IPV6_AT + side.offset_v6(), to)
}

/// The transport protocol, where its header begins, and whether that is in another fragment.
#[inline(always)]
fn transport_v6(frame: &TcFrame) -> Result<(u8, u32, bool), Reason> {
    let next = frame.header::<Ipv6>(ETHERNET)?.next_header;
    match next {
        FRAGMENT => {
            let [next, _, high, low, ..] = *frame.header::<[u8; 8]>(TRANSPORT_V6 as usize)?;
            let is_later = u16::from_be_bytes([high, low]) & !7 != 0;
            let is_known = is_later
                || matches!(
                    next,
                    PROTOCOL_TCP
                        | PROTOCOL_UDP
                        | PROTOCOL_UDP_LITE
                        | PROTOCOL_DCCP
                        | PROTOCOL_ICMPV6
                        | PROTOCOL_SCTP
                );
            if !is_known {
                return Err(Reason::ExtensionHeaders);
            }
            Ok((next, TRANSPORT_V6 + FRAGMENT_LENGTH, is_later))
        }
        HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS => Err(Reason::ExtensionHeaders),
        next => Ok((next, TRANSPORT_V6, false)),
    }
}

#[inline(never)]
fn exchange_quoted_v6(
    frame: &mut TcFrame,
    side: Side,
    from: &Address,
    to: &Address,
) -> Result<(), Reason> {
    const QUOTED: u32 = TRANSPORT_V6 + QUOTE;
    frame.0.ensure(QUOTED + 40);
    let Ok(kind) = frame.header::<u8>(TRANSPORT_V6 as usize) else {
        return Ok(());
    };
    // RFC 4443, 2.1: errors are below 128.
    if *kind >= 128 {
        return Ok(());
    }
    let Ok(quoted) = frame.header::<Ipv6>(QUOTED as usize) else {
        return Ok(());
    };
    let address = match side {
        Side::Source => quoted.source,
        Side::Destination => quoted.destination,
    };
    if Address::from_v6(address) != *from {
        return Ok(());
    }
    let difference = frame.0.difference(from, to);
    frame
        .0
        .amend_payload(TRANSPORT_V6 + ICMP_CHECKSUM, difference)?;
    frame.0.store_quoted_v6(QUOTED + side.offset_v6(), to)
}
