//! What stands behind the IP header: where it begins, and which two ends it names. Unlike the headers before
//! it, it may be anywhere (IPv4 options, IPv6's fragment header), so it is copied, not looked at.

use overlay_common::reason::Reason;
use zerocopy::FromBytes;

use crate::{
    admission::ETHERNET,
    frame::{Bytes, Copied, Frame},
    header::{
        FragmentHeader, Ipv4, Ipv6, PROTOCOL_DCCP, PROTOCOL_FRAGMENT, PROTOCOL_ICMP,
        PROTOCOL_ICMPV6, PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_UDP_LITE, Tcp,
    },
};

/// IPv6 extension headers that stand between the IP header and a transport header that is not looked for
/// (RFC 8200, 4.1): options for each hop, routing, options for the destination.
const EXTENSIONS: [u8; 3] = [0, 43, 60];
/// "More fragments" in IPv4's flags, and in IPv6's.
const MORE_V4: u16 = 0x2000;
const MORE_V6: u16 = 1;

/// How much of an IP packet a frame has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// All of it.
    Whole,
    /// The first fragment, with the ports.
    First,
    /// Another fragment.
    Later,
}

/// The transport header of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transport {
    /// Where it stands in the frame, or in a later fragment the payload.
    pub at: u32,
    /// Common to all fragments of one packet; IPv4's two bytes first.
    pub identification: [u8; 4],
    /// IP protocol.
    pub protocol: u8,
    /// Whether the header is there at all.
    pub part: Part,
    /// Whether it is IPv4.
    pub is_v4: bool,
}

/// What an ICMP message is to a flow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Icmp {
    /// Another protocol.
    No,
    /// A question with an identifier.
    Query,
    /// The answer to one.
    Reply,
    /// About another packet, which it quotes.
    Error,
    /// Anything else.
    Other,
}

/// The two ends of a flow, as far as the transport header tells them apart. Aligned as the verifier wants all
/// that is on the stack.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ends {
    /// Source port, an ICMP identifier, or zero.
    pub source: [u8; 2],
    /// Destination port, the same ICMP identifier, or zero.
    pub destination: [u8; 2],
    /// What it is, if it is ICMP.
    pub icmp: Icmp,
}

impl Transport {
    /// Where the checksum stands, if the pseudo-header is part of it.
    #[inline(always)]
    pub fn pseudo_checksum(&self) -> Option<u32> {
        let offset = match self.protocol {
            PROTOCOL_TCP => 16,
            PROTOCOL_UDP | PROTOCOL_UDP_LITE | PROTOCOL_DCCP => 6,
            PROTOCOL_ICMPV6 if !self.is_v4 => 2,
            _ => return None,
        };
        self.is_here().then_some(self.at + offset)
    }

    /// Where the Internet checksum over the ports stands. SCTP has another.
    #[inline(always)]
    pub fn checksum(&self) -> Option<u32> {
        if self.is_v4 && self.protocol == PROTOCOL_ICMP {
            return self.is_here().then_some(self.at + 2);
        }
        self.pseudo_checksum()
    }

    /// Whether the transport header is in this frame.
    #[inline(always)]
    pub fn is_here(&self) -> bool {
        self.part != Part::Later
    }

    /// Whether it is ICMP of the packet's own family.
    #[inline(always)]
    pub fn is_icmp(&self) -> bool {
        self.protocol
            == if self.is_v4 {
                PROTOCOL_ICMP
            } else {
                PROTOCOL_ICMPV6
            }
    }

    /// Whether it begins with two ports.
    #[inline(always)]
    pub fn has_ports(&self) -> bool {
        matches!(
            self.protocol,
            PROTOCOL_TCP | PROTOCOL_UDP | PROTOCOL_SCTP | PROTOCOL_UDP_LITE | PROTOCOL_DCCP
        )
    }
}

/// Finds the transport header of a frame, or `None` behind extension headers that are not read.
#[inline(always)]
pub fn find<B: Bytes>(frame: &Frame<B>, is_v4: bool) -> Result<Option<Transport>, Reason> {
    if is_v4 {
        let ip = frame.header::<Ipv4>(ETHERNET)?;
        return Ok(Some(behind_v4(ip, ETHERNET as u32)));
    }
    let next = frame.header::<Ipv6>(ETHERNET)?.next_header;
    behind_v6(frame, next, ETHERNET as u32)
}

/// The transport header behind an IPv4 header at `at`.
#[inline(always)]
pub fn behind_v4(ip: &Ipv4, at: u32) -> Transport {
    let flags = ip.flags_offset.get();
    let [first, second] = ip.identification.get().to_be_bytes();
    Transport {
        at: at + ip.header_length(),
        identification: [first, second, 0, 0],
        protocol: ip.protocol,
        part: part(flags & Ipv4::OFFSET != 0, flags & MORE_V4 != 0),
        is_v4: true,
    }
}

/// The transport header behind an IPv6 header at `at` that says `next`.
#[inline(always)]
pub fn behind_v6<B: Bytes>(
    frame: &Frame<B>,
    next: u8,
    at: u32,
) -> Result<Option<Transport>, Reason> {
    let behind = at + size_of::<Ipv6>() as u32;
    let mut transport = Transport {
        at: behind,
        identification: [0; 4],
        protocol: next,
        part: Part::Whole,
        is_v4: false,
    };
    if next == PROTOCOL_FRAGMENT {
        let Copied(bytes) = frame.0.copy::<{ size_of::<FragmentHeader>() }>(behind)?;
        let fragment =
            FragmentHeader::ref_from_bytes(&bytes).map_err(|_never| Reason::Malformed)?;
        let flags = fragment.offset_flags.get();
        transport.at = behind + size_of::<FragmentHeader>() as u32;
        transport.identification = fragment.identification;
        transport.protocol = fragment.next_header;
        transport.part = part(flags >> 3 != 0, flags & MORE_V6 != 0);
    }
    let is_read =
        !EXTENSIONS.contains(&transport.protocol) && transport.protocol != PROTOCOL_FRAGMENT;
    Ok(is_read.then_some(transport))
}

#[inline(always)]
fn part(has_offset: bool, has_more: bool) -> Part {
    match (has_offset, has_more) {
        (true, _) => Part::Later,
        (false, true) => Part::First,
        (false, false) => Part::Whole,
    }
}

/// Reads the ends from a transport header that is in the frame. Eight bytes are enough, so a packet that is
/// quoted in an ICMP error can be read too.
#[inline(always)]
pub fn ends<B: Bytes>(frame: &Frame<B>, transport: &Transport) -> Result<Ends, Reason> {
    if transport.has_ports() {
        let Copied([a, b, c, d, ..]) = frame.0.copy::<8>(transport.at)?;
        return Ok(Ends {
            source: [a, b],
            destination: [c, d],
            icmp: Icmp::No,
        });
    }
    let nameless = Ends {
        source: [0; 2],
        destination: [0; 2],
        icmp: Icmp::No,
    };
    if !transport.is_icmp() {
        return Ok(nameless);
    }
    let Copied([kind, _, _, _, a, b, ..]) = frame.0.copy::<8>(transport.at)?;
    let icmp = icmp(kind, transport.is_v4);
    let is_named = matches!(icmp, Icmp::Query | Icmp::Reply);
    let identifier = if is_named { [a, b] } else { [0; 2] };
    Ok(Ends {
        source: identifier,
        destination: identifier,
        icmp,
    })
}

/// What the type of an ICMP message means (RFC 792, RFC 950; RFC 4443).
#[inline(always)]
fn icmp(kind: u8, is_v4: bool) -> Icmp {
    match (is_v4, kind) {
        (true, 8 | 13 | 15 | 17) | (false, 128) => Icmp::Query,
        (true, 0 | 14 | 16 | 18) | (false, 129) => Icmp::Reply,
        (true, 3 | 4 | 5 | 11 | 12) | (false, 0..128) => Icmp::Error,
        _ => Icmp::Other,
    }
}

/// The flags of a TCP header that is in the frame up to its checksum, or 0 for other protocols.
#[inline(always)]
pub fn tcp_flags<B: Bytes>(frame: &Frame<B>, transport: &Transport) -> Result<u8, Reason> {
    if transport.protocol != PROTOCOL_TCP || !transport.is_here() {
        return Ok(0);
    }
    let Copied([flags, ..]) = frame.0.copy::<5>(transport.at + 13)?;
    Ok(flags)
}

/// Whether these flags begin a TCP connection.
#[inline(always)]
pub fn is_start(flags: u8) -> bool {
    flags & (Tcp::SYN | Tcp::ACK | Tcp::RST) == Tcp::SYN
}

#[cfg(test)]
mod tests;
