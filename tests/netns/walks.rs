//! Which way packets take: on one host, between hosts, over both families, by both kinds of encapsulation.

use std::net::IpAddr;

use overlay_tests::{
    Binaries, Container, Counters, Host, Pair, Session, Underlay, Wiring,
    cluster::{self, Guest, RED},
    static_config::Encap,
    traffic::{Ping, ping},
    underlay::Families,
};

use crate::scene::{
    addresses, answers, converse, expect_exactly, expect_only, greet, neighbour, pair, talk, wire,
};

#[test]
fn containers_of_one_host_talk_without_the_underlay() {
    let pair = pair(wire(Families::V4), Encap::Native);
    let near = neighbour(&pair);

    let [greeting, silent] =
        Counters::during([&pair.a, &pair.b], || greet(&pair.one, &near)).expect("a greeting");
    let [talking, _] =
        Counters::during([&pair.a, &pair.b], || talk(&pair.one, &near)).expect("a talk");

    expect_exactly(&greeting, &[("local", 12)]);
    expect_exactly(&silent, &[]);
    expect_only(&talking, &["local"]);
}

#[test]
fn the_program_encapsulates_on_an_ipv4_underlay() {
    crosses_natively(&pair(wire(Families::V4), Encap::Native));
}

#[test]
fn the_program_encapsulates_on_an_ipv6_underlay() {
    crosses_natively(&pair(wire(Families::V6), Encap::Native));
}

fn crosses_natively(pair: &Pair) {
    let hosts = [&pair.a, &pair.b];

    let greeting = Counters::during(hosts, || greet(&pair.one, &pair.two)).expect("a greeting");
    let talking = Counters::during(hosts, || talk(&pair.one, &pair.two)).expect("a talk");
    let answering = Counters::during(hosts, || talk(&pair.two, &pair.one)).expect("a talk back");

    for counted in &greeting {
        expect_exactly(counted, &[("decapsulated", 6), ("encapsulated", 6)]);
    }
    for counted in talking.iter().chain(&answering) {
        expect_only(counted, &["decapsulated", "encapsulated"]);
    }
}

#[test]
fn the_kernels_device_encapsulates_on_an_ipv4_underlay() {
    crosses_by_device(&pair(wire(Families::V4), Encap::Device));
}

#[test]
fn the_kernels_device_encapsulates_on_an_ipv6_underlay() {
    crosses_by_device(&pair(wire(Families::V6), Encap::Device));
}

fn crosses_by_device(pair: &Pair) {
    let hosts = [&pair.a, &pair.b];

    let greeting = Counters::during(hosts, || greet(&pair.one, &pair.two)).expect("a greeting");
    let talking = Counters::during(hosts, || talk(&pair.one, &pair.two)).expect("a talk");
    let answering = Counters::during(hosts, || talk(&pair.two, &pair.one)).expect("a talk back");

    for counted in &greeting {
        expect_exactly(counted, &[("device", 6), ("tunnelled", 6)]);
    }
    for counted in talking.iter().chain(&answering) {
        expect_only(counted, &["device", "tunnelled"]);
    }
}

#[test]
fn neighbours_are_answered_for_by_the_node_itself() {
    let pair = pair(wire(Families::V4), Encap::Native);

    let [a, b] =
        Counters::during([&pair.a, &pair.b], || greet(&pair.one, &pair.two)).expect("a greeting");

    for counted in [&a, &b] {
        assert!(counted.walk("arp-answered") > 0, "{counted:?}");
        assert!(counted.walk("neighbour-answered") > 0, "{counted:?}");
    }
    // Nothing but the greeting itself crossed the underlay.
    expect_exactly(&a, &[("decapsulated", 6), ("encapsulated", 6)]);
}

#[test]
fn a_container_on_two_networks_talks_on_both() {
    let pair = pair(wire(Families::V4), Encap::Native);
    let blue = neighbour(&pair);
    let red = Container::new(pair.session(), "red").expect("a container");
    let red_address: IpAddr = red
        .attach(&pair.b, RED, &[])
        .expect("attached")
        .need_v4()
        .expect("an address")
        .into();

    let second = pair
        .one
        .attach(&pair.a, RED, &[])
        .expect("attached to both");

    assert_eq!(second.link.name, "eth1");
    talk(&pair.one, &blue).expect("a talk on blue, near");
    talk(&pair.one, &pair.two).expect("a talk on blue, far");
    answers(Ping::new(pair.one.namespace(), red_address)).expect("an answer on red");
    converse(pair.one.namespace(), red.namespace(), red_address).expect("a talk on red");
    let back = second.need_v4().expect("an address").into();
    answers(Ping::new(red.namespace(), back)).expect("an answer on red, backwards");
}

#[test]
fn every_container_of_three_hosts_reaches_every_other() {
    let session = Session::for_test().expect("a session");
    let underlay = Underlay::build(&session, "u", &["a", "b", "c"], Wiring::default())
        .expect("an underlay of three");
    let config = cluster::config(underlay.machines());
    let binaries = Binaries::find().expect("binaries");
    let hosts: Vec<Host> = underlay
        .machines()
        .iter()
        .map(|machine| Host::start(&session, "host", machine, &config, &binaries).expect("a host"))
        .collect();
    let guests: Vec<Guest> = hosts
        .iter()
        .flat_map(|host| [1, 2].map(|number| (host, format!("{}{number}", host.name()))))
        .map(|(host, name)| Guest::new(&session, host, &name).expect("a container"))
        .collect();

    for from in &guests {
        for to in guests.iter().filter(|to| to.name() != from.name()) {
            for address in addresses(to) {
                let count = ping(from.namespace(), address, 1).expect("a count");
                assert!(
                    count.is_complete(),
                    "{} to {}: {count:?}",
                    from.name(),
                    to.name()
                );
            }
        }
    }
    for host in &hosts {
        let counted = Counters::of(host).expect("counters");
        expect_only(&counted, &["decapsulated", "encapsulated", "local"]);
    }
}
