//! Exchanging one address of a packet for another that stands in for it, in the packet that an ICMP error quotes
//! as well.

use overlay_common::{address::Address, reason::Reason};
use overlay_ebpf::{
    admission::ETHERNET,
    header::{Ipv4, Ipv6},
    transport::{self, Part, Transport},
};

use super::{
    TcFrame,
    nat::{self, Side},
};

const TRANSPORT_V4: u32 = ETHERNET as u32 + 20;
const TRANSPORT_V6: u32 = ETHERNET as u32 + 40;
/// Where the quoted packet stands behind an ICMP header.
const QUOTE: u32 = 8;

/// Puts `to` in the place of `from`, which the packet has at this side; in the quote of an ICMP error at the other. Before the first
/// write errors say what is wrong with the packet, after it that it is torn.
#[inline(always)]
pub(super) fn exchange(
    frame: &mut TcFrame,
    side: Side,
    from: &Address,
    to: &Address,
) -> Result<(), Reason> {
    let transport = transport::find(frame, from.is_v4())?.ok_or(Reason::ExtensionHeaders)?;
    let is_usual = transport.at
        == if transport.is_v4 {
            TRANSPORT_V4
        } else {
            TRANSPORT_V6
        };
    let is_known = transport.has_ports() || transport.is_icmp();
    if !transport.is_v4 && !is_usual && transport.is_here() && !is_known {
        return Err(Reason::ExtensionHeaders);
    }
    if is_usual && transport.is_icmp() && transport.part != Part::Later {
        exchange_quoted(frame, &transport, side.other(), from, to)?;
    }
    nat::address(frame, &transport, side, to)
}

/// What quotes no packet with this address, or not enough of one, is left as it is.
#[inline(never)]
fn exchange_quoted(
    frame: &mut TcFrame,
    error: &Transport,
    side: Side,
    from: &Address,
    to: &Address,
) -> Result<(), Reason> {
    let (source, destination) = if error.is_v4 {
        frame.0.ensure(TRANSPORT_V4 + QUOTE + 20);
        let Ok(kind) = frame.header::<u8>(TRANSPORT_V4 as usize) else {
            return Ok(());
        };
        // Unreachable, quench, redirect, time exceeded, parameter problem (RFC 792).
        if !matches!(*kind, 3 | 4 | 5 | 11 | 12) {
            return Ok(());
        }
        let Ok(quoted) = frame.header::<Ipv4>((TRANSPORT_V4 + QUOTE) as usize) else {
            return Ok(());
        };
        (
            Address::from_v4(quoted.source),
            Address::from_v4(quoted.destination),
        )
    } else {
        frame.0.ensure(TRANSPORT_V6 + QUOTE + 40);
        let Ok(kind) = frame.header::<u8>(TRANSPORT_V6 as usize) else {
            return Ok(());
        };
        // RFC 4443, 2.1: errors are below 128.
        if *kind >= 128 {
            return Ok(());
        }
        let Ok(quoted) = frame.header::<Ipv6>((TRANSPORT_V6 + QUOTE) as usize) else {
            return Ok(());
        };
        (
            Address::from_v6(quoted.source),
            Address::from_v6(quoted.destination),
        )
    };
    let quoted = match side {
        Side::Source => source,
        Side::Destination => destination,
    };
    if quoted != *from {
        return Ok(());
    }
    nat::quoted_address(frame, error, error.at + QUOTE, side, (from, to))
}
