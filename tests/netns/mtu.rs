//! Packets as large as the underlay allows, and no larger.

use std::net::IpAddr;

use anyhow::Result;
use overlay_tests::{
    Counters, Pair, Wiring,
    static_config::Encap,
    traffic::{Capture, Exchange, Fragmentation, Ping, Pinged},
    underlay::{DEVICE, Families},
};

use crate::scene::{addresses, expect_exactly, pair, set_mtu, wire};

/// An Ethernet header, bytes.
const ETHERNET: u32 = 14;

#[test]
fn an_ipv4_underlay_leaves_1450_bytes() {
    fits_exactly(wire(Families::V4), 1450);
}

#[test]
fn an_ipv6_underlay_leaves_1430_bytes() {
    fits_exactly(wire(Families::V6), 1430);
}

#[test]
fn a_narrow_underlay_leaves_less() {
    let narrow = Wiring {
        mtu: 1400,
        ..Wiring::direct()
    };
    fits_exactly(narrow, 1350);
}

#[test]
fn a_jumbo_underlay_leaves_more() {
    let jumbo = Wiring {
        mtu: 9000,
        ..Wiring::direct()
    };
    fits_exactly(jumbo, 8950);
}

/// A packet of exactly `mtu` bytes arrives; the container's own kernel refuses one more byte.
fn fits_exactly(wiring: Wiring, mtu: u32) {
    let pair = pair(wiring, Encap::Native);
    assert_eq!(pair.one.eth0.link.mtu, mtu);
    assert_eq!(pair.two.eth0.link.mtu, mtu);
    for to in addresses(&pair.two) {
        let count = |length| {
            Counters::during([&pair.a], || {
                let pinged = whole(&pair, to, length)?;
                let fits = length <= mtu;
                assert_eq!(pinged.count.is_complete(), fits, "{}", pinged.said);
                assert_ne!(
                    pinged.said.contains("essage too long"),
                    fits,
                    "{}",
                    pinged.said
                );
                Ok(())
            })
            .expect("counters")
        };

        let [largest] = count(mtu);
        let [larger] = count(mtu + 1);

        expect_exactly(&largest, &[("decapsulated", 2), ("encapsulated", 2)]);
        expect_exactly(&larger, &[]);
    }
}

/// Two requests of `length` bytes, IP header included, that nobody may fragment.
fn whole(pair: &Pair, to: IpAddr, length: u32) -> Result<Pinged> {
    let headers = if to.is_ipv4() { 28 } else { 48 };
    let ping = Ping {
        count: 2,
        payload: length - headers,
        fragmentation: Fragmentation::Forbidden,
        ..Ping::new(pair.one.namespace(), to)
    };
    ping.run()
}

#[test]
fn a_container_that_thinks_too_big_is_told_on_an_ipv4_underlay() {
    is_told(&pair(wire(Families::V4), Encap::Native), 1450);
}

#[test]
fn a_container_that_thinks_too_big_is_told_on_an_ipv6_underlay() {
    is_told(&pair(wire(Families::V6), Encap::Native), 1430);
}

#[test]
fn a_container_that_thinks_too_big_is_told_in_device_mode_too() {
    is_told(&pair(wire(Families::V4), Encap::Device), 1450);
}

fn is_told(pair: &Pair, mtu: u32) {
    set_mtu(&pair.one, 1500).expect("a larger MTU");
    let [v4, v6] = addresses(&pair.two);
    let told_v4 = format!("Frag needed and DF set (mtu = {mtu})");
    let told_v6 = format!("Packet too big: mtu={mtu}");
    for (to, told) in [(v4, told_v4), (v6, told_v6)] {
        let [counted] = Counters::during([&pair.a], || {
            let pinged = whole(pair, to, 1500)?;
            assert!(pinged.said.contains(&told), "{}", pinged.said);
            Ok(())
        })
        .expect("counters");

        // The second request is refused by the container's own kernel, which has learned.
        expect_exactly(&counted, &[("mtu-told", 1)]);
        let pinged = whole(pair, to, mtu).expect("a count");
        assert!(pinged.count.is_complete(), "{}", pinged.said);
    }
}

#[test]
fn tcp_finds_the_mtu_in_native_mode() {
    tcp_finds_the_mtu(Encap::Native);
}

#[test]
fn tcp_finds_the_mtu_in_device_mode() {
    tcp_finds_the_mtu(Encap::Device);
}

/// Both ends think that 1500 bytes fit.
fn tcp_finds_the_mtu(encap: Encap) {
    for families in [Families::V4, Families::V6] {
        let pair = pair(wire(families), encap);
        for guest in [&pair.one, &pair.two] {
            set_mtu(guest, 1500).expect("a larger MTU");
        }
        for to in addresses(&pair.two) {
            let exchange = Exchange {
                client: pair.one.namespace(),
                server: pair.two.namespace(),
                address: to,
            };

            let counted = Counters::during([&pair.a, &pair.b], || exchange.tcp(&[1_000_000]))
                .expect("a talk");

            for host in &counted {
                assert!(host.walk("mtu-told") > 0, "{to}: {host:?}");
                assert_eq!(host.losses(), [], "{to}: {host:?}");
            }
        }
    }
}

#[test]
fn no_outer_packet_is_too_large_on_an_ipv4_underlay_without_offloads() {
    stays_within(Families::V4, Encap::Native);
}

#[test]
fn no_outer_packet_is_too_large_on_an_ipv6_underlay_without_offloads() {
    stays_within(Families::V6, Encap::Native);
}

#[test]
fn no_outer_packet_is_too_large_in_device_mode_without_offloads() {
    stays_within(Families::V4, Encap::Device);
}

/// Where neither segmentation nor aggregation hides it, every packet on the wire can be seen.
fn stays_within(families: Families, encap: Encap) {
    let wiring = Wiring {
        offloads: false,
        ..wire(families)
    };
    let pair = pair(wiring, encap);
    for to in addresses(&pair.two) {
        let exchange = Exchange {
            client: pair.one.namespace(),
            server: pair.two.namespace(),
            address: to,
        };
        let directory = pair.session().directory();
        let capture =
            Capture::start(pair.a.namespace(), DEVICE, "udp", 5000, directory).expect("a capture");

        exchange.tcp(&[1_000_000]).expect("a talk");
        exchange.udp(&[1000, 60_000]).expect("datagrams");

        let lengths = capture.stop().expect("lengths");
        let largest = lengths.iter().max();
        assert!(lengths.len() > 1400, "only {} packets", lengths.len());
        assert_eq!(largest, Some(&(wiring.mtu + ETHERNET)), "{to}");
    }
}
