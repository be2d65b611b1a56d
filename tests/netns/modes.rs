//! Who makes the outer headers, and that it does not matter to the other side.

use overlay_tests::{
    Binaries, Counters, Host, Pair, Session, Underlay, Wiring,
    cluster::{self, Guest},
    static_config::Encap,
    underlay::Families,
};

use crate::scene::{expect_only, greet, pair, talk, wire};

#[test]
fn the_agent_chooses_the_program_on_a_plain_underlay() {
    let pair = pair(wire(Families::V4), Encap::Auto);

    let [counted, _] =
        Counters::during([&pair.a, &pair.b], || talk(&pair.one, &pair.two)).expect("a talk");

    let status = pair.a.status().expect("a status");
    assert_eq!(status["encap"], "native", "{status}");
    expect_only(&counted, &["decapsulated", "encapsulated"]);
}

#[test]
fn a_native_node_and_a_device_node_understand_each_other() {
    for families in [Families::V4, Families::V6] {
        let session = Session::for_test().expect("a session");
        let underlay =
            Underlay::build(&session, "u", &["a", "b"], wire(families)).expect("an underlay");
        let [a, b] = underlay.machines() else {
            panic!("two machines")
        };
        let (config, binaries) = (
            cluster::config(underlay.machines()),
            Binaries::find().expect("binaries"),
        );
        let start = |machine, encap| {
            Host::start(
                &session,
                "host",
                machine,
                &config.clone().encap(encap),
                &binaries,
            )
            .expect("a host")
        };
        let (a, b) = (start(a, Encap::Native), start(b, Encap::Device));
        let one = Guest::new(&session, &a, "one").expect("a container");
        let two = Guest::new(&session, &b, "two").expect("a container");

        let there = Counters::during([&a, &b], || talk(&one, &two)).expect("a talk");
        let back = Counters::during([&a, &b], || talk(&two, &one)).expect("a talk back");

        for [native, device] in [&there, &back] {
            expect_only(native, &["decapsulated", "encapsulated"]);
            expect_only(device, &["device", "tunnelled"]);
        }
    }
}

#[test]
fn a_node_changes_its_mode_at_a_restart_and_keeps_its_containers() {
    let mut pair = pair(wire(Families::V4), Encap::Native);
    greet(&pair.one, &pair.two).expect("a greeting before");
    let device = cluster::config(pair.machines()).encap(Encap::Device);

    pair.a.write_config(&device).expect("another configuration");
    pair.a.restart_agent().expect("a restart");
    let [counted, _] =
        Counters::during([&pair.a, &pair.b], || talk(&pair.one, &pair.two)).expect("a talk");

    assert_eq!(pair.a.status().expect("a status")["encap"], "device");
    expect_only(&counted, &["device", "tunnelled"]);

    let native = cluster::config(pair.machines()).encap(Encap::Native);
    pair.a.write_config(&native).expect("the old configuration");
    pair.a.restart_agent().expect("a restart");
    let [counted, _] =
        Counters::during([&pair.a, &pair.b], || talk(&pair.one, &pair.two)).expect("a talk");

    expect_only(&counted, &["decapsulated", "encapsulated"]);
}

#[test]
fn any_udp_port_will_do() {
    for encap in [Encap::Native, Encap::Device] {
        let session = Session::for_test().expect("a session");
        let underlay =
            Underlay::build(&session, "u", &["a", "b"], Wiring::direct()).expect("an underlay");
        let config = cluster::config(underlay.machines()).encap(encap).port(8472);
        let pair = Pair::on(session, underlay, &config).expect("a pair");

        talk(&pair.one, &pair.two).expect("a talk");
    }
}
