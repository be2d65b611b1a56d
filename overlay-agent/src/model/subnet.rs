//! What addresses mean inside a subnet, and which subnets containers can have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Longest prefixes that leave a gateway and a container.
const LONGEST_IPV4: u8 = 30;
const LONGEST_IPV6: u8 = 126;

/// Least MTU of a network with IPv6 (RFC 8200, 5) and of one without (RFC 1122, 3.3.3).
const LEAST_MTU_IPV6: u32 = 1280;
const LEAST_MTU_IPV4: u32 = 576;

/// The longest prefix of a subnet of this family that leaves room for a gateway and a container.
pub fn longest_prefix(net: IpNet) -> u8 {
    match net {
        IpNet::V4(_) => LONGEST_IPV4,
        IpNet::V6(_) => LONGEST_IPV6,
    }
}

/// Whether two subnets share an address, which they do only by one holding the other.
pub fn overlap(one: IpNet, other: IpNet) -> bool {
    one.contains(&other) || other.contains(&one)
}

/// Addresses in a subnet that containers cannot have, or that tables could not tell from IPv4 ones.
pub fn unfit_for_containers(net: IpNet) -> Option<&'static str> {
    let v4 = |a, b, c, d, length| Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length).into();
    let v6 = |first, length| {
        Ipv6Net::new_assert(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0), length).into()
    };
    let mapped = Ipv6Net::new_assert(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(), 96).into();
    let loopback = Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128).into();
    let reserved: [(IpNet, &'static str); 8] = [
        (
            v4(0, 0, 0, 0, 8),
            "addresses that mean `this host` (0.0.0.0/8)",
        ),
        (v4(127, 0, 0, 0, 8), "loopback addresses (127.0.0.0/8)"),
        (v4(224, 0, 0, 0, 4), "multicast addresses (224.0.0.0/4)"),
        (v4(240, 0, 0, 0, 4), "reserved addresses (240.0.0.0/4)"),
        (mapped, "IPv4-mapped addresses (::ffff:0:0/96)"),
        (loopback, "the loopback address (::1)"),
        (v6(0xfe80, 10), "link-local addresses (fe80::/10)"),
        (v6(0xff00, 8), "multicast addresses (ff00::/8)"),
    ];
    let hit = reserved.into_iter().find(|(range, _)| overlap(net, *range));
    hit.map(|(_, what)| what)
}

/// What an address of a subnet is that no host can have: `network` or `broadcast`. IPv6 has only the
/// first (RFC 4291, 2.6.1).
pub fn not_a_host(address: IpAddr, subnet: IpNet) -> Option<&'static str> {
    if address == subnet.network() {
        Some("network")
    } else if address == subnet.broadcast() && address.is_ipv4() {
        Some("broadcast")
    } else {
        None
    }
}

/// The first address of a subnet that a host can have: its gateway where none is given.
pub fn first_host(subnet: IpNet) -> IpAddr {
    match subnet {
        IpNet::V4(net) => Ipv4Addr::from_bits(net.network().to_bits() | 1).into(),
        IpNet::V6(net) => Ipv6Addr::from_bits(net.network().to_bits() | 1).into(),
    }
}

/// The least MTU of a network with these subnets, bytes, and the family that asks for it.
pub fn least_mtu(subnets: &[IpNet]) -> (&'static str, u32) {
    if subnets.iter().any(|net| net.addr().is_ipv6()) {
        ("IPv6", LEAST_MTU_IPV6)
    } else {
        ("IPv4", LEAST_MTU_IPV4)
    }
}
