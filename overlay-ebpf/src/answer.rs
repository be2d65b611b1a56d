//! The packets that the data plane makes itself, as whole frames back to the asker. They are written in
//! place: the stack of a program has no room to put them together.

use overlay_common::address::Mac;
use zerocopy::{
    IntoBytes,
    network_endian::{U16, U32},
};

use crate::{
    checksum::Checksum,
    header::{
        Arp, DestinationUnreachable, ETHERTYPE_ARP, ETHERTYPE_IPV6, Ethernet, Ipv4, Ipv6,
        LinkLayerOption, NeighbourAdvertisement, PROTOCOL_ICMP, PROTOCOL_ICMPV6, PacketTooBig,
        headers,
    },
};

/// All nodes on the link (RFC 4291, 2.7.1).
const ALL_NODES: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const ALL_NODES_MAC: Mac = [0x33, 0x33, 0, 0, 0, 1];

headers! {
    /// An ARP answer in its frame.
    pub struct ArpFrame [42] {
        /// To the asker.
        pub ethernet: Ethernet,
        /// The answer.
        pub message: Arp,
    }

    /// A neighbour advertisement in its frame.
    pub struct NeighbourFrame [86] {
        /// To the asker.
        pub ethernet: Ethernet,
        /// The answer.
        pub message: NeighbourAdvertisement,
    }
}

/// Answers an ARP question: its target is at `mac`.
#[inline(always)]
pub fn arp(question: &Arp, mac: Mac, answer: &mut ArpFrame) {
    answer.ethernet = Ethernet {
        destination: question.sender_mac,
        source: mac,
        ethertype: ETHERTYPE_ARP,
    };
    answer.message = Arp {
        operation: Arp::REPLY,
        sender_mac: mac,
        sender: question.target,
        target_mac: question.sender_mac,
        target: question.sender,
        ..*question
    };
}

/// Answers a neighbour solicitation: its target is at `mac`. A nameless asker (`::`) is told through
/// the address of all nodes (RFC 4861, 7.2.4).
#[inline(always)]
pub fn neighbour(
    asker: &Ethernet,
    ip: &Ipv6,
    target: [u8; 16],
    mac: Mac,
    answer: &mut NeighbourFrame,
) {
    answer.ethernet.source = mac;
    answer.ethernet.ethertype = ETHERTYPE_IPV6;
    let solicited = if ip.source == [0; 16] {
        answer.ethernet.destination = ALL_NODES_MAC;
        write_ipv6(
            &target,
            &ALL_NODES,
            32,
            PROTOCOL_ICMPV6,
            &mut answer.message.ip,
        );
        0
    } else {
        answer.ethernet.destination = asker.source;
        write_ipv6(
            &target,
            &ip.source,
            32,
            PROTOCOL_ICMPV6,
            &mut answer.message.ip,
        );
        NeighbourAdvertisement::SOLICITED
    };
    let message = &mut answer.message;
    message.kind = NeighbourAdvertisement::TYPE;
    message.code = 0;
    message.checksum = U16::ZERO;
    message.flags = U32::new(solicited | NeighbourAdvertisement::OVERRIDE);
    message.target = target;
    message.option = LinkLayerOption {
        kind: 2,
        length: 1,
        mac,
    };
    message.checksum = U16::new(icmpv6(&message.ip).over(&message.as_bytes()[40..]).finish());
}

/// Tells the sender of an IPv4 packet without options that `mtu` bytes are the most that fit.
#[inline(always)]
pub fn fragmentation_needed(
    ethernet: &Ethernet,
    ip: &Ipv4,
    start: &[u8; 8],
    mtu: u16,
    answer: &mut DestinationUnreachable,
) {
    error_v4(ethernet, ip, start, [3, 4], mtu, answer);
}

/// Tells the sender of an IPv6 packet that `mtu` bytes are the most that fit.
#[inline(always)]
pub fn packet_too_big(
    ethernet: &Ethernet,
    ip: &Ipv6,
    start: &[u8; 8],
    mtu: u32,
    answer: &mut PacketTooBig,
) {
    error_v6(ethernet, ip, start, [2, 0], mtu, answer);
}

/// An ICMP error about an IPv4 packet without options. One segment has no router to speak, so the destination itself
/// seems to say it.
#[inline(always)]
pub(crate) fn error_v4(
    ethernet: &Ethernet,
    ip: &Ipv4,
    start: &[u8; 8],
    kind_code: [u8; 2],
    mtu: u16,
    answer: &mut DestinationUnreachable,
) {
    turn_back(ethernet, &mut answer.ethernet);
    answer.ip = Ipv4 {
        version_ihl: Ipv4::VERSION_IHL,
        tos: 0,
        total_length: U16::new(56),
        identification: U16::ZERO,
        flags_offset: U16::new(Ipv4::DONT_FRAGMENT),
        ttl: 64,
        protocol: PROTOCOL_ICMP,
        checksum: U16::ZERO,
        source: ip.destination,
        destination: ip.source,
    };
    [answer.kind, answer.code] = kind_code;
    answer.checksum = U16::ZERO;
    answer.unused = U16::ZERO;
    answer.mtu = U16::new(mtu);
    answer.original = *ip;
    answer.original_start = *start;
    answer.ip.checksum = U16::new(Checksum::default().over(answer.ip.as_bytes()).finish());
    answer.checksum = U16::new(Checksum::default().over(&answer.as_bytes()[34..]).finish());
}

/// An ICMP error about an IPv6 packet.
#[inline(always)]
pub(crate) fn error_v6(
    ethernet: &Ethernet,
    ip: &Ipv6,
    start: &[u8; 8],
    kind_code: [u8; 2],
    mtu: u32,
    answer: &mut PacketTooBig,
) {
    turn_back(ethernet, &mut answer.ethernet);
    write_ipv6(
        &ip.destination,
        &ip.source,
        56,
        PROTOCOL_ICMPV6,
        &mut answer.ip,
    );
    [answer.kind, answer.code] = kind_code;
    answer.checksum = U16::ZERO;
    answer.mtu = U32::new(mtu);
    answer.original = *ip;
    answer.original_start = *start;
    answer.checksum = U16::new(icmpv6(&answer.ip).over(&answer.as_bytes()[54..]).finish());
}

#[inline(always)]
pub(crate) fn turn_back(ethernet: &Ethernet, answer: &mut Ethernet) {
    answer.destination = ethernet.source;
    answer.source = ethernet.destination;
    answer.ethertype = ethernet.ethertype;
}

#[inline(always)]
pub(crate) fn write_ipv6(
    source: &[u8; 16],
    destination: &[u8; 16],
    payload_length: u16,
    next_header: u8,
    ip: &mut Ipv6,
) {
    ip.version_class_label = U32::new(6 << 28);
    ip.payload_length = U16::new(payload_length);
    ip.next_header = next_header;
    ip.hop_limit = 255;
    ip.source = *source;
    ip.destination = *destination;
}

/// The sum over the pseudo-header (RFC 8200, 8.1).
#[inline(always)]
fn icmpv6(ip: &Ipv6) -> Checksum {
    Checksum::default()
        .over(&ip.source)
        .over(&ip.destination)
        .add_word(ip.payload_length.get())
        .add_word(u16::from(PROTOCOL_ICMPV6))
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;
    use crate::header::ETHERTYPE_IPV4;

    fn ipv6(source: [u8; 16], destination: [u8; 16], payload_length: u16) -> Ipv6 {
        let mut ip = Ipv6::new_zeroed();
        write_ipv6(
            &source,
            &destination,
            payload_length,
            PROTOCOL_ICMPV6,
            &mut ip,
        );
        ip
    }

    const ASKER: Mac = [2, 0x42, 10, 0, 0, 1];
    const TARGET: Mac = [2, 0x42, 10, 0, 0, 2];

    fn asker() -> Ethernet {
        Ethernet {
            destination: TARGET,
            source: ASKER,
            ethertype: ETHERTYPE_IPV6,
        }
    }

    #[test]
    fn an_arp_answer_swaps_the_two_and_says_where_the_target_is() {
        let question = Arp {
            hardware: U16::new(1),
            protocol: ETHERTYPE_IPV4,
            lengths: [6, 4],
            operation: Arp::REQUEST,
            sender_mac: ASKER,
            sender: [10, 0, 0, 1],
            target_mac: [0; 6],
            target: [10, 0, 0, 2],
        };

        let mut answer = ArpFrame::new_zeroed();
        arp(&question, TARGET, &mut answer);

        assert_eq!(answer.ethernet.destination, ASKER);
        assert_eq!(answer.ethernet.source, TARGET);
        assert_eq!(answer.message.operation, Arp::REPLY);
        assert_eq!(
            (answer.message.sender_mac, answer.message.sender),
            (TARGET, [10, 0, 0, 2])
        );
        assert_eq!(
            (answer.message.target_mac, answer.message.target),
            (ASKER, [10, 0, 0, 1])
        );
    }

    #[test]
    fn a_neighbour_answer_has_a_right_checksum_and_goes_to_the_asker() {
        let target = [0xfd; 16];
        let question = ipv6([0xfc; 16], ALL_NODES, 32);

        let mut answer = NeighbourFrame::new_zeroed();
        neighbour(&asker(), &question, target, TARGET, &mut answer);

        assert_eq!(
            icmpv6(&answer.message.ip)
                .over(&answer.as_bytes()[54..])
                .finish(),
            0
        );
        assert_eq!(answer.message.ip.destination, [0xfc; 16]);
        assert_eq!(answer.ethernet.destination, ASKER);
        assert_eq!(answer.message.flags.get(), 0x6000_0000);
        assert_eq!(answer.message.option.mac, TARGET);
    }

    #[test]
    fn a_nameless_asker_is_answered_through_all_nodes() {
        let question = ipv6([0; 16], ALL_NODES, 24);

        let mut answer = NeighbourFrame::new_zeroed();
        neighbour(&asker(), &question, [0xfd; 16], TARGET, &mut answer);

        assert_eq!(answer.message.ip.destination, ALL_NODES);
        assert_eq!(answer.ethernet.destination, ALL_NODES_MAC);
        assert_eq!(answer.message.flags.get(), 0x2000_0000);
    }

    #[test]
    fn mtu_errors_have_right_checksums_and_carry_the_start_of_the_packet() {
        let ip = Ipv4 {
            version_ihl: 0x45,
            tos: 0,
            total_length: U16::new(1500),
            identification: U16::new(7),
            flags_offset: U16::new(Ipv4::DONT_FRAGMENT),
            ttl: 64,
            protocol: 6,
            checksum: U16::new(0x1234),
            source: [10, 0, 0, 1],
            destination: [10, 0, 0, 2],
        };

        let mut v4 = DestinationUnreachable::new_zeroed();
        fragmentation_needed(&asker(), &ip, &[1, 2, 3, 4, 5, 6, 7, 8], 1450, &mut v4);
        let mut v6 = PacketTooBig::new_zeroed();
        packet_too_big(
            &asker(),
            &ipv6([1; 16], [2; 16], 1460),
            &[9; 8],
            1430,
            &mut v6,
        );

        assert_eq!(Checksum::default().over(v4.ip.as_bytes()).finish(), 0);
        assert_eq!(Checksum::default().over(&v4.as_bytes()[34..]).finish(), 0);
        assert_eq!(
            (v4.mtu.get(), v4.ip.destination, v4.original),
            (1450, [10, 0, 0, 1], ip)
        );
        assert_eq!(icmpv6(&v6.ip).over(&v6.as_bytes()[54..]).finish(), 0);
        assert_eq!((v6.mtu.get(), v6.ip.destination), (1430, [1; 16]));
    }
}
