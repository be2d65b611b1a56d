//! Whom a task sees: always the real client.

use std::net::{IpAddr, SocketAddr};

use overlay_tests::{
    Nginx, Service, Swarm,
    service::{PORT, UdpTask, await_service, published},
    traffic::{Carrier, Target},
};

use crate::scene::{BLUE, OUTSIDE, addresses, asking, client, three_hosts, web};

/// Clients that a task has logged, without those of before.
fn new_clients(task: &Nginx, known: usize) -> Vec<IpAddr> {
    let requests = task.requests().expect("a log");
    requests[known..]
        .iter()
        .map(|request| request.client)
        .collect()
}

fn asks_as_itself(swarm: &Swarm, service: &Service<'_>, target: &Target, expected: IpAddr) {
    await_service(target).expect("an answer");
    let known: Vec<usize> = service
        .tasks()
        .iter()
        .map(|task| task.requests().expect("a log").len())
        .collect();
    let record = target.ask_often(50).expect("requests");
    assert_eq!(
        record.failures().count(),
        0,
        "{:?}",
        record.failures().next()
    );
    let seen: Vec<IpAddr> = service
        .tasks()
        .iter()
        .zip(known)
        .flat_map(|(task, known)| new_clients(task, known))
        .collect();
    assert_eq!(seen.len(), 50, "{} asked {}", target.from.name(), target.to);
    assert!(
        seen.iter().all(|client| *client == expected),
        "{} asked {} as {expected}, and was seen as {seen:?} by tasks of {}",
        target.from.name(),
        target.to,
        swarm.hosts().len()
    );
}

#[test]
fn a_task_sees_the_container_that_asks_its_vip() {
    let swarm = three_hosts();
    let service = web(&swarm, &[], &[0, 1, 2]);
    let (client, eth0) = client(&swarm, 0);
    asking(&service, &client, 0);

    let vips = service.vips(0, BLUE).expect("VIPs");
    assert_eq!(vips.len(), 2, "one of each family: {vips:?}");
    for (vip, own) in vips.into_iter().zip(eth0.addresses()) {
        let target = Target::http(client.namespace(), SocketAddr::new(vip, PORT));
        asks_as_itself(&swarm, &service, &target, own);
    }
}

/// Asked at a host with a task and at one without, over both families.
fn outside(options: &[&str]) {
    let swarm = three_hosts();
    let mut all = vec!["--publish", "8080:80"];
    all.extend(options);
    let service = web(&swarm, &all, &[0, 1]);

    for place in 0..3 {
        for (to, own) in addresses(&swarm, place)
            .into_iter()
            .zip(addresses(&swarm, OUTSIDE))
        {
            let target = Target::http(swarm[OUTSIDE].namespace(), SocketAddr::new(to, 8080));
            asks_as_itself(&swarm, &service, &target, own);
        }
    }
}

#[test]
fn a_task_sees_who_asks_from_outside() {
    outside(&[]);
}

#[test]
fn a_task_sees_who_asks_from_outside_when_it_answers_directly() {
    outside(&["--opt", "dsr"]);
}

#[test]
fn hosts_and_containers_reach_published_ports() {
    let swarm = three_hosts();
    let service = web(&swarm, &["--publish", "8080:80"], &[1]);
    let (client, _) = client(&swarm, 0);
    let loopback = ["127.0.0.1:8080", "[::1]:8080"].map(|text| text.parse().expect("an address"));
    let own = addresses(&swarm, 0);
    let own = own
        .into_iter()
        .map(|address| SocketAddr::new(address, 8080));

    for to in loopback.into_iter().chain(own) {
        let target = Target::http(swarm[0].namespace(), to);
        await_service(&target).expect("an answer to a process of the host");
    }
    for place in 0..3 {
        for address in addresses(&swarm, place) {
            let to = SocketAddr::new(address, 8080);
            let target = Target::http(client.namespace(), to);
            await_service(&target).expect("an answer to a container");
        }
    }
    assert!(!service.tasks()[0].requests().expect("a log").is_empty());
}

#[test]
fn datagrams_keep_their_sender_too() {
    let swarm = three_hosts();
    let service = Service::create(
        &swarm,
        "echo",
        &["--network", BLUE, "--publish", "5353:80/udp"],
    )
    .expect("service create");
    let task = UdpTask::start(&swarm, 1, BLUE, service.name(), "echo.1").expect("a task");
    let outside = swarm[OUTSIDE].namespace();
    let target = Target::udp(outside, published(&swarm[0], 5353), Carrier::Udp);

    await_service(&target).expect("an answer");

    let own = swarm[OUTSIDE].machine().address();
    assert!(
        task.server
            .clients()
            .iter()
            .all(|client| client.ip() == own),
        "{:?} instead of {own}",
        task.server.clients()
    );
}

/// A task that is balanced to itself is the one exception: the same address at both ends would be dropped.
#[test]
fn a_task_reaches_its_own_service() {
    let swarm = three_hosts();
    let service = web(&swarm, &[], &[0]);
    let vip = service.vip(0, BLUE).expect("a VIP");
    let pid = service.tasks()[0].pid().expect("a process");
    let namespace = swarm
        .session()
        .adopt("own", format!("/proc/{pid}/ns/net").as_ref())
        .expect("the task's namespace");

    await_service(&Target::http(&namespace, vip)).expect("an answer from itself");
}
