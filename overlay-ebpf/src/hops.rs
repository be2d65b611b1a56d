//! What a container is told whose packet has no hop left for the way out.

use overlay_common::address::Address;
use zerocopy::{IntoBytes, network_endian::U16};

use crate::{
    answer,
    checksum::Checksum,
    header::{DestinationUnreachable, Ethernet, Ipv4, Ipv6, PROTOCOL_ICMPV6, PacketTooBig},
};

/// Tells the sender of an IPv4 packet without options that its hops are used up (RFC 792). `gateway` says it.
#[inline(always)]
pub fn used_up_v4(
    ethernet: &Ethernet,
    ip: &Ipv4,
    start: &[u8; 8],
    gateway: &Address,
    answer: &mut DestinationUnreachable,
) {
    // The message has the form of the one about the MTU.
    answer::fragmentation_needed(ethernet, ip, start, 0, answer);
    answer.ip.source = gateway.last_four();
    answer.ip.checksum = U16::ZERO;
    answer.ip.checksum = U16::new(Checksum::default().over(answer.ip.as_bytes()).finish());
    (answer.kind, answer.code) = (11, 0);
    answer.checksum = U16::ZERO;
    answer.checksum = U16::new(Checksum::default().over(&answer.as_bytes()[34..]).finish());
}

/// Tells the sender of an IPv6 packet that its hops are used up (RFC 4443, 3.3).
#[inline(always)]
pub fn used_up_v6(
    ethernet: &Ethernet,
    ip: &Ipv6,
    start: &[u8; 8],
    gateway: &Address,
    answer: &mut PacketTooBig,
) {
    answer::packet_too_big(ethernet, ip, start, 0, answer);
    answer.ip.source = gateway.bytes();
    (answer.kind, answer.code) = (3, 0);
    answer.checksum = U16::ZERO;
    let sum = Checksum::default()
        .over(&answer.ip.source)
        .over(&answer.ip.destination)
        .add_word(answer.ip.payload_length.get())
        .add_word(u16::from(PROTOCOL_ICMPV6))
        .over(&answer.as_bytes()[54..]);
    answer.checksum = U16::new(sum.finish());
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros as _;

    use super::*;

    #[test]
    fn the_gateway_says_it_with_right_checksums() {
        let ethernet = Ethernet::new_zeroed();
        let mut ip = Ipv4::new_zeroed();
        (ip.source, ip.destination) = ([10, 1, 0, 2], [192, 0, 2, 9]);
        let mut ip6 = Ipv6::new_zeroed();
        (ip6.source, ip6.destination) = ([1; 16], [2; 16]);

        let mut v4 = DestinationUnreachable::new_zeroed();
        used_up_v4(
            &ethernet,
            &ip,
            &[7; 8],
            &Address::from_v4([10, 1, 0, 1]),
            &mut v4,
        );
        let mut v6 = PacketTooBig::new_zeroed();
        used_up_v6(
            &ethernet,
            &ip6,
            &[7; 8],
            &Address::from_v6([3; 16]),
            &mut v6,
        );

        assert_eq!(
            (v4.ip.source, v4.ip.destination),
            ([10, 1, 0, 1], ip.source)
        );
        assert_eq!((v4.kind, v4.code, v4.mtu.get()), (11, 0, 0));
        assert_eq!(Checksum::default().over(v4.ip.as_bytes()).finish(), 0);
        assert_eq!(Checksum::default().over(&v4.as_bytes()[34..]).finish(), 0);
        assert_eq!((v6.ip.source, v6.kind, v6.code), ([3; 16], 3, 0));
        let sum = Checksum::default()
            .over(&v6.ip.source)
            .over(&v6.ip.destination)
            .add_word(v6.ip.payload_length.get())
            .add_word(u16::from(PROTOCOL_ICMPV6))
            .over(&v6.as_bytes()[54..]);
        assert_eq!(sum.finish(), 0);
    }
}
