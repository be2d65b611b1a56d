//! What may take the way out of a container, and what may come back on it.

use overlay_common::{
    address::Address,
    node::{DNS_IPV4, DNS_IPV6, DNS_PORT},
    reason::Reason,
};

use crate::{
    admission::{ETHERNET, Packet},
    frame::{Bytes, Frame},
    header::{Ipv4, Ipv6, PROTOCOL_TCP, PROTOCOL_UDP},
};

/// Whether an address is this node's for DNS.
#[inline(always)]
pub fn is_dns(address: &Address) -> bool {
    *address == Address::from_v4(DNS_IPV4) || *address == Address::from_v6(DNS_IPV6)
}

/// Whether an address has a meaning on one link only.
#[inline(always)]
pub fn is_link_local(address: &Address) -> bool {
    if address.is_v4() {
        let [a, b, ..] = address.last_four();
        (a, b) == (169, 254)
    } else {
        let [a, b, ..] = address.bytes();
        a == 0xfe && b & 0xc0 == 0x80
    }
}

/// The source of a packet.
#[inline(always)]
pub fn source<B: Bytes>(frame: &Frame<B>, is_v4: bool) -> Result<Address, Reason> {
    if is_v4 {
        Ok(Address::from_v4(frame.header::<Ipv4>(ETHERNET)?.source))
    } else {
        Ok(Address::from_v6(frame.header::<Ipv6>(ETHERNET)?.source))
    }
}

/// Source and destination port where they are at their usual place, as they stand on the wire; 0 where they
/// are not. Of an `Option` LLVM makes a register that is read before anything is in it, which the verifier
/// refuses.
#[inline(always)]
pub fn ports<B: Bytes>(frame: &Frame<B>, packet: &Packet) -> ([u8; 2], [u8; 2]) {
    let has_ports = packet.protocol == PROTOCOL_TCP || packet.protocol == PROTOCOL_UDP;
    if !has_ports || !packet.is_plain {
        return ([0; 2], [0; 2]);
    }
    let ports = if packet.is_v4 {
        frame.header::<[u8; 4]>(ETHERNET + size_of::<Ipv4>())
    } else {
        frame.header::<[u8; 4]>(ETHERNET + size_of::<Ipv6>())
    };
    match ports {
        Ok([a, b, c, d]) => ([*a, *b], [*c, *d]),
        Err(_) => ([0; 2], [0; 2]),
    }
}

/// Whether a container asks this node's DNS.
#[inline(always)]
pub fn asks_dns<B: Bytes>(frame: &Frame<B>, packet: &Packet) -> bool {
    is_dns(&packet.destination) && ports(frame, packet).1 == DNS_PORT
}

/// Whether this node's DNS answers a container.
#[inline(always)]
pub fn is_dns_answer<B: Bytes>(frame: &Frame<B>, packet: &Packet) -> bool {
    source(frame, packet.is_v4).is_ok_and(|source| is_dns(&source))
        && ports(frame, packet).0 == DNS_PORT
}

/// Whether a packet would be taken for this node's own VXLAN by other nodes, since it leaves with this node's
/// address.
#[inline(always)]
pub fn looks_like_tunnel<B: Bytes>(frame: &Frame<B>, packet: &Packet, port: u16) -> bool {
    packet.protocol == PROTOCOL_UDP && u16::from_be_bytes(ports(frame, packet).1) == port
}

/// Whether a packet has no hop left for a router to take.
#[inline(always)]
pub fn is_at_its_last_hop<B: Bytes>(frame: &Frame<B>, packet: &Packet) -> Result<bool, Reason> {
    let hops = if packet.is_v4 {
        frame.header::<Ipv4>(ETHERNET)?.ttl
    } else {
        frame.header::<Ipv6>(ETHERNET)?.hop_limit
    };
    Ok(hops <= 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DNS: Address = Address::from_v4(DNS_IPV4);

    fn packet(destination: Address, protocol: u8) -> Packet {
        Packet {
            destination,
            class: 0,
            is_v4: true,
            dont_fragment: true,
            is_plain: true,
            protocol,
        }
    }

    fn frame(ports: [u8; 4]) -> [u8; 38] {
        let mut bytes = [0; 38];
        bytes[ETHERNET] = 0x45;
        bytes[34..].copy_from_slice(&ports);
        bytes
    }

    #[test]
    fn only_port_53_of_one_address_is_dns() {
        let bytes = frame([200, 1, 0, 53]);
        let other = frame([200, 1, 0, 80]);

        assert!(asks_dns(&Frame(&bytes[..]), &packet(DNS, PROTOCOL_UDP)));
        assert!(asks_dns(&Frame(&bytes[..]), &packet(DNS, PROTOCOL_TCP)));
        assert!(!asks_dns(&Frame(&other[..]), &packet(DNS, PROTOCOL_UDP)));
        assert!(!asks_dns(&Frame(&bytes[..]), &packet(DNS, 1)));
        let elsewhere = packet(Address::from_v4([192, 0, 2, 1]), PROTOCOL_UDP);
        assert!(!asks_dns(&Frame(&bytes[..]), &elsewhere));
        let fragment = Packet {
            is_plain: false,
            ..packet(DNS, PROTOCOL_UDP)
        };
        assert!(!asks_dns(&Frame(&bytes[..]), &fragment));
    }

    #[test]
    fn a_tunnel_is_known_by_its_port() {
        let bytes = frame([200, 1, 0x12, 0xb5]);
        let away = Address::from_v4([192, 0, 2, 1]);

        let frame = Frame(&bytes[..]);
        assert!(looks_like_tunnel(&frame, &packet(away, PROTOCOL_UDP), 4789));
        assert!(!looks_like_tunnel(
            &frame,
            &packet(away, PROTOCOL_UDP),
            4790
        ));
        assert!(!looks_like_tunnel(
            &frame,
            &packet(away, PROTOCOL_TCP),
            4789
        ));
    }

    #[test]
    fn link_local_is_known_in_both_families() {
        for (address, expected) in [
            (Address::from_v4([169, 254, 1, 1]), true),
            (Address::from_v4([169, 253, 1, 1]), false),
            (
                Address::from_v6([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
                true,
            ),
            (Address::from_v6(DNS_IPV6), false),
        ] {
            assert_eq!(is_link_local(&address), expected, "{address:?}");
        }
    }
}
