//! Whether a packet fits the way to its peer, and what its sender is told if not.

use overlay_common::{peer, reason::Reason};

use crate::{
    admission::{ETHERNET, Packet},
    frame::{Bytes, Frame},
    header::{Ipv4, Ipv6, PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP, Tcp, Udp},
};

/// Largest inner layer-3 packet for a peer, bytes.
#[inline(always)]
pub fn inner_mtu(peer: &peer::Peer) -> u32 {
    let overhead = if peer.remote.is_v4() {
        peer::OVERHEAD_V4
    } else {
        peer::OVERHEAD_V6
    };
    peer.mtu.saturating_sub(overhead)
}

/// The layer-3 length of what will be on the wire: the packet itself, or the largest segment that an
/// aggregate of `gso_size` payload bytes is cut into.
#[inline(always)]
pub fn segment_length<B: Bytes>(
    frame: &Frame<B>,
    packet: &Packet,
    length: u32,
    gso_size: u32,
) -> Result<u32, Reason> {
    if gso_size == 0 || !packet.is_plain {
        return Ok(length.saturating_sub(ETHERNET as u32));
    }
    let (ip, transport) = if packet.is_v4 {
        (
            size_of::<Ipv4>() as u32,
            transport_length::<B, { ETHERNET + 20 }>(frame, packet.protocol)?,
        )
    } else {
        (
            size_of::<Ipv6>() as u32,
            transport_length::<B, { ETHERNET + 40 }>(frame, packet.protocol)?,
        )
    };
    Ok(ip + transport + gso_size)
}

#[inline(always)]
fn transport_length<B: Bytes, const AT: usize>(
    frame: &Frame<B>,
    protocol: u8,
) -> Result<u32, Reason> {
    match protocol {
        PROTOCOL_TCP => Ok(u32::from(frame.header::<Tcp>(AT)?.offset_flags.get() >> 12) * 4),
        PROTOCOL_UDP => Ok(size_of::<Udp>() as u32),
        _ => Ok(0),
    }
}

/// What happens to a packet that does not fit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Oversize {
    /// The sender learns the MTU.
    Tell,
    /// The kernel's device fragments the outer packet, as it would without us.
    Fragment,
    /// Nobody may be told (RFC 1122, 3.2.2; RFC 4443, 2.4): it is an error message itself.
    Drop,
}

/// Decides about a packet that does not fit. `first` is the first byte behind the IP header, the type
/// of an ICMP message.
#[inline(always)]
pub fn oversize(packet: &Packet, first: u8) -> Oversize {
    if !packet.dont_fragment || !packet.is_plain {
        return Oversize::Fragment;
    }
    let is_error = match packet.protocol {
        PROTOCOL_ICMP => packet.is_v4 && first != 0 && first != 8,
        PROTOCOL_ICMPV6 => !packet.is_v4 && first < 128,
        _ => false,
    };
    if is_error {
        Oversize::Drop
    } else {
        Oversize::Tell
    }
}

#[cfg(test)]
mod tests {
    use overlay_common::address::Address;
    use zerocopy::FromZeros;

    use super::*;

    fn packet(is_v4: bool, protocol: u8) -> Packet {
        Packet {
            destination: Address::UNSPECIFIED,
            class: 0,
            is_v4,
            dont_fragment: true,
            is_plain: true,
            protocol,
        }
    }

    #[test]
    fn the_underlay_leaves_fifty_bytes_less_or_seventy() {
        let mut peer = peer::Peer::new_zeroed();
        peer.mtu = 1500;

        peer.remote = Address::from_v4([192, 0, 2, 1]);
        assert_eq!(inner_mtu(&peer), 1450);

        peer.remote = Address::from_v6([0x20; 16]);
        assert_eq!(inner_mtu(&peer), 1430);

        peer.mtu = 40;
        assert_eq!(inner_mtu(&peer), 0);
    }

    #[test]
    fn an_aggregate_is_measured_by_its_segments() {
        let mut bytes = [0_u8; 100];
        bytes[ETHERNET + 20 + 12] = 0x80;
        let frame = Frame(&bytes[..]);

        let tcp = segment_length(&frame, &packet(true, PROTOCOL_TCP), 60_000, 1398);
        let whole = segment_length(&frame, &packet(true, PROTOCOL_TCP), 1464, 0);

        assert_eq!(tcp, Ok(20 + 32 + 1398));
        assert_eq!(whole, Ok(1450));
    }

    #[test]
    fn errors_are_never_answered_with_errors() {
        assert_eq!(oversize(&packet(true, PROTOCOL_ICMP), 3), Oversize::Drop);
        assert_eq!(oversize(&packet(true, PROTOCOL_ICMP), 8), Oversize::Tell);
        assert_eq!(oversize(&packet(false, PROTOCOL_ICMPV6), 2), Oversize::Drop);
        assert_eq!(
            oversize(&packet(false, PROTOCOL_ICMPV6), 128),
            Oversize::Tell
        );
        assert_eq!(oversize(&packet(true, PROTOCOL_TCP), 3), Oversize::Tell);
    }

    #[test]
    fn what_may_be_fragmented_is() {
        let mut packet = packet(true, PROTOCOL_UDP);
        packet.dont_fragment = false;

        assert_eq!(oversize(&packet, 0), Oversize::Fragment);
    }
}
