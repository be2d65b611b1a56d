//! Whether a packet fits the way to its peer, and what its sender is told if not.

use overlay_common::{encryption, peer, reason::Reason};

use crate::{
    admission::{ETHERNET, Packet},
    cover::Cover,
    frame::{Bytes, Frame},
    header::{Ipv4, Ipv6, PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP, Tcp, Udp},
};

/// What the kernel says in the place of a segment's length where each segment of an aggregate has its own (`GSO_BY_FRAGS`):
/// SCTP's.
const BY_PARTS: u32 = 0xffff;

/// Largest inner layer-3 packet for a peer, bytes.
#[inline(always)]
pub fn inner_mtu(peer: &peer::Peer, cover: Cover) -> u32 {
    let (overhead, header) = if peer.remote.is_v4() {
        (peer::OVERHEAD_V4, size_of::<Ipv4>() as u32)
    } else {
        (peer::OVERHEAD_V6, size_of::<Ipv6>() as u32)
    };
    let outer = match cover {
        Cover::Plain => peer.mtu,
        Cover::Encrypted => header + encryption::payload(peer.mtu.saturating_sub(header)),
    };
    outer.saturating_sub(overhead)
}

/// The layer-3 length of what will be on the wire: the packet itself, or the largest segment that an
/// aggregate of `gso_size` payload bytes is cut into. Nothing tells how long SCTP's are: 0, as its sender knows the MTU
/// of its own device, and what is longer nevertheless, the kernel's vxlan device fragments.
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
    if gso_size == BY_PARTS {
        return Ok(0);
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
    /// Nobody may be told (RFC 1122, 3.2.2; RFC 4443, 2.4): it is an error message itself, or the rest of
    /// a fragmented packet.
    Drop,
}

/// Decides about a packet that does not fit the way to `peer`.
///
/// The kernel's device fragments outer IPv4 packets only (`ip6_fragment` refuses what a tunnel made). On an
/// IPv6 underlay the sender is told even if it allows fragments: it then makes smaller ones itself.
#[inline(always)]
pub fn oversize<B: Bytes>(
    frame: &Frame<B>,
    packet: &Packet,
    peer: &peer::Peer,
) -> Result<Oversize, Reason> {
    if peer.remote.is_v4() && (!packet.dont_fragment || !packet.is_plain) {
        return Ok(Oversize::Fragment);
    }
    if is_untold(frame, packet)? {
        Ok(Oversize::Drop)
    } else {
        Ok(Oversize::Tell)
    }
}

/// Whether nobody may be told what became of a packet.
#[inline(always)]
pub fn is_untold<B: Bytes>(frame: &Frame<B>, packet: &Packet) -> Result<bool, Reason> {
    if !packet.is_v4 {
        let kind = *frame.header::<u8>(ETHERNET + size_of::<Ipv6>())?;
        return Ok(packet.protocol == PROTOCOL_ICMPV6 && kind < 128);
    }
    let ip = frame.header::<Ipv4>(ETHERNET)?;
    // The message quotes a header without options, and what follows must be the start of the payload.
    if ip.version_ihl != Ipv4::VERSION_IHL || ip.is_later_fragment() {
        return Ok(true);
    }
    let kind = *frame.header::<u8>(ETHERNET + size_of::<Ipv4>())?;
    Ok(packet.protocol == PROTOCOL_ICMP && kind != 0 && kind != 8)
}

#[cfg(test)]
mod tests {
    use overlay_common::address::Address;
    use zerocopy::FromZeros;

    use super::*;
    use crate::header::PROTOCOL_SCTP;

    const V4: &[u8] = &[192, 0, 2, 1];
    const V6: &[u8] = &[0x20; 16];

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

    fn peer(remote: &[u8]) -> peer::Peer {
        let mut peer = peer::Peer::new_zeroed();
        peer.mtu = 1500;
        peer.remote = match remote {
            [a, b, c, d] => Address::from_v4([*a, *b, *c, *d]),
            bytes => Address::from_v6(bytes.try_into().expect("16 bytes")),
        };
        peer
    }

    /// What happens to `packet`, whose payload begins with `first` and whose IPv4 header says `offset`.
    fn decision(packet: &Packet, first: u8, offset: u16, remote: &[u8]) -> Oversize {
        let mut bytes = [0_u8; 100];
        let payload = ETHERNET + if packet.is_v4 { 20 } else { 40 };
        bytes[ETHERNET] = 0x45;
        bytes[ETHERNET + 6..ETHERNET + 8].copy_from_slice(&offset.to_be_bytes());
        bytes[payload] = first;
        oversize(&Frame(&bytes[..]), packet, &peer(remote)).expect("long enough")
    }

    #[test]
    fn the_underlay_leaves_fifty_bytes_less_or_seventy() {
        assert_eq!(inner_mtu(&peer(V4), Cover::Plain), 1450);
        assert_eq!(inner_mtu(&peer(V6), Cover::Plain), 1430);
        for cover in [Cover::Plain, Cover::Encrypted] {
            let narrow = peer::Peer {
                mtu: 40,
                ..peer(V4)
            };
            assert_eq!(inner_mtu(&narrow, cover), 0);
        }
    }

    #[test]
    fn esp_takes_its_part_in_whole_blocks() {
        assert_eq!(inner_mtu(&peer(V4), Cover::Encrypted), 1416);
        assert_eq!(inner_mtu(&peer(V6), Cover::Encrypted), 1396);
        for mtu in 1280..1600 {
            let peer = peer::Peer { mtu, ..peer(V4) };
            let inner = inner_mtu(&peer, Cover::Encrypted);

            // Outer IPv4, ESP's two headers, what it encrypts, its check value.
            let wire = |inner: u32| 20 + 16 + (inner + 30 + 2).next_multiple_of(4) + 16;
            assert!(wire(inner) <= mtu && wire(inner + 1) > mtu, "{mtu}");
        }
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
        let sctp = segment_length(&frame, &packet(true, PROTOCOL_SCTP), 60_000, BY_PARTS);
        assert_eq!(sctp, Ok(0));
    }

    #[test]
    fn errors_are_never_answered_with_errors() {
        let decision = |is_v4, protocol, first| decision(&packet(is_v4, protocol), first, 0, V4);

        assert_eq!(decision(true, PROTOCOL_ICMP, 3), Oversize::Drop);
        assert_eq!(decision(true, PROTOCOL_ICMP, 8), Oversize::Tell);
        assert_eq!(decision(false, PROTOCOL_ICMPV6, 2), Oversize::Drop);
        assert_eq!(decision(false, PROTOCOL_ICMPV6, 128), Oversize::Tell);
        assert_eq!(decision(true, PROTOCOL_TCP, 3), Oversize::Tell);
    }

    #[test]
    fn what_may_be_fragmented_is_where_the_kernel_does_it() {
        let packet = Packet {
            dont_fragment: false,
            ..packet(true, PROTOCOL_UDP)
        };

        assert_eq!(decision(&packet, 0, 0, V4), Oversize::Fragment);
        assert_eq!(decision(&packet, 0, 0, V6), Oversize::Tell);
    }

    #[test]
    fn only_the_first_fragment_tells_its_sender() {
        let packet = Packet {
            dont_fragment: false,
            is_plain: false,
            ..packet(true, PROTOCOL_UDP)
        };

        assert_eq!(decision(&packet, 0, 0x2000, V6), Oversize::Tell);
        assert_eq!(decision(&packet, 0, 0x2010, V6), Oversize::Drop);
        assert_eq!(decision(&packet, 0, 0x2010, V4), Oversize::Fragment);
    }
}
