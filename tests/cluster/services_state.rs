//! Services as the managers keep them, and tasks that follow them. What packets make of it is tested
//! elsewhere.

use std::time::Duration;

use overlay_tests::{
    Container, Swarm, interrupt, link,
    swarm::{AGREED, Role, text},
};
use serde_json::Value;

fn refused(swarm: &Swarm, place: usize, arguments: &[&str], words: &str) {
    let error = swarm[place].overlay(arguments).expect_err("a refusal");
    let error = format!("{error:#}");
    assert!(error.contains(words), "{arguments:?} on {place}: {error}");
}

fn inspect(swarm: &Swarm, place: usize, service: &str) -> Value {
    let told = swarm[place].overlay_json(&["service", "inspect", service]);
    told.expect("service inspect")[0].clone()
}

/// Attaches a container to every network of a service.
fn task(swarm: &Swarm, place: usize, service: &str, name: &str) -> Container {
    let container = Container::new(swarm.session(), name).expect("a container");
    let path = container.namespace().path().to_string_lossy().into_owned();
    let line = [
        "attach",
        "--netns",
        &path,
        "--service",
        service,
        "--name",
        name,
    ];
    swarm[place].overlay(&line).expect("attach");
    container
}

/// How many interfaces a container has, without its loopback.
fn interfaces(container: &Container) -> usize {
    let links = link::list(container.namespace()).expect("links");
    links.iter().filter(|link| link.name != "lo").count()
}

fn await_interfaces(container: &Container, count: usize) {
    let agreed = interrupt::wait_until(AGREED, || interfaces(container) == count);
    assert!(
        agreed.expect("no interruption"),
        "{} has {} interfaces, not {count}",
        container.name(),
        interfaces(container)
    );
}

#[test]
fn the_ingress_network_is_there_and_nobody_s_to_join() {
    let swarm = Swarm::start(&["a", "b"], 1).expect("a swarm");

    for place in [0, 1] {
        let listed = swarm[place].overlay_json(&["network", "ls"]);
        let listed = listed.expect("network ls");
        assert_eq!(listed[0]["name"], "ingress");
        assert_eq!(listed[0]["vni"], 4096);
        assert_eq!(listed[0]["subnets"][0], "10.0.0.0/24");
    }
    let container = Container::new(swarm.session(), "x").expect("a container");
    let attached = container.attach(&swarm[0], "ingress", &[]);
    let error = format!("{:#}", attached.expect_err("a refusal"));
    assert!(
        error.contains("network ingress not manually attachable"),
        "{error}"
    );
    swarm.network("mine", &[]).expect("a network");
    let mine = swarm[0].overlay_json(&["network", "inspect", "mine"]);
    assert_eq!(mine.expect("inspect")[0]["subnets"][0], "10.0.1.0/24");

    let publish = ["service", "create", "--name", "web", "--publish", "8080:80"];
    swarm[0].overlay(&publish).expect("a service");
    let words = "ingress network cannot be removed because service web depends on it";
    refused(&swarm, 0, &["network", "rm", "--force", "ingress"], words);
    refused(&swarm, 0, &["network", "rm", "ingress"], "--force");
    swarm[0]
        .overlay(&["service", "rm", "web"])
        .expect("service rm");
    let remove = ["network", "rm", "--force", "ingress"];
    swarm[0].overlay(&remove).expect("network rm");
    refused(&swarm, 0, &publish, "no ingress network is present");
    let again = [
        "network",
        "create",
        "--ingress",
        "--subnet",
        "10.7.0.0/24",
        "mesh",
    ];
    swarm[0].overlay(&again).expect("another ingress network");
    swarm[0].overlay(&publish).expect("a service");
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story")]
fn services_are_made_changed_and_removed() {
    let swarm = Swarm::start(&["a", "b"], 1).expect("a swarm");
    for (name, subnet) in [("front", "10.9.0.0/24"), ("back", "10.8.0.0/24")] {
        let create = ["network", "create", "--subnet", subnet, name];
        swarm[0].overlay(&create).expect("a network");
    }
    let create = [
        "service",
        "create",
        "--name",
        "web",
        "--network",
        "front",
        "--publish",
        "8080:80",
        "--publish",
        "81",
        "--label",
        "tier=front",
        "--drain",
        "5s",
        "--health-tcp",
        "80",
    ];
    let id = swarm[0].overlay(&create).expect("a service");

    let web = inspect(&swarm, 0, "web");
    assert_eq!(text(&web, &["id"]).expect("an id"), id.trim());
    let vip = web["endpoint"]["virtual_ips"][0]["addr"].clone();
    assert!(
        vip.as_str().is_some_and(|vip| vip.starts_with("10.9.0.")),
        "{web}"
    );
    let ports = web["endpoint"]["ports"].as_array().expect("ports");
    assert_eq!(ports.len(), 2);
    assert!(
        ports.iter().any(|port| port["published_port"] == 30_000),
        "{web}"
    );
    let listing = swarm[0].overlay(&["service", "ls"]).expect("service ls");
    assert!(listing.contains("*:8080->80/tcp"), "{listing}");

    let (address, _) = vip
        .as_str()
        .and_then(|vip| vip.split_once('/'))
        .expect("a VIP");
    let in_use = format!("{address} is the virtual IP of service web");
    swarm
        .network("open", &["--subnet", "10.6.0.0/24"])
        .expect("a network");
    let container = Container::new(swarm.session(), "x").expect("a container");
    let path = container.namespace().path().to_string_lossy().into_owned();
    let line = [
        "attach",
        "--netns",
        &path,
        "--network",
        "front",
        "--service",
        "web",
        "--name",
        "x",
        "--ip",
        address,
    ];
    refused(&swarm, 0, &line, &in_use);

    let other = ["service", "create", "--name", "other", "--network", "front"];
    let line = [&other[..], &["--publish", "8080:80"]].concat();
    refused(
        &swarm,
        0,
        &line,
        "port '8080/tcp' is already in use by service 'web'",
    );
    let line = [
        &other[..],
        &["--endpoint-mode", "dnsrr", "--publish", "82:80"],
    ]
    .concat();
    refused(&swarm, 0, &line, "can't be used with dnsrr mode");
    let line = [&other[..4], &["--network", "nothing"]].concat();
    refused(&swarm, 0, &line, "nothing");
    let line = ["service", "create", "--name", "a.b", "--network", "front"];
    refused(
        &swarm,
        0,
        &line,
        "name must be valid as a DNS name component",
    );
    refused(
        &swarm,
        0,
        &["network", "rm", "front"],
        "in use by service web",
    );
    refused(&swarm, 1, &other, "not a swarm manager");
    refused(&swarm, 1, &["service", "ls"], "not a swarm manager");

    let update = [
        "service",
        "update",
        "--network-add",
        "back",
        "--network-rm",
        "front",
        "--publish-rm",
        "81",
        "--publish-add",
        "9090:90",
        "--label-rm",
        "tier",
        "--no-healthcheck",
        "web",
    ];
    swarm[0].overlay(&update).expect("service update");
    let web = inspect(&swarm, 0, "web");
    assert_eq!(web["spec"]["networks"][0]["name"], "back", "{web}");
    assert_eq!(web["spec"]["networks"].as_array().map(Vec::len), Some(1));
    assert_eq!(web["spec"]["labels"], serde_json::json!({}));
    assert_eq!(web["spec"]["health"], Value::Null);
    assert_eq!(web["version"]["index"], 2);
    swarm[0]
        .overlay(&["network", "rm", "front"])
        .expect("network rm");
    swarm[0]
        .overlay(&["service", "rm", "web"])
        .expect("service rm");
    refused(
        &swarm,
        0,
        &["service", "inspect", "web"],
        "service web not found",
    );
}

#[test]
fn tasks_go_where_their_service_goes_and_end_with_it() {
    let swarm = Swarm::start(&["a", "b"], 1).expect("a swarm");
    for name in ["front", "back"] {
        let create = ["network", "create", name];
        swarm[0].overlay(&create).expect("a network");
    }
    let create = ["service", "create", "--name", "web", "--network", "front"];
    swarm[0].overlay(&create).expect("a service");
    let known = interrupt::wait_until(AGREED, || {
        let seen = swarm[1]
            .status()
            .map(|status| status["cluster"]["index"].clone());
        let wanted = swarm[0]
            .status()
            .map(|status| status["cluster"]["index"].clone());
        seen.ok() == wanted.ok()
    });
    assert!(known.expect("no interruption"), "the worker hears of it");

    let tasks = [
        task(&swarm, 0, "web", "web-1"),
        task(&swarm, 1, "web", "web-2"),
    ];
    let attached = tasks.iter().map(interfaces);
    assert_eq!(attached.collect::<Vec<_>>(), [1, 1]);
    let counted = interrupt::wait_until(AGREED, || {
        let listing = swarm[0].overlay(&["service", "ls"]);
        listing.is_ok_and(|listing| listing.contains("2/2"))
    });
    assert!(counted.expect("no interruption"), "two tasks are counted");
    let listing = swarm[0]
        .overlay(&["service", "ps", "web"])
        .expect("service ps");
    assert!(
        listing.contains("web-1") && listing.contains("web-2"),
        "{listing}"
    );
    let verbose = ["network", "inspect", "--verbose", "front"];
    let inspected = swarm[0].overlay_json(&verbose).expect("network inspect");
    let web = &inspected[0]["services"]["web"];
    assert_eq!(
        web["tasks"].as_array().map(Vec::len),
        Some(2),
        "{inspected}"
    );

    // A task that came just now may still be on its way into all of its networks.
    interrupt::pause(Duration::from_secs(5)).expect("no interruption");
    let update = ["service", "update", "--network-add", "back", "web"];
    swarm[0].overlay(&update).expect("service update");
    for task in &tasks {
        await_interfaces(task, 2);
    }
    let update = ["service", "update", "--network-rm", "front", "web"];
    swarm[0].overlay(&update).expect("service update");
    for task in &tasks {
        await_interfaces(task, 1);
    }
    let moved = swarm[1].overlay(&["endpoint", "ls"]).expect("endpoint ls");
    assert!(
        moved.contains("back") && !moved.contains("front"),
        "{moved}"
    );
    swarm[0]
        .overlay(&["service", "rm", "web"])
        .expect("service rm");
    for task in &tasks {
        await_interfaces(task, 0);
    }
}

#[test]
fn services_outlive_all_managers() {
    let mut swarm = Swarm::apart(&["a", "b", "c"]).expect("hosts");
    swarm.init(0).expect("swarm init");
    for place in [1, 2] {
        swarm.join(place, Role::Manager).expect("swarm join");
    }
    swarm.await_members(3).expect("members");
    let create = ["service", "create", "--name", "web", "--publish", "8080:80"];
    swarm[0].overlay(&create).expect("a service");
    let before = inspect(&swarm, 0, "web");

    for place in 0..3 {
        swarm.host_mut(place).kill_agent().expect("a kill");
    }
    for place in 0..3 {
        swarm.host_mut(place).start_agent().expect("a start");
    }

    let back = interrupt::wait_until(AGREED, || {
        let told = swarm[1].overlay_json(&["service", "inspect", "web"]);
        told.is_ok_and(|told| told[0] == before)
    });
    assert!(
        back.expect("no interruption"),
        "{:#}",
        inspect(&swarm, 1, "web")
    );
    let made = interrupt::wait_until(AGREED, || {
        let create = ["service", "create", "--name", "next", "--publish", "80"];
        swarm[2].overlay(&create).is_ok()
    });
    assert!(made.expect("no interruption"), "the managers decide again");
    refused(
        &swarm,
        2,
        &[
            "service",
            "create",
            "--name",
            "more",
            "--publish",
            "8080:80",
        ],
        "already in use by service 'web'",
    );
}
