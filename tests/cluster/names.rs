//! Names while they come and go, under load: whoever is not on a network is never told of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use overlay_tests::{
    Host, Namespace, Swarm,
    traffic::{Hearing, Questions, Told},
};
use serde_json::json;

const SERVER: &str = "169.254.53.53:53";

/// The two networks, and the first number of their addresses' second half.
const NETWORKS: [(&str, u8); 2] = [("red", 71), ("blue", 72)];

/// One that is on both, those that are only on one, and a service of one.
const NAMES: [&str; 6] = ["db", "red-only", "blue-only", "web", "tasks.web", "nobody"];

/// How often everything comes and goes.
const ROUNDS: usize = 15;

fn attach(
    host: &Host,
    namespace: &Namespace,
    (network, name): (&str, &str),
    service: Option<&str>,
) {
    let wish =
        json!({ "netns": namespace.path(), "network": network, "name": name, "service": service });
    host.api().post("/endpoints", &wish).expect("an endpoint");
}

fn detach(host: &Host, network: &str, name: &str) {
    let path = format!("/endpoints/{name}?network={network}");
    host.api().delete(&path).expect("no endpoint any more");
}

/// Gives containers and a service their names, and takes them away again.
fn come_and_go(swarm: &Swarm, namespaces: &BTreeMap<(&str, &str), Namespace>) {
    for round in 0..ROUNDS {
        // Names of both hosts: those of the askers' own and those that it hears of.
        let host = &swarm[round % 2];
        let service = json!({ "name": "web", "networks": ["blue"] });
        let made = swarm[0].api().post("/services", &service);
        made.expect("a service");
        for ((network, name), namespace) in namespaces {
            let is_task = *network == "blue" && *name == "db";
            attach(host, namespace, (network, name), is_task.then_some("web"));
        }
        thread::sleep(Duration::from_millis(150));
        for (network, name) in namespaces.keys() {
            detach(host, network, name);
        }
        let gone = swarm[0].api().delete("/services/web");
        gone.expect("no service any more");
        thread::sleep(Duration::from_millis(50));
    }
}

fn is_of(address: Ipv4Addr, network: u8) -> bool {
    address.octets()[..2] == [10, network]
}

/// All addresses that were told for a name.
fn addresses(hearing: &Hearing, name: &str) -> BTreeSet<Ipv4Addr> {
    let told = hearing.told.get(name).into_iter().flatten();
    let addresses = told.filter_map(|told| match told {
        Told::Addresses(addresses) => Some(addresses),
        Told::Unknown | Told::Code(_) => None,
    });
    addresses.flatten().copied().collect()
}

#[test]
fn names_of_another_network_are_never_told_however_they_come_and_go() {
    let swarm = Swarm::start(&["a", "b"], 1).expect("a swarm");
    let mut askers = Vec::new();
    let mut namespaces = BTreeMap::new();
    for (network, number) in NETWORKS {
        let subnet = format!("10.{number}.0.0/16");
        // Other names are for nobody else to know, so nobody else is asked.
        let options = ["--internal", "--subnet", &subnet];
        swarm.network(network, &options).expect("a network");
        let asker = format!("{network}-asker");
        askers.push(swarm.guest(0, network, &asker).expect("an asker").0);
        let only = ["red-only", "blue-only"][usize::from(network == "blue")];
        for name in ["db", only] {
            let label = format!("{network}-{name}");
            let namespace = swarm.session().namespace(&label).expect("a namespace");
            namespaces.insert((network, name), namespace);
        }
    }
    let is_done = AtomicBool::new(false);

    let hearings: Vec<Hearing> = thread::scope(|scope| {
        let asking: Vec<_> = askers
            .iter()
            .map(|asker| {
                let is_done = &is_done;
                scope.spawn(move || {
                    let questions = Questions {
                        from: asker.namespace(),
                        server: SERVER.parse().expect("an address"),
                        names: &NAMES,
                        per_second: 1000,
                        processor: None,
                    };
                    questions.ask_while(|| !is_done.load(Ordering::Relaxed))
                })
            })
            .collect();
        let changed = scope.spawn(|| come_and_go(&swarm, &namespaces)).join();
        is_done.store(true, Ordering::Relaxed);
        changed.expect("changes");
        let heard = asking.into_iter().map(thread::ScopedJoinHandle::join);
        heard
            .map(|heard| heard.expect("an asker").expect("answers"))
            .collect()
    });

    let [red, blue] = hearings.as_slice() else {
        panic!("two askers")
    };
    for (hearing, (network, number)) in hearings.iter().zip(NETWORKS) {
        for name in NAMES {
            let told = addresses(hearing, name);
            assert!(
                told.iter().all(|address| is_of(*address, number)),
                "{name} in {network}: {told:?}"
            );
            assert!(
                hearing.told.contains_key(name),
                "nobody answered for {name} in {network}"
            );
        }
        assert!(
            hearing.lost() * 100 <= hearing.asked,
            "{} of {} questions got no answer",
            hearing.lost(),
            hearing.asked
        );
    }
    // They were told where they may be, and not only there when they were not.
    for (hearing, known, unknown) in [
        (
            red,
            &["db", "red-only"][..],
            &["blue-only", "web", "tasks.web", "nobody"][..],
        ),
        (
            blue,
            &["db", "blue-only", "web", "tasks.web"][..],
            &["red-only", "nobody"][..],
        ),
    ] {
        for name in known {
            assert!(
                !addresses(hearing, name).is_empty(),
                "{name}: {:?}",
                hearing.told
            );
            assert!(
                hearing.told[*name].len() > 1,
                "{name} never went: {:?}",
                hearing.told
            );
        }
        for name in unknown {
            assert_eq!(addresses(hearing, name), BTreeSet::new(), "{name}");
        }
    }
}
