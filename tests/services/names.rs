//! Names in containers: what they stand for, and whom they are told to.

use std::net::IpAddr;

use overlay_tests::{Container, Swarm, interrupt, process, service::resolve, swarm::AGREED};

use crate::scene::{BLUE, three_hosts, web};

/// What a process that `overlay run` starts in a network prints and how it ends.
fn shell(swarm: &Swarm, place: usize, network: &str, line: &str) -> process::Finished {
    let arguments = ["run", "--network", network, "--", "sh", "-c", line];
    process::capture(&mut swarm[place].cli(&arguments)).expect("an end")
}

/// Waits until a name stands for exactly these addresses.
fn await_name(swarm: &Swarm, place: usize, network: &str, name: &str, addresses: &[IpAddr]) {
    let mut wanted = addresses.to_vec();
    wanted.sort();
    let mut found = Vec::new();
    let agreed = interrupt::wait_until(AGREED, || {
        found = resolve(&swarm[place], network, name).expect("getent");
        found.sort();
        found == wanted
    });
    assert!(
        agreed.expect("no interruption"),
        "{name} in {network} on {}: {found:?} instead of {wanted:?}",
        swarm[place].name()
    );
}

#[test]
fn containers_are_found_by_name_and_alias_on_every_host() {
    let swarm = three_hosts();
    let db = Container::new(swarm.session(), "db").expect("a container");
    let eth0 = db
        .attach(&swarm[1], BLUE, &["--alias", "database"])
        .expect("attach");

    for place in 0..3 {
        for name in ["db", "database"] {
            await_name(&swarm, place, BLUE, name, &eth0.addresses());
        }
    }
    let reversed = shell(
        &swarm,
        0,
        BLUE,
        &format!("getent hosts {}", eth0.need_v4().expect("an address")),
    );
    assert!(reversed.stdout.contains("db"), "{reversed:?}");
    db.detach(&swarm[1], BLUE).expect("detach");
    for place in 0..3 {
        await_name(&swarm, place, BLUE, "db", &[]);
    }
}

#[test]
fn a_service_stands_for_its_vip_and_its_tasks_by_another_name() {
    let swarm = three_hosts();
    let service = web(&swarm, &[], &[0, 1]);

    let vips = service.vips(2, BLUE).expect("a VIP");
    assert_eq!(vips.len(), 2, "{vips:?}");
    let tasks = resolve(&swarm[2], BLUE, "tasks.web").expect("getent");
    assert_eq!(tasks.len(), 4, "two tasks, two families: {tasks:?}");
    assert!(tasks.iter().all(|task| !vips.contains(task)), "{tasks:?}");
}

#[test]
fn a_name_is_never_told_on_another_network() {
    let swarm = three_hosts();
    swarm.network("red", &[]).expect("a network");
    let service = web(&swarm, &[], &[0, 1]);
    let (_db, _) = swarm.guest(1, BLUE, "db").expect("a container");
    let blue = resolve(&swarm[0], BLUE, "db").expect("getent");
    assert!(!blue.is_empty(), "it is there");

    for place in 0..3 {
        for name in ["db", "web", "web.1", "tasks.web"] {
            let red = resolve(&swarm[place], "red", name).expect("getent");
            assert_eq!(
                red,
                Vec::<IpAddr>::new(),
                "{name} on {}",
                swarm[place].name()
            );
        }
        for address in &blue {
            let told = shell(&swarm, place, "red", &format!("getent hosts {address}"));
            assert!(!told.stdout.contains("db"), "{told:?}");
        }
    }
    drop(service);
}

/// Of two endpoints with one name, each network has its own.
#[test]
fn the_same_name_stands_for_another_container_on_another_network() {
    let swarm = three_hosts();
    swarm.network("red", &[]).expect("a network");
    let blue = Container::new(swarm.session(), "db").expect("a container");
    let in_blue = blue.attach(&swarm[0], BLUE, &[]).expect("attach");
    let red = Container::new(swarm.session(), "db2").expect("a container");
    let path = red.namespace().path().to_string_lossy().into_owned();
    swarm[1]
        .overlay(&[
            "attach",
            "--netns",
            &path,
            "--network",
            "red",
            "--name",
            "db",
        ])
        .expect("attach");

    await_name(&swarm, 2, BLUE, "db", &in_blue.addresses());
    let in_red = resolve(&swarm[2], "red", "db").expect("getent");
    assert_eq!(in_red.len(), 1, "{in_red:?}");
    assert!(!in_blue.addresses().contains(&in_red[0]), "{in_red:?}");
}

/// The host's own files stay as they are.
#[test]
fn the_resolver_of_a_container_is_its_own() {
    let swarm = three_hosts();
    let before = std::fs::read("/etc/resolv.conf").expect("the host's resolver");

    let inside = shell(&swarm, 0, BLUE, "cat /etc/resolv.conf");

    assert!(
        inside.stdout.contains("nameserver 169.254.53.53"),
        "{inside:?}"
    );
    let after = std::fs::read("/etc/resolv.conf").expect("the host's resolver");
    assert_eq!(before, after);
}
