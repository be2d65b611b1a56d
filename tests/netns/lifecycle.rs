//! Agents that end, come back, or come back with another configuration, under traffic.

use std::{net::Ipv4Addr, thread, time::Duration};

use anyhow::{Result, ensure};
use overlay_tests::{
    Binaries, Host, Machine, Namespace, Session, StaticConfig, Underlay, Wiring,
    cluster::{self, BLUE, Guest, Pair},
    interrupt, link,
    static_config::{Limits, Network, Node},
    traffic::{Flood, Iperf},
};
use serde_json::Value;

use crate::pinned::Pinned;

const FLOOD_INTERVAL: Duration = Duration::from_millis(1);

/// How long traffic flows before and after what happens, and how long an agent is away.
const MARGIN: Duration = Duration::from_millis(200);

/// Tenths of a second that a stream may be silent: more than a crowded machine keeps a process waiting.
const SILENCE: usize = 5;

/// How long a stream lasts, which is longer than anything that happens here.
const STREAM: u32 = 20;

/// The kernel takes a namespace away when it finds the time.
const PATIENCE: Duration = Duration::from_secs(20);

/// What happens to both agents, one after the other.
type Happening = fn(&mut Pair) -> Result<()>;

fn kill_and_start(pair: &mut Pair) -> Result<()> {
    for host in [&mut pair.a, &mut pair.b] {
        host.kill_agent()?;
        thread::sleep(MARGIN);
        host.start_agent()?;
    }
    Ok(())
}

fn stop_and_start(pair: &mut Pair) -> Result<()> {
    for host in [&mut pair.a, &mut pair.b] {
        host.stop_agent()?;
        thread::sleep(MARGIN);
        host.start_agent()?;
    }
    Ok(())
}

fn start_with_another_configuration(pair: &mut Pair) -> Result<()> {
    let other = another_configuration(pair.machines());
    for host in [&mut pair.a, &mut pair.b] {
        let before = Pinned::of(host).generations()?;
        host.write_config(&other)?;
        host.restart_agent()?;
        let after = Pinned::of(host).generations()?;
        ensure!(
            after.len() == 1 && after != before,
            "{before:?} → {after:?}"
        );
    }
    Ok(())
}

/// One more peer and network, and tables of another size, which are other maps.
fn another_configuration(machines: &[Machine]) -> StaticConfig {
    let mut nodes = cluster::nodes(machines);
    let third = Node::new("c", Ipv4Addr::new(192, 0, 2, 9).into());
    nodes.push(third.blocks(BLUE, &["10.1.0.128/26"]));
    let mut networks = cluster::networks();
    networks.push(Network::new("green", 4098, &["10.3.0.0/24"]));
    StaticConfig::new(nodes, networks).limits(Limits {
        routes: 1024,
        ..Limits::default()
    })
}

fn loses_no_ping(happening: Happening) {
    let mut pair = Pair::start().expect("a pair");
    let local = Guest::new(pair.session(), &pair.a, "local").expect("a neighbour of one");
    let [v4, v6] = pair.targets();
    let floods = [v4, v6, local.v4().into()]
        .map(|target| Flood::start(pair.one.namespace(), target, FLOOD_INTERVAL).expect("a flood"));
    thread::sleep(MARGIN);

    happening(&mut pair).expect("it happens");

    thread::sleep(MARGIN);
    let counts = floods.map(|flood| flood.stop().expect("counts"));
    assert!(counts.iter().all(|count| count.is_complete()), "{counts:?}");
    assert!(counts.iter().all(|count| count.sent > 400), "{counts:?}");
}

fn keeps_a_stream(happening: Happening) {
    let mut pair = Pair::start().expect("a pair");
    let (client, server) = (pair.one.namespace().clone(), pair.two.namespace().clone());
    let address = pair.two.v4().into();
    let directory = pair.session().directory().to_owned();
    let stream = thread::spawn(move || {
        let iperf = Iperf {
            client: &client,
            server: &server,
            address,
            seconds: STREAM,
            directory: &directory,
        };
        iperf.tcp_by_tenths()
    });
    thread::sleep(2 * MARGIN);

    happening(&mut pair).expect("it happens");

    let is_over = stream.is_finished();
    let tenths = stream.join().expect("no panic").expect("a whole stream");
    let longest = tenths
        .split(|bytes| *bytes > 0.0)
        .map(<[f64]>::len)
        .max()
        .unwrap_or_default();
    assert!(!is_over, "the stream was over before all had happened");
    assert!(longest < SILENCE, "silent too long: {tenths:?}");
}

#[test]
fn no_ping_is_lost_when_agents_are_killed_and_started() {
    loses_no_ping(kill_and_start);
}

#[test]
fn no_ping_is_lost_when_agents_are_stopped_and_started() {
    loses_no_ping(stop_and_start);
}

#[test]
fn no_ping_is_lost_when_agents_start_with_another_configuration() {
    loses_no_ping(start_with_another_configuration);
}

#[test]
fn a_stream_goes_on_when_agents_are_killed_and_started() {
    keeps_a_stream(kill_and_start);
}

#[test]
fn a_stream_goes_on_when_agents_are_stopped_and_started() {
    keeps_a_stream(stop_and_start);
}

#[test]
fn a_stream_goes_on_when_agents_start_with_another_configuration() {
    keeps_a_stream(start_with_another_configuration);
}

#[test]
fn endpoints_and_traffic_are_the_same_after_restarts() {
    let mut pair = Pair::start().expect("a pair");
    let before = endpoints(&pair.a);

    kill_and_start(&mut pair).expect("new agents");
    let killed = endpoints(&pair.a);
    stop_and_start(&mut pair).expect("new agents");
    let stopped = endpoints(&pair.a);

    assert_eq!(before.as_array().map(Vec::len), Some(1), "{before}");
    assert_eq!(before, killed);
    assert_eq!(before, stopped);
    pair.check_reach().expect("it reaches");
}

#[test]
fn a_container_deleted_while_the_agent_was_down_is_gone_after_its_start() {
    let mut pair = Pair::start().expect("a pair");
    let doomed = Guest::new(pair.session(), &pair.a, "doomed").expect("a container");
    let address = doomed.v4();
    pair.a.stop_agent().expect("stopped");

    drop(doomed);
    let is_away = || host_ends(&pair.a) == 1;
    assert!(interrupt::wait_until(PATIENCE, is_away).expect("not interrupted"));
    pair.a.start_agent().expect("started");

    let left = endpoints(&pair.a);
    assert_eq!(names(&left), ["one"]);
    assert_eq!(
        Pinned::of(&pair.a)
            .entries("INTERFACE")
            .expect("entries")
            .len(),
        1
    );
    let next = Guest::new(pair.session(), &pair.a, "next").expect("a container");
    assert_eq!(next.v4(), address, "its address is free again");
    pair.check_reach().expect("it reaches");
}

#[test]
fn a_container_deleted_under_a_running_agent_is_forgotten() {
    let pair = Pair::start().expect("a pair");
    let doomed = Guest::new(pair.session(), &pair.a, "doomed").expect("a container");

    drop(doomed);

    let is_forgotten = || names(&endpoints(&pair.a)) == ["one"];
    assert!(interrupt::wait_until(PATIENCE, is_forgotten).expect("not interrupted"));
    assert_eq!(
        Pinned::of(&pair.a)
            .entries("INTERFACE")
            .expect("entries")
            .len(),
        1
    );
    assert_eq!(
        Pinned::of(&pair.a)
            .links("from_container")
            .expect("links")
            .len(),
        1
    );
}

#[test]
fn an_agent_that_is_uninstalled_takes_nothing_from_those_of_other_namespaces() {
    let session = Session::for_test().expect("a session");
    let names = ["a", "b", "c"];
    let underlay = Underlay::build(&session, "u", &names, Wiring::default()).expect("hosts");
    let config = cluster::config(underlay.machines());
    let pair = Pair::on(session, underlay, &config).expect("a pair");
    let binaries = Binaries::find().expect("binaries");
    let mut c = Host::start(
        pair.session(),
        "host",
        &pair.machines()[2],
        &config,
        &binaries,
    )
    .expect("a third agent");
    let third = Guest::new(pair.session(), &c, "three").expect("a container");
    let floods = pair
        .targets()
        .map(|target| flood(pair.one.namespace(), target));

    c.stop_agent().expect("stopped");
    c.uninstall().expect("uninstalled");

    thread::sleep(MARGIN);
    let counts = floods.map(|flood| flood.stop().expect("counts"));
    assert!(counts.iter().all(|count| count.is_complete()), "{counts:?}");
    drop(third);
}

fn flood(from: &Namespace, to: std::net::IpAddr) -> Flood {
    Flood::start(from, to, FLOOD_INTERVAL).expect("a flood")
}

fn endpoints(host: &Host) -> Value {
    host.overlay_json(&["endpoint", "ls"]).expect("a list")
}

/// How many host ends of containers' interfaces there are.
fn host_ends(host: &Host) -> usize {
    let links = link::list(host.namespace()).expect("links");
    links
        .iter()
        .filter(|link| link.name.starts_with("ov") && link.name.len() == 14)
        .count()
}

fn names(endpoints: &Value) -> Vec<&str> {
    let list = endpoints.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .filter_map(|endpoint| endpoint["name"].as_str())
        .collect()
}
