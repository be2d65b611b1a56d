//! Packets in pieces: those that a container cuts itself, and those that only the outer packet can be cut of.

use overlay_tests::{
    Counters, Pair,
    cluster::Guest,
    static_config::Encap,
    traffic::{Exchange, Fragmentation, Ping},
    underlay::Families,
};

use crate::scene::{
    addresses, answers, expect_exactly, expect_only, neighbour, pair, set_mtu, wire,
};

/// Payloads of three packets and of more than forty.
const LARGE: [usize; 2] = [4000, 60_000];

#[test]
fn large_datagrams_arrive_whole_on_one_host() {
    let pair = pair(wire(Families::V4), Encap::Native);
    let near = neighbour(&pair);

    let [counted] = Counters::during([&pair.a], || {
        large_datagrams(&pair.one, &near);
        Ok(())
    })
    .expect("counters");

    expect_only(&counted, &["local"]);
}

#[test]
fn large_datagrams_arrive_whole_on_an_ipv4_underlay() {
    cross_whole(
        Families::V4,
        Encap::Native,
        &["decapsulated", "encapsulated"],
    );
}

#[test]
fn large_datagrams_arrive_whole_on_an_ipv6_underlay() {
    cross_whole(
        Families::V6,
        Encap::Native,
        &["decapsulated", "encapsulated"],
    );
}

#[test]
fn large_datagrams_arrive_whole_in_device_mode() {
    cross_whole(Families::V4, Encap::Device, &["device", "tunnelled"]);
    cross_whole(Families::V6, Encap::Device, &["device", "tunnelled"]);
}

fn cross_whole(families: Families, encap: Encap, walks: &[&str]) {
    let pair = pair(wire(families), encap);

    let counted = Counters::during([&pair.a, &pair.b], || {
        large_datagrams(&pair.one, &pair.two);
        Ok(())
    })
    .expect("counters");

    for host in &counted {
        expect_only(host, walks);
    }
}

fn large_datagrams(from: &Guest, to: &Guest) {
    for address in addresses(to) {
        let exchange = Exchange {
            client: from.namespace(),
            server: to.namespace(),
            address,
        };
        exchange.udp(&LARGE).expect("datagrams");
        let ping = Ping {
            payload: 60_000,
            ..Ping::new(from.namespace(), address)
        };
        answers(ping).expect("answers");
    }
}

#[test]
fn what_may_be_fragmented_is_left_to_the_kernel() {
    let pair = pair(wire(Families::V4), Encap::Native);

    let counted = oversized(&pair);

    for host in &counted {
        let expected = [("fallback", 3), ("left-to-kernel", 3), ("tunnelled", 3)];
        expect_exactly(host, &expected);
    }
}

#[test]
fn what_may_be_fragmented_arrives_in_device_mode() {
    let pair = pair(wire(Families::V4), Encap::Device);

    let counted = oversized(&pair);

    for host in &counted {
        expect_exactly(host, &[("fallback", 3), ("tunnelled", 3)]);
    }
}

/// Three packets of 2500 bytes each way.
fn oversized(pair: &Pair) -> [Counters; 2] {
    let ping = oversized_ping(pair, 2500 - 28);
    let action = || answers(ping).map(drop);
    Counters::during([&pair.a, &pair.b], action).expect("answers")
}

/// Requests from a container that thinks that 3000 bytes fit to another one, which anybody may fragment.
fn oversized_ping(pair: &Pair, payload: u32) -> Ping<'_> {
    for guest in [&pair.one, &pair.two] {
        set_mtu(guest, 3000).expect("a larger MTU");
    }
    Ping {
        payload,
        fragmentation: Fragmentation::Allowed,
        ..Ping::new(pair.one.namespace(), pair.two.v4().into())
    }
}

#[test]
fn fragments_of_fragments_are_put_together_again() {
    let pair = pair(wire(Families::V4), Encap::Native);
    let ping = oversized_ping(&pair, 60_000);

    let action = || answers(ping).map(drop);
    let counted = Counters::during([&pair.a, &pair.b], action).expect("answers");

    for host in &counted {
        assert!(host.walk("fallback") >= 60, "{host:?}");
        assert_eq!(host.walk("fallback"), host.walk("tunnelled"), "{host:?}");
        assert_eq!(host.losses(), [], "{host:?}");
    }
}

/// The kernel fragments no outer IPv6 packet, so containers are made to fragment by themselves.
#[test]
fn what_may_be_fragmented_is_fragmented_inside_on_an_ipv6_underlay() {
    inside(Encap::Native, 60_000, &["decapsulated", "encapsulated"]);
    inside(Encap::Device, 2500 - 28, &["device", "tunnelled"]);
}

fn inside(encap: Encap, payload: u32, walks: &[&str]) {
    let pair = pair(wire(Families::V6), encap);
    let ping = oversized_ping(&pair, payload);

    let learning = Counters::during([&pair.a, &pair.b], || ping.run().map(drop));
    let action = || answers(ping).map(drop);
    let knowing = Counters::during([&pair.a, &pair.b], action).expect("answers");

    for host in learning.expect("counters") {
        assert_eq!(host.walk("mtu-told"), 1, "{host:?}");
        assert_eq!(host.walk("fallback"), 0, "{host:?}");
    }
    for host in knowing {
        expect_only(&host, walks);
    }
}
