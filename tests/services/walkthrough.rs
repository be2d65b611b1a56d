//! The two walk-throughs for services of Docker's page on overlay networks, word by word where the words are the same:
//! tasks are attached here instead of started.

use std::collections::BTreeSet;

use overlay_tests::{
    Service, Swarm, interrupt,
    service::{await_service, published},
    swarm::{AGREED, Role, text},
    traffic::Target,
};

use crate::scene::{BLUE, addresses, three_hosts};

/// The host outside.
const BROWSER: usize = 3;

fn hosts() -> Swarm {
    let swarm = Swarm::apart(&["manager", "worker-1", "worker-2", "browser"]).expect("hosts");
    swarm.init(0).expect("swarm init");
    for place in [1, 2] {
        swarm.join(place, Role::Worker).expect("swarm join");
    }
    swarm.await_members(3).expect("members");
    swarm
}

/// Names of containers that `network inspect` lists on a host; none where the network is not there.
fn containers(swarm: &Swarm, place: usize, network: &str) -> BTreeSet<String> {
    let Ok(inspected) = swarm[place].overlay_json(&["network", "inspect", network]) else {
        return BTreeSet::new();
    };
    let containers = inspected[0]["containers"].as_array().expect("a list");
    let name = |container| text(container, &["name"]).expect("a name").to_owned();
    containers.iter().map(name).collect()
}

fn await_containers(swarm: &Swarm, place: usize, network: &str, names: &[&str]) {
    let wanted: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let agreed = interrupt::wait_until(AGREED, || containers(swarm, place, network) == wanted);
    assert!(
        agreed.expect("no interruption"),
        "{network} on {}: {:?} instead of {names:?}",
        swarm[place].name(),
        containers(swarm, place, network)
    );
}

/// Every task answers at the port of every host.
fn answers_everywhere(swarm: &Swarm, port: u16, tasks: usize) {
    for place in 0..3 {
        let target = Target::http(swarm[BROWSER].namespace(), published(&swarm[place], port));
        await_service(&target).expect("an answer");
        let record = target.ask_often(200).expect("requests");
        assert_eq!(
            record.failures().count(),
            0,
            "{:?}",
            record.failures().next()
        );
        assert_eq!(
            record.answers().len(),
            tasks,
            "at {}: {:?}",
            swarm[place].name(),
            record.answers()
        );
    }
}

#[test]
fn the_default_overlay_network() {
    let swarm = hosts();
    let manager = &swarm[0];
    let listing = manager.overlay(&["node", "ls"]).expect("node ls");
    assert!(listing.contains("Leader"), "{listing}");
    let listing = |role: &str| {
        let filter = format!("role={role}");
        let listing = manager.overlay(&["node", "ls", "--filter", &filter]);
        listing.expect("node ls").lines().count() - 1
    };
    assert_eq!((listing("manager"), listing("worker")), (1, 2));
    for place in 0..3 {
        let listing = swarm[place]
            .overlay(&["network", "ls"])
            .expect("network ls");
        assert!(
            listing.lines().any(|line| line.contains("ingress")),
            "on {}: {listing}",
            swarm[place].name()
        );
    }

    let create = ["network", "create", "-d", "overlay", "nginx-net"];
    manager.overlay(&create).expect("network create");
    let mut service = Service::create(
        &swarm,
        "my-nginx",
        &[
            "--publish",
            "target=80,published=80",
            "--network",
            "nginx-net",
        ],
    )
    .expect("service create");
    service.start_tasks(&[0, 0, 1, 1, 2]).expect("five tasks");

    let listing = manager.overlay(&["service", "ls"]).expect("service ls");
    for word in ["my-nginx", "5/5", "*:80->80/tcp"] {
        assert!(listing.contains(word), "no {word} in {listing}");
    }
    await_containers(&swarm, 0, "nginx-net", &["my-nginx.1", "my-nginx.2"]);
    await_containers(&swarm, 1, "nginx-net", &["my-nginx.3", "my-nginx.4"]);
    await_containers(&swarm, 2, "nginx-net", &["my-nginx.5"]);
    let inspected = manager.overlay(&["service", "inspect", "my-nginx"]);
    let inspected = inspected.expect("service inspect");
    for word in ["my-nginx", "nginx-net", "80"] {
        assert!(inspected.contains(word), "no {word} in {inspected}");
    }
    answers_everywhere(&swarm, 80, 5);

    let create = ["network", "create", "-d", "overlay", "nginx-net-2"];
    manager.overlay(&create).expect("network create");
    let moved = service.update(&["--network-add", "nginx-net-2", "--network-rm", "nginx-net"]);
    moved.expect("service update");
    service.await_running(5).expect("five tasks");
    await_containers(&swarm, 0, "nginx-net-2", &["my-nginx.1", "my-nginx.2"]);
    await_containers(&swarm, 1, "nginx-net-2", &["my-nginx.3", "my-nginx.4"]);
    await_containers(&swarm, 2, "nginx-net-2", &["my-nginx.5"]);
    for place in 0..3 {
        await_containers(&swarm, place, "nginx-net", &[]);
    }
    answers_everywhere(&swarm, 80, 5);

    for place in 0..5 {
        service.task_mut(place).stop().expect("the task's end");
    }
    service.remove().expect("service rm");
    let gone = interrupt::wait_until(AGREED, || {
        let remove = ["network", "rm", "nginx-net", "nginx-net-2"];
        manager.overlay(&remove).is_ok()
    });
    assert!(gone.expect("no interruption"), "unused networks go");
    let listing = manager.overlay(&["service", "ls"]).expect("service ls");
    assert!(!listing.contains("my-nginx"), "{listing}");
}

#[test]
fn a_user_defined_overlay_network() {
    let swarm = hosts();
    let manager = &swarm[0];
    let create = ["network", "create", "-d", "overlay", "my-overlay"];
    manager.overlay(&create).expect("network create");
    let mut service = Service::create(
        &swarm,
        "my-nginx",
        &[
            "--network",
            "my-overlay",
            "--publish",
            "published=8080,target=80",
        ],
    )
    .expect("service create");
    service.start_tasks(&[1]).expect("a task");

    await_containers(&swarm, 1, "my-overlay", &["my-nginx.1"]);
    answers_everywhere(&swarm, 8080, 1);
    let verbose = ["network", "inspect", "--verbose", "my-overlay"];
    let inspected = manager.overlay(&verbose).expect("network inspect");
    assert!(inspected.contains("my-nginx.1"), "{inspected}");

    service.task_mut(0).stop().expect("the task's end");
    service.remove().expect("service rm");
    let gone = interrupt::wait_until(AGREED, || {
        manager.overlay(&["network", "rm", "my-overlay"]).is_ok()
    });
    assert!(gone.expect("no interruption"), "an unused network goes");
}

/// The way out of the task's namespace is the first network's, but the ports lead to the other one.
#[test]
fn a_task_on_two_networks_answers_by_the_one_that_it_was_asked_on() {
    let swarm = three_hosts();
    swarm.network("green", &["--ipv6"]).expect("a network");
    let options = ["--network", "green", "--publish", "8080:80"];
    let mut service = Service::create(&swarm, "web", &options).expect("service create");
    service.start_tasks(&[1]).expect("a task");
    let asked: Vec<Target> = addresses(&swarm, 0)
        .into_iter()
        .map(|address| Target::http(swarm[BROWSER].namespace(), (address, 8080).into()))
        .collect();
    for change in [["--network-add", BLUE], ["--network-rm", "green"]] {
        for target in &asked {
            await_service(target).expect("an answer");
        }
        service.update(&change).expect("service update");
        await_containers(&swarm, 1, BLUE, &["web.1"]);
        for target in &asked {
            await_service(target).expect("an answer by the new network");
            let record = target.ask_often(20).expect("requests");
            let failed = record.failures().next();
            assert!(failed.is_none(), "{change:?}: {failed:?}");
        }
    }
    await_containers(&swarm, 1, "green", &[]);
    for target in &asked {
        await_service(target).expect("an answer by the only network");
    }
}

#[test]
fn a_service_without_a_network_is_on_ingress() {
    let swarm = hosts();
    let mut service =
        Service::create(&swarm, "plain", &["--publish", "8081:80"]).expect("service create");
    service.start_tasks(&[2]).expect("a task");

    answers_everywhere(&swarm, 8081, 1);
    await_containers(&swarm, 2, "ingress", &["plain.1"]);
    let removed = swarm[0].overlay(&["network", "rm", "ingress"]);
    removed.expect_err("ingress is used");
}
