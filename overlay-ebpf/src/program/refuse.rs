//! Telling a container at once that nobody takes its packet.

use overlay_common::{reason::Reason, walk::Walk};
use overlay_ebpf::{
    admission::{ETHERNET, Packet},
    header::{Ipv4, Ipv6, PROTOCOL_TCP, Tcp},
    path_mtu, refusal,
    transport::{self, Part, Transport},
};

use super::{TcFrame, answer, outlined::outlined};
use crate::map::{scratch, work::Work};

/// Turns a packet from a container into its refusal, or drops it for `reason` where nobody may be told.
#[inline(always)]
pub(super) fn to_container(
    frame: &mut TcFrame,
    work: &mut Work,
    reason: Reason,
) -> Result<Walk, Reason> {
    outlined(frame, work, Walk::Reset, |frame, work| {
        refuse(frame, &work.packet, &work.transport, reason)
    })
}

#[inline(always)]
fn refuse(
    frame: &mut TcFrame,
    packet: &Packet,
    transport: &Transport,
    reason: Reason,
) -> Result<Walk, Reason> {
    let usual = ETHERNET as u32 + if packet.is_v4 { 20 } else { 40 };
    let is_plain = transport.at == usual && transport.part == Part::Whole;
    if is_plain && transport.protocol == PROTOCOL_TCP {
        if transport::tcp_flags(frame, transport)? & Tcp::RST != 0 {
            return Err(reason);
        }
        return reset(frame, packet.is_v4);
    }
    if transport.part == Part::Later || path_mtu::is_untold(frame, packet)? {
        return Err(reason);
    }
    unreachable(frame, packet.is_v4)
}

#[inline(always)]
fn reset(frame: &mut TcFrame, is_v4: bool) -> Result<Walk, Reason> {
    let ethernet = frame.header(0)?;
    if is_v4 {
        let ip = frame.header(ETHERNET)?;
        let tcp = frame.header(ETHERNET + size_of::<Ipv4>())?;
        let reply = scratch::fill(|reply| refusal::reset_v4(ethernet, ip, tcp, reply))?;
        answer::turn_into(frame, reply)?;
    } else {
        let ip = frame.header(ETHERNET)?;
        let tcp = frame.header(ETHERNET + size_of::<Ipv6>())?;
        let reply = scratch::fill(|reply| refusal::reset_v6(ethernet, ip, tcp, reply))?;
        answer::turn_into(frame, reply)?;
    }
    Ok(Walk::Reset)
}

#[inline(always)]
fn unreachable(frame: &mut TcFrame, is_v4: bool) -> Result<Walk, Reason> {
    let ethernet = frame.header(0)?;
    if is_v4 {
        let ip = frame.header(ETHERNET)?;
        let start = frame.header(ETHERNET + size_of::<Ipv4>())?;
        let reply = scratch::fill(|reply| refusal::unreachable_v4(ethernet, ip, start, reply))?;
        answer::turn_into(frame, reply)?;
    } else {
        let ip = frame.header(ETHERNET)?;
        let start = frame.header(ETHERNET + size_of::<Ipv6>())?;
        let reply = scratch::fill(|reply| refusal::unreachable_v6(ethernet, ip, start, reply))?;
        answer::turn_into(frame, reply)?;
    }
    Ok(Walk::Unreachable)
}
