//! Replacing one end of a packet: the address, the port, and SCTP's checksum.

use overlay_common::reason::Reason;
use overlay_ebpf::{
    admission::ETHERNET,
    frame::{Bytes as _, Copied},
    header::{Ipv4, Ipv6, PROTOCOL_SCTP},
    sctp,
    transport::{Part, Transport},
};

use super::super::{
    TcFrame,
    nat::{self, Side},
};
use crate::map::work::Work;

/// Where the checksum stands in an SCTP header.
const SCTP_CHECKSUM: u32 = 8;

/// What stands there until a device or the kernel makes the checksum, for each segment of an aggregate: nothing tells
/// a program whether that is still to come. Once in 2^32 packets it is a true checksum, and the packet is lost.
const NO_CHECKSUM_YET: [u8; 4] = [0; 4];

/// Fails unless the port `old` of a packet can be replaced, and the one at the other end by `work.partner_port`.
#[inline(always)]
pub(super) fn check(work: &Work, old: [u8; 2], new: [u8; 2]) -> Result<(), Reason> {
    let transport = &work.transport;
    let is_other = old != new || work.partner_port != [0; 2];
    let is_sctp = transport.protocol == PROTOCOL_SCTP && is_other;
    if is_sctp && transport.part != Part::Whole {
        return Err(Reason::SctpInParts);
    }
    Ok(())
}

/// Replaces an end of a packet by `work.task` and `work.port`, and the port at the other end by
/// `work.partner_port`.
#[inline(never)]
pub(super) fn end(frame: &mut TcFrame, work: &Work, side: Side) -> Result<(), Reason> {
    let (transport, port) = (&work.transport, work.port);
    if port == [0; 2] {
        return Ok(());
    }
    nat::address(frame, transport, side, &work.task)?;
    if !transport.is_here() || !transport.has_ports() {
        return Ok(());
    }
    exchange(frame, transport, side, port)?;
    if work.partner_port == [0; 2] {
        return Ok(());
    }
    exchange(frame, transport, side.other(), work.partner_port)
}

#[inline(always)]
fn exchange(
    frame: &mut TcFrame,
    transport: &Transport,
    side: Side,
    port: [u8; 2],
) -> Result<(), Reason> {
    if transport.protocol == PROTOCOL_SCTP {
        correct_sctp(frame, transport, side, port)?;
    }
    nat::port(frame, transport, side, port)
}

#[inline(always)]
fn correct_sctp(
    frame: &mut TcFrame,
    transport: &Transport,
    side: Side,
    new: [u8; 2],
) -> Result<(), Reason> {
    let at = match side {
        Side::Source => transport.at,
        Side::Destination => transport.at + 2,
    };
    let Copied(old) = frame.0.copy::<2>(at)?;
    if old == new {
        return Ok(());
    }
    let length = if transport.is_v4 {
        u32::from(frame.header::<Ipv4>(ETHERNET)?.total_length.get())
    } else {
        let payload = frame.header::<Ipv6>(ETHERNET)?.payload_length.get();
        u32::from(payload) + size_of::<Ipv6>() as u32
    };
    let behind = (length + ETHERNET as u32).saturating_sub(at + 2);
    let sum_at = transport.at + SCTP_CHECKSUM;
    let Copied(sum) = frame.0.copy::<4>(sum_at)?;
    if sum == NO_CHECKSUM_YET {
        return Ok(());
    }
    let sum = sctp::corrected(sum, old, new, behind as u16);
    frame.0.store(sum_at, &sum)
}
