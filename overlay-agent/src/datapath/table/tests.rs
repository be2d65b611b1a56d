use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;
use crate::{
    control::planner,
    model::{
        Encap, EndpointEntry, InterfaceEntry, NamespaceEntry, NetworkEntry, PeerEntry, PeerId,
        PortEntry, PortKey, Protocol, RingSpan, RouteEntry,
    },
};

/// Any address but `::`, which stands for none, and the IPv4 addresses spelt as IPv6.
fn address() -> impl Strategy<Value = IpAddr> {
    let v4 = any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from(bits)));
    let v6 = any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from(bits)));
    let is_plain = |address: &IpAddr| match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) => !v6.is_unspecified() && v6.to_ipv4_mapped().is_none(),
    };
    prop_oneof![v4, v6].prop_filter("one spelling", is_plain)
}

fn vni() -> impl Strategy<Value = Vni> {
    (1_u32..1 << 24).prop_map(|number| Vni::try_from(number).unwrap())
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop_oneof![
        Just(Protocol::Tcp),
        Just(Protocol::Udp),
        Just(Protocol::Sctp)
    ]
}

fn mac() -> impl Strategy<Value = MacAddress> {
    let nonzero = any::<[u8; 6]>().prop_filter("no mac", |bytes| bytes != &[0; 6]);
    nonzero.prop_map(MacAddress)
}

fn net() -> impl Strategy<Value = IpNet> {
    (address(), 0_u8..=128).prop_map(|(address, length)| {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        IpNet::new(address, length % (longest + 1)).unwrap().trunc()
    })
}

proptest! {
    #[test]
    fn peers_survive(
        (local, remote, next_hop) in (address(), address(), prop::option::of(address())),
        ifindex: u32,
        mtu: u32,
        encap in prop_oneof![Just(Encap::Native), Just(Encap::Device)],
    ) {
        let entry = PeerEntry { local, remote, next_hop, ifindex, mtu, encap };
        prop_assert_eq!(peer::decode(&peer::encode(&entry)), entry);
    }

    #[test]
    fn peer_addresses_survive(address in address(), number: u32) {
        let (key, value) = peer_address::encode(address, PeerId(number));
        prop_assert_eq!(peer_address::decode(key, value), (address, PeerId(number)));
    }

    #[test]
    fn networks_survive(
        gateway_ipv4 in prop::option::of(address()),
        gateway_ipv6 in prop::option::of(address()),
        mtu: u32,
        is_internal: bool,
        is_encrypted: bool,
    ) {
        let entry = NetworkEntry { gateway_ipv4, gateway_ipv6, mtu, is_internal, is_encrypted };
        prop_assert_eq!(network::decode(&network::encode(&entry)), entry);
    }

    #[test]
    fn routes_survive(
        (vni, address) in (vni(), address()),
        number: u32,
        mac in prop::option::of(mac()),
    ) {
        let at = Place { vni, address };
        let entry = RouteEntry { peer: PeerId(number), mac };
        prop_assert_eq!(place(&place_key(at)), Some(at));
        prop_assert_eq!(route::decode(&route::encode(&entry)), entry);
    }

    #[test]
    fn blocks_survive(vni in vni(), net in net()) {
        prop_assert_eq!(block::decode(&block::encode(vni, net)), Some((vni, net)));
    }

    #[test]
    fn interfaces_survive(
        vni in vni(),
        ipv4 in prop::option::of(address()),
        ipv6 in prop::option::of(address()),
        mac in mac(),
        transit_ipv4 in prop::option::of(address()),
        transit_ipv6 in prop::option::of(address()),
        is_encrypted: bool,
    ) {
        let entry =
            InterfaceEntry { vni, ipv4, ipv6, mac, transit_ipv4, transit_ipv6, is_encrypted };
        prop_assert_eq!(interface::decode(&interface::encode(&entry)), Some(entry));
    }

    #[test]
    fn endpoints_survive(
        ifindex: u32,
        mtu: u32,
        mac in mac(),
        balanced: bool,
        is_encrypted: bool,
    ) {
        let entry = EndpointEntry { ifindex, mac, mtu, balanced, is_encrypted };
        prop_assert_eq!(endpoint::decode(&endpoint::encode(&entry)), entry);
    }

    #[test]
    fn ports_survive(
        (address, protocol) in (address(), protocol()),
        (number, target) in (1_u16.., 1_u16..),
        (everywhere, here) in any::<((u32, u32), (u32, u32))>(),
        (service, vni) in (any::<u32>(), vni()),
        (is_direct_return, is_host, is_encrypted) in any::<(bool, bool, bool)>(),
    ) {
        let key = PortKey { address, protocol, port: number };
        let span = |(first, size)| RingSpan { first, size };
        let entry = PortEntry {
            everywhere: span(everywhere),
            here: span(here),
            service,
            vni,
            target,
            is_direct_return,
            is_host,
            is_encrypted,
        };
        prop_assert_eq!(port::decode_key(&port::encode_key(&key)), Some(key));
        prop_assert_eq!(port::decode(&port::encode(&entry)), Some(entry));
    }

    #[test]
    fn no_port_key_is_misread(bytes: [u8; 24]) {
        let key = overlay_common::service::PortKey {
            address: overlay_common::address::Address::from_v6(bytes[..16].try_into().unwrap()),
            port: [bytes[16], bytes[17]],
            protocol: bytes[18],
            _reserved: bytes[19..].try_into().unwrap(),
        };
        if let Some(decoded) = port::decode_key(&key) {
            prop_assert_eq!(port::encode_key(&decoded), key);
        }
    }

    #[test]
    fn namespaces_survive(networks in prop::collection::vec(vni(), 0..20), is_host: bool) {
        let mut entry = NamespaceEntry::new(networks);
        entry.is_host = is_host;
        prop_assert_eq!(namespace::decode(&namespace::encode(&entry)), Some(entry));
    }

    #[test]
    fn no_block_key_is_misread(prefix in 0_u32..200, vni: [u8; 4], bytes: [u8; 16]) {
        let key = aya::maps::lpm_trie::Key::new(
            prefix,
            overlay_common::route::BlockKey { vni, address: bytes },
        );
        if let Some((vni, net)) = block::decode(&key) {
            let again = block::encode(vni, net);
            prop_assert_eq!(again.prefix_len(), prefix);
            prop_assert_eq!(again.data(), key.data());
        }
    }
}

#[test]
fn plans_and_programs_count_the_same_overhead() {
    assert_eq!(planner::OVERHEAD_V4, overlay_common::peer::OVERHEAD_V4);
    assert_eq!(planner::OVERHEAD_V6, overlay_common::peer::OVERHEAD_V6);
}

#[test]
fn plans_and_programs_mean_the_same_by_a_ring_of_one() {
    assert_eq!(RingSpan::SINGLE, overlay_common::service::RING_SINGLE);
}

#[test]
fn every_address_of_a_family_is_a_key_of_its_own() {
    let key = |address: &str| PortKey {
        address: address.parse().unwrap(),
        protocol: Protocol::Tcp,
        port: 80,
    };

    let v4 = port::encode_key(&key("0.0.0.0"));
    let v6 = port::encode_key(&key("::"));

    assert_eq!(v4.address, overlay_common::service::EVERY_IPV4);
    assert_eq!(v6.address, overlay_common::service::EVERY_IPV6);
    assert_ne!(v4, v6);
}

#[test]
fn entries_and_programs_have_room_for_the_same_networks() {
    let room = overlay_common::socket::NAMESPACE_NETWORKS;
    assert_eq!(crate::model::NAMESPACE_NETWORKS, room);
}

#[test]
fn a_block_of_ipv4_is_a_long_prefix_of_its_mapped_address() {
    let vni = Vni::try_from(0x01_0203).unwrap();

    let key = block::encode(vni, "10.1.0.64/26".parse().unwrap());

    assert_eq!(key.prefix_len(), 32 + 96 + 26);
    assert_eq!(key.data().vni, [0, 1, 2, 3]);
    assert_eq!(
        key.data().address,
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 1, 0, 64]
    );
}
