//! What most of these tests stand on.

use std::{net::IpAddr, time::Duration};

use overlay_tests::{
    Binaries, Container, Service, Session, Swarm, Wiring,
    container::Attached,
    service::{await_service, published},
    traffic::Target,
    underlay::Families,
};

/// The network of the tasks unless a test has its own.
pub(crate) const BLUE: &str = "blue";

/// Place of the host that is in no swarm: the world outside.
pub(crate) const OUTSIDE: usize = 3;

/// Configuration of agents that balance packet by packet only.
pub(crate) const PACKETS: &str = "services:\n  socket_lb: false\n";

/// Hosts `a`, `b` and `c` in a swarm, and `x` outside on the same underlay, which carries both families; the network
/// [`BLUE`], with both families too.
pub(crate) fn three_hosts() -> Swarm {
    three_hosts_with("")
}

/// The same with further lines in every agent's configuration.
pub(crate) fn three_hosts_with(lines: &str) -> Swarm {
    let wiring = Wiring {
        families: Families::Dual,
        ..Wiring::default()
    };
    let session = Session::for_test().expect("a session");
    let binaries = Binaries::find().expect("programs");
    let names = ["a", "b", "c", "x"];
    let swarm = Swarm::besides(session, wiring, &names, OUTSIDE, &binaries, lines);
    let swarm = swarm.expect("a swarm");
    swarm.network(BLUE, &["--ipv6"]).expect("a network");
    swarm
}

/// A service of [`BLUE`] with a task on each of these hosts.
pub(crate) fn web<'s>(swarm: &'s Swarm, options: &[&str], places: &[usize]) -> Service<'s> {
    let mut all = vec!["--network", BLUE];
    all.extend(options);
    let mut service = Service::create(swarm, "web", &all).expect("service create");
    service.start_tasks(places).expect("tasks");
    service
}

/// A container on [`BLUE`] that asks.
pub(crate) fn client(swarm: &Swarm, place: usize) -> (Container, Attached) {
    swarm.guest(place, BLUE, "client").expect("a client")
}

/// Requests of the client to the service's VIP, after the first one was answered.
pub(crate) fn asking(service: &Service<'_>, client: &Container, place: usize) -> Target {
    let target = service.asked_by(client, place, BLUE).expect("a VIP");
    await_service(&target).expect("an answer");
    target
}

/// Requests that are given up after half a second: of the client to the service's VIP, and from outside to port 8080 of
/// the first host.
pub(crate) fn impatient(swarm: &Swarm, service: &Service<'_>, client: &Container) -> [Target; 2] {
    let inside = asking(service, client, 0);
    let outside = Target::http(swarm[OUTSIDE].namespace(), published(&swarm[0], 8080));
    await_service(&outside).expect("an answer");
    [inside, outside].map(|target| Target {
        patience: Duration::from_millis(500),
        ..target
    })
}

/// None of many requests fails, and this many tasks answer.
pub(crate) fn assert_answered(target: &Target, tasks: usize) {
    let record = target.ask_often(200).expect("requests");
    assert_eq!(
        record.failures().count(),
        0,
        "{:?}",
        record.failures().next()
    );
    assert_eq!(record.answers().len(), tasks);
}

/// A host's addresses on the underlay, IPv4 first.
pub(crate) fn addresses(swarm: &Swarm, place: usize) -> Vec<IpAddr> {
    let machine = swarm[place].machine();
    let v4 = machine.v4.map(IpAddr::from);
    let v6 = machine.v6.map(IpAddr::from);
    v4.into_iter().chain(v6).collect()
}
