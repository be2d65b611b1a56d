//! What these tests measure with, tried on a network without services: a tool that sees no failure proves nothing.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use overlay_tests::{
    Nginx, Pair,
    cluster::BLUE,
    interrupt,
    service::{PORT, await_service, resolve},
    traffic::{Carrier, Outcome, Target, UdpServer},
};

/// A task of no service, and how it is reached from container `one` of the other host.
fn task(pair: &Pair) -> (Nginx, SocketAddr) {
    let joining = ["--network", BLUE, "--ip", "10.1.0.99"];
    let task = Nginx::start(pair.session(), &pair.b, "task", &joining).expect("a task");
    (task, ([10, 1, 0, 99], PORT).into())
}

#[test]
fn every_request_is_known_by_its_server_and_its_client() {
    let pair = Pair::start().expect("a pair");
    let (task, to) = task(&pair);
    let target = Target::http(pair.one.namespace(), to);
    await_service(&target).expect("an answer");
    let known = task.requests().expect("a log").len();

    let record = target.ask_side_by_side(200, 4).expect("requests");

    assert_eq!(record.answers().get("task"), Some(&200), "{record:?}");
    let logged = &task.requests().expect("a log")[known..];
    assert_eq!(logged.len(), 200);
    let own = pair.one.v4();
    assert!(logged.iter().all(|request| request.client == own), "{own}");
    assert!(logged.iter().all(|request| request.server == to.ip()));
}

#[test]
fn a_killed_task_is_seen_at_once_and_an_interruption_is_measured() {
    let pair = Pair::start().expect("a pair");
    let (mut task, to) = task(&pair);
    let mut target = Target::http(pair.one.namespace(), to);
    target.patience = Duration::from_millis(200);
    await_service(&target).expect("an answer");
    let load = target.load(2, Duration::from_millis(5));
    interrupt::pause(Duration::from_millis(500)).expect("no interruption");

    let device = "link set eth0";
    let begun = Instant::now();
    pair.b
        .namespace()
        .ip(&[format!("{device} down")])
        .expect("a cut");
    interrupt::pause(Duration::from_millis(600)).expect("no interruption");
    pair.b
        .namespace()
        .ip(&[format!("{device} up")])
        .expect("a return");
    await_service(&target).expect("an answer");
    let record = load.stop().expect("a record");

    let outage = record.outage(begun);
    assert!(outage > Duration::from_millis(300), "{outage:?}");
    assert_eq!(record.outage(Instant::now()), Duration::ZERO);
    let silent = record.failures().next().expect("a failure");
    assert_eq!(silent.outcome, Outcome::Silent, "{silent:?}");

    task.kill().expect("a kill");
    let ended = interrupt::wait_until(Duration::from_secs(5), || {
        target.ask().is_ok_and(|attempt| !attempt.is_answered())
    });
    assert!(ended.expect("no interruption"), "nobody answers any more");
    task.drain().expect("`overlay run` ends with its command");
}

#[test]
fn datagrams_are_answered_by_name_and_refusals_are_seen() {
    let pair = Pair::start().expect("a pair");
    let server = UdpServer::start(pair.two.namespace(), PORT, "two").expect("a server");

    for to in pair.targets() {
        for carrier in [Carrier::Udp, Carrier::UdpFlow] {
            let target = Target::udp(pair.one.namespace(), (to, PORT).into(), carrier);
            let record = target.ask_often(20).expect("requests");
            assert_eq!(record.answers().get("two"), Some(&20), "{to} {carrier:?}");
        }
    }
    let clients = server.clients();
    assert_eq!(clients.len(), 80);
    let flows: std::collections::BTreeSet<_> = clients[20..40].iter().collect();
    assert_eq!(flows.len(), 1, "a flow has one port: {flows:?}");
    drop(server);
    let target = Target::udp(
        pair.one.namespace(),
        (pair.two.v4(), PORT).into(),
        Carrier::Udp,
    );
    let attempt = target.ask().expect("a request");
    assert_eq!(attempt.outcome, Outcome::Refused, "{attempt:?}");
}

#[test]
fn a_name_that_nobody_has_stands_for_nothing() {
    let pair = Pair::start().expect("a pair");

    let nobody = resolve(&pair.a, BLUE, "nobody.invalid").expect("getent");

    assert_eq!(nobody, Vec::<std::net::IpAddr>::new());
}
