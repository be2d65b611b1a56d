//! Replacing addresses and ports of a packet. Each is a function of its own to the kernel too, so that the
//! walks that rewrite share one copy of it. None gives the packet back unchanged after an error: it is torn.

use overlay_common::{address::Address, flow::FlowKey, reason::Reason};
use overlay_ebpf::{
    admission::ETHERNET,
    checksum, flow,
    frame::{Bytes, Copied},
    header::{PROTOCOL_UDP, PROTOCOL_UDP_LITE},
    quote::Quote,
    transport::Transport,
};

use super::TcFrame;
use crate::context::Change;

/// Which end of a packet.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Side {
    /// The sender.
    Source,
    /// The receiver.
    Destination,
}

/// Where the frame's own IP header stands.
const IP: u32 = ETHERNET as u32;
/// Where the checksum stands in an IPv4 header, and in an ICMP message.
const IP_CHECKSUM: u32 = 10;
const ICMP_CHECKSUM: u32 = 2;

impl Side {
    /// An ICMP error goes the other way than what it is about.
    #[inline(always)]
    pub(super) fn other(self) -> Self {
        match self {
            Self::Source => Self::Destination,
            Self::Destination => Self::Source,
        }
    }

    /// Where the address stands, counted from the IP header.
    #[inline(always)]
    fn address_at(self, is_v4: bool) -> u32 {
        match (self, is_v4) {
            (Self::Source, true) => 12,
            (Self::Destination, true) => 16,
            (Self::Source, false) => 8,
            (Self::Destination, false) => 24,
        }
    }

    /// Where the port stands, counted from the transport header.
    #[inline(always)]
    fn port_at(self, transport: &Transport) -> u32 {
        match self {
            // An ICMP message has one identifier for both ends.
            _ if transport.is_icmp() => 4,
            Self::Source => 0,
            Self::Destination => 2,
        }
    }
}

/// Replaces an address.
#[inline(never)]
pub(super) fn address(
    frame: &mut TcFrame,
    transport: &Transport,
    side: Side,
    new: &Address,
) -> Result<(), Reason> {
    let at = IP + side.address_at(transport.is_v4);
    let (source, destination) = flow::addresses(frame, transport.is_v4)?;
    let old = match side {
        Side::Source => source,
        Side::Destination => destination,
    };
    if transport.is_v4 {
        let (from, to) = (word(&old), word(new));
        if let Some(sum) = transport.pseudo_checksum() {
            let change = Change::PseudoWord(from, to);
            frame.0.correct(sum, has_optional_sum(transport), change)?;
        }
        frame.0.correct_ip(IP + IP_CHECKSUM, from, to)?;
        return frame.0.store(at, &new.last_four());
    }
    if let Some(sum) = transport.pseudo_checksum() {
        let change = Change::Pseudo(checksum::difference(&old, new));
        frame.0.correct(sum, has_optional_sum(transport), change)?;
    }
    // The kernel keeps a device's sum over the whole packet as if there were an IP checksum that made up for
    // the address. IPv6 has none, so the address itself must be counted too.
    frame.0.store_summed(at, &new.bytes())
}

/// Replaces a port, or an ICMP identifier. SCTP's checksum is left as it was.
#[inline(never)]
pub(super) fn port(
    frame: &mut TcFrame,
    transport: &Transport,
    side: Side,
    new: [u8; 2],
) -> Result<(), Reason> {
    if !transport.is_here() {
        return Ok(());
    }
    let at = transport.at + side.port_at(transport);
    if let Some(sum) = transport.checksum() {
        let Copied(old) = frame.0.copy::<2>(at)?;
        let change = Change::Half(u16::from_ne_bytes(old), u16::from_ne_bytes(new));
        frame.0.correct(sum, has_optional_sum(transport), change)?;
    }
    frame.0.store(at, &new)
}

/// Makes an ICMP error quote a packet of the flow `original`.
#[inline(never)]
pub(super) fn requote(
    frame: &mut TcFrame,
    error: &Transport,
    quote: &Quote,
    original: &FlowKey,
) -> Result<(), Reason> {
    if quote.source != original.source {
        let change = (&quote.source, &original.source);
        quoted_address(frame, error, quote.ip_at, Side::Source, change)?;
    }
    if quote.destination != original.destination {
        let change = (&quote.destination, &original.destination);
        quoted_address(frame, error, quote.ip_at, Side::Destination, change)?;
    }
    if quote.ends.source != original.source_port {
        quoted_port(frame, error, quote, Side::Source, original.source_port)?;
    }
    if quote.ends.destination != original.destination_port {
        let port = original.destination_port;
        quoted_port(frame, error, quote, Side::Destination, port)?;
    }
    Ok(())
}

/// Replaces an address, the first by the second, of the packet that an ICMP error quotes. Its IP header stands at
/// `ip_at`.
#[inline(always)]
pub(super) fn quoted_address(
    frame: &mut TcFrame,
    error: &Transport,
    ip_at: u32,
    side: Side,
    (old, new): (&Address, &Address),
) -> Result<(), Reason> {
    let at = ip_at + side.address_at(error.is_v4);
    if error.is_v4 {
        // What the address changes in the sum over the message, its header's checksum makes up for.
        let checksum = ip_at + IP_CHECKSUM;
        frame.0.correct_ip(checksum, word(old), word(new))?;
        return frame.0.store(at, &new.last_four());
    }
    let change = Change::Payload(checksum::difference(old, new));
    frame.0.correct(error.at + ICMP_CHECKSUM, false, change)?;
    frame.0.store(at, &new.bytes())
}

/// An IPv4 address as it stands in memory.
#[inline(always)]
fn word(address: &Address) -> u32 {
    u32::from_ne_bytes(address.last_four())
}

/// Replaces a port of the packet that an ICMP error quotes.
#[inline(always)]
fn quoted_port(
    frame: &mut TcFrame,
    error: &Transport,
    quote: &Quote,
    side: Side,
    new: [u8; 2],
) -> Result<(), Reason> {
    let at = quote.transport.at + side.port_at(&quote.transport);
    let Copied(old) = frame.0.copy::<2>(at)?;
    let change = Change::Half(u16::from_ne_bytes(old), u16::from_ne_bytes(new));
    frame.0.correct(error.at + ICMP_CHECKSUM, false, change)?;
    frame.0.store(at, &new)
}

/// Whether a checksum of zero means that there is none.
#[inline(always)]
fn has_optional_sum(transport: &Transport) -> bool {
    matches!(transport.protocol, PROTOCOL_UDP | PROTOCOL_UDP_LITE)
}
