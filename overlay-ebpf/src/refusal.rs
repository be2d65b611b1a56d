//! What a sender is told whose packet nobody takes, at once instead of silence: a reset for TCP, an ICMP error
//! for everything else. Both seem to come from the address that was asked.

use zerocopy::{
    IntoBytes,
    network_endian::{U16, U32},
};

use crate::{
    answer::{error_v4, error_v6, turn_back, write_ipv6},
    checksum::Checksum,
    header::{
        DestinationUnreachable, Ethernet, Ipv4, Ipv6, PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP,
        PacketTooBig, Tcp, headers,
    },
};

/// Length of a TCP header without options, in 32-bit words, where the header has it.
const NO_OPTIONS: u16 = 5 << 12;

headers! {
    /// A TCP reset over IPv4 in its frame.
    pub struct ResetV4 [54] {
        /// To the sender.
        pub ethernet: Ethernet,
        /// To the sender.
        pub ip: Ipv4,
        /// The reset.
        pub tcp: Tcp,
    }

    /// A TCP reset over IPv6 in its frame.
    pub struct ResetV6 [74] {
        /// To the sender.
        pub ethernet: Ethernet,
        /// To the sender.
        pub ip: Ipv6,
        /// The reset.
        pub tcp: Tcp,
    }
}

/// Resets the connection of an IPv4 packet without options.
#[inline(always)]
pub fn reset_v4(ethernet: &Ethernet, ip: &Ipv4, tcp: &Tcp, answer: &mut ResetV4) {
    turn_back(ethernet, &mut answer.ethernet);
    answer.ip = Ipv4 {
        version_ihl: Ipv4::VERSION_IHL,
        tos: 0,
        total_length: U16::new(40),
        identification: U16::ZERO,
        flags_offset: U16::new(Ipv4::DONT_FRAGMENT),
        ttl: 64,
        protocol: PROTOCOL_TCP,
        checksum: U16::ZERO,
        source: ip.destination,
        destination: ip.source,
    };
    answer.ip.checksum = U16::new(Checksum::default().over(answer.ip.as_bytes()).finish());
    let payload = ip.total_length.get().saturating_sub(20);
    reset(tcp, payload, &mut answer.tcp);
    let sum = Checksum::default()
        .over(&answer.ip.source)
        .over(&answer.ip.destination);
    answer.tcp.checksum = sealed(sum, &answer.tcp);
}

/// Resets the connection of an IPv6 packet without extension headers.
#[inline(always)]
pub fn reset_v6(ethernet: &Ethernet, ip: &Ipv6, tcp: &Tcp, answer: &mut ResetV6) {
    turn_back(ethernet, &mut answer.ethernet);
    write_ipv6(
        &ip.destination,
        &ip.source,
        20,
        PROTOCOL_TCP,
        &mut answer.ip,
    );
    reset(tcp, ip.payload_length.get(), &mut answer.tcp);
    let sum = Checksum::default()
        .over(&answer.ip.source)
        .over(&answer.ip.destination);
    answer.tcp.checksum = sealed(sum, &answer.tcp);
}

/// RFC 9293, 3.10.7.1: where the packet acknowledges, the reset says what it expects next; otherwise it
/// acknowledges all that the packet has. `length`: of the TCP header and its payload.
#[inline(always)]
fn reset(tcp: &Tcp, length: u16, answer: &mut Tcp) {
    let [flags, header] = tcp.offset_flags.get().to_le_bytes();
    let (numbers, flags) = if flags & Tcp::ACK != 0 {
        ((tcp.acknowledged, U32::ZERO), Tcp::RST)
    } else {
        let header = u16::from(header >> 4) * 4;
        let counted = u32::from(length.saturating_sub(header))
            + u32::from(flags & Tcp::SYN != 0)
            + u32::from(flags & Tcp::FIN != 0);
        let next = tcp.sequence.get().wrapping_add(counted);
        ((U32::ZERO, U32::new(next)), Tcp::RST | Tcp::ACK)
    };
    let [a, b, c, d] = tcp.ports;
    *answer = Tcp {
        ports: [c, d, a, b],
        sequence: numbers.0,
        acknowledged: numbers.1,
        offset_flags: U16::new(NO_OPTIONS | u16::from(flags)),
        window: U16::ZERO,
        checksum: U16::ZERO,
        urgent: U16::ZERO,
    };
}

#[inline(always)]
fn sealed(addresses: Checksum, tcp: &Tcp) -> U16 {
    let sum = addresses
        .add_word(u16::from(PROTOCOL_TCP))
        .add_word(size_of::<Tcp>() as u16)
        .over(tcp.as_bytes());
    U16::new(sum.finish())
}

/// Refuses an IPv4 packet without options. UDP hears that there is no such port, SCTP that there is no such
/// protocol (which ends its attempt; RFC 9260, 10), the rest that there is no such host.
#[inline(always)]
pub fn unreachable_v4(
    ethernet: &Ethernet,
    ip: &Ipv4,
    start: &[u8; 8],
    answer: &mut DestinationUnreachable,
) {
    let code = match ip.protocol {
        PROTOCOL_UDP => 3,
        PROTOCOL_SCTP => 2,
        _ => 1,
    };
    error_v4(ethernet, ip, start, [3, code], 0, answer);
}

/// Refuses an IPv6 packet: no such port for UDP and SCTP, no such address for the rest.
#[inline(always)]
pub fn unreachable_v6(ethernet: &Ethernet, ip: &Ipv6, start: &[u8; 8], answer: &mut PacketTooBig) {
    let code = match ip.next_header {
        PROTOCOL_UDP | PROTOCOL_SCTP => 4,
        _ => 3,
    };
    error_v6(ethernet, ip, start, [1, code], 0, answer);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zerocopy::FromZeros;

    use super::*;
    use crate::header::{ETHERTYPE_IPV4, PROTOCOL_ICMP, PROTOCOL_ICMPV6};

    const ETHERNET: Ethernet = Ethernet {
        destination: [2; 6],
        source: [4; 6],
        ethertype: ETHERTYPE_IPV4,
    };

    fn ipv4(protocol: u8, total_length: u16) -> Ipv4 {
        Ipv4 {
            version_ihl: 0x45,
            total_length: U16::new(total_length),
            protocol,
            source: [10, 0, 0, 2],
            destination: [10, 0, 0, 9],
            ..Ipv4::new_zeroed()
        }
    }

    fn ipv6(next_header: u8, payload_length: u16) -> Ipv6 {
        Ipv6 {
            next_header,
            payload_length: U16::new(payload_length),
            source: [2; 16],
            destination: [9; 16],
            ..Ipv6::new_zeroed()
        }
    }

    fn tcp(flags: u8, words: u16) -> Tcp {
        Tcp {
            ports: [0x9c, 0x40, 0, 80],
            sequence: U32::new(u32::MAX),
            acknowledged: U32::new(77),
            offset_flags: U16::new(words << 12 | u16::from(flags)),
            ..Tcp::new_zeroed()
        }
    }

    fn pseudo(source: &[u8], destination: &[u8], protocol: u8, length: usize) -> Checksum {
        Checksum::default()
            .over(source)
            .over(destination)
            .add_word(u16::from(protocol))
            .add_word(length as u16)
    }

    #[test]
    fn an_acknowledging_packet_is_reset_at_the_number_it_expects() {
        let mut answer = ResetV4::new_zeroed();
        reset_v4(&ETHERNET, &ipv4(6, 1500), &tcp(Tcp::ACK, 8), &mut answer);

        assert_eq!(answer.ethernet.destination, ETHERNET.source);
        assert_eq!(answer.ip.source, [10, 0, 0, 9]);
        assert_eq!(answer.ip.destination, [10, 0, 0, 2]);
        assert_eq!(answer.tcp.ports, [0, 80, 0x9c, 0x40]);
        assert_eq!(answer.tcp.sequence.get(), 77);
        assert_eq!(answer.tcp.offset_flags.get(), 0x5004);
    }

    #[test]
    fn a_syn_is_acknowledged_with_all_it_has() {
        let mut answer = ResetV6::new_zeroed();
        reset_v6(
            &ETHERNET,
            &ipv6(6, 40 + 100),
            &tcp(Tcp::SYN, 10),
            &mut answer,
        );

        assert_eq!(answer.tcp.sequence.get(), 0);
        assert_eq!(answer.tcp.acknowledged.get(), 100);
        assert_eq!(answer.tcp.offset_flags.get(), 0x5014);
        assert_eq!(answer.ip.source, [9; 16]);
    }

    #[test]
    fn every_protocol_hears_what_it_understands() {
        for (protocol, v4_code, v6_code) in [(17, 3, 4), (132, 2, 4), (1, 1, 3), (47, 1, 3)] {
            let mut v4 = DestinationUnreachable::new_zeroed();
            unreachable_v4(&ETHERNET, &ipv4(protocol, 60), &[1; 8], &mut v4);
            let mut v6 = PacketTooBig::new_zeroed();
            unreachable_v6(&ETHERNET, &ipv6(protocol, 60), &[1; 8], &mut v6);

            assert_eq!((v4.kind, v4.code, v4.mtu.get()), (3, v4_code, 0));
            assert_eq!((v6.kind, v6.code, v6.mtu.get()), (1, v6_code, 0));
            assert_eq!(v4.original, ipv4(protocol, 60));
            assert_eq!(v4.ip.protocol, PROTOCOL_ICMP);
            assert_eq!(v6.original, ipv6(protocol, 60));
            assert_eq!(v6.ip.next_header, PROTOCOL_ICMPV6);
            assert_eq!(Checksum::default().over(&v4.as_bytes()[34..]).finish(), 0);
            let sum = pseudo(&v6.ip.source, &v6.ip.destination, 58, 56);
            assert_eq!(sum.over(&v6.as_bytes()[54..]).finish(), 0);
        }
    }

    proptest! {
        #[test]
        fn resets_have_right_checksums(ports: [u8; 4], sequence: u32, acknowledged: u32, flags: u16, length: u16) {
            let tcp = Tcp {
                ports,
                sequence: U32::new(sequence),
                acknowledged: U32::new(acknowledged),
                offset_flags: U16::new(flags),
                ..Tcp::new_zeroed()
            };
            let (mut v4, mut v6) = (ResetV4::new_zeroed(), ResetV6::new_zeroed());

            reset_v4(&ETHERNET, &ipv4(6, length), &tcp, &mut v4);
            reset_v6(&ETHERNET, &ipv6(6, length), &tcp, &mut v6);

            prop_assert_eq!(Checksum::default().over(v4.ip.as_bytes()).finish(), 0);
            let sum = pseudo(&v4.ip.source, &v4.ip.destination, 6, 20);
            prop_assert_eq!(sum.over(v4.tcp.as_bytes()).finish(), 0);
            let sum = pseudo(&v6.ip.source, &v6.ip.destination, 6, 20);
            prop_assert_eq!(sum.over(v6.tcp.as_bytes()).finish(), 0);
        }
    }
}
