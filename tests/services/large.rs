//! Twenty-five nodes: ends of tasks and hosts are known everywhere as soon as among three.

use std::time::{Duration, Instant};

use overlay_tests::{
    Binaries, Service, Session, Swarm, Wiring, interrupt,
    service::{await_service, cut_off, published},
    traffic::{Load, Record, Target},
};

use crate::scene::{BLUE, asking, client};

const NODES: usize = 25;

/// How long new connections may fail after a task was killed, and after its host was.
const TASK: Duration = Duration::from_millis(200);
const HOST: Duration = Duration::from_secs(3);

/// Twenty-five hosts in a swarm, and one outside.
fn many_hosts() -> Swarm {
    let mut names: Vec<String> = (1..=NODES).map(|number| format!("n{number}")).collect();
    names.push("x".to_owned());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let session = Session::for_test().expect("a session");
    let binaries = Binaries::find().expect("programs");
    let swarm = Swarm::besides(session, Wiring::default(), &names, NODES, &binaries, "");
    let swarm = swarm.expect("a swarm");
    swarm.network(BLUE, &[]).expect("a network");
    swarm
}

fn outages(loads: Vec<Load>, happen: impl FnOnce(), after: Duration) -> Vec<(Duration, Record)> {
    interrupt::pause(Duration::from_secs(1)).expect("no interruption");
    let begun = Instant::now();
    happen();
    interrupt::pause(after).expect("no interruption");
    let records = loads.into_iter().map(|load| load.stop().expect("a record"));
    records
        .map(|record| (record.outage(begun), record))
        .collect()
}

#[test]
fn twenty_five_nodes_know_of_the_end_of_a_task_and_of_a_host_in_time() {
    let swarm = many_hosts();
    let options = ["--network", BLUE, "--publish", "8080:80"];
    let mut service = Service::create(&swarm, "web", &options).expect("a service");
    service.start_tasks(&[0, 6, 12, 18, 24]).expect("tasks");
    let (client, _) = client(&swarm, 3);
    let mut targets = vec![asking(&service, &client, 3)];
    // Nodes with a task, and without.
    for place in [0, 9] {
        let to = published(&swarm[place], 8080);
        targets.push(Target::http(swarm[NODES].namespace(), to));
    }
    for target in &mut targets {
        await_service(target).expect("an answer");
        target.patience = Duration::from_millis(500);
    }
    let load = |interval: u64| -> Vec<Load> {
        let every = Duration::from_millis(interval);
        targets.iter().map(|target| target.load(2, every)).collect()
    };

    let kill = || service.tasks()[2].kill().expect("a kill");
    for (outage, record) in outages(load(5), kill, Duration::from_secs(3)) {
        let last = record.failures().last();
        assert!(outage <= TASK, "a task: {outage:?}, the last by {last:?}");
    }
    let cut = || cut_off(&swarm, 24).expect("a cut");
    for (outage, record) in outages(load(20), cut, Duration::from_secs(8)) {
        let last = record.failures().last();
        assert!(outage <= HOST, "a host: {outage:?}, the last by {last:?}");
    }
}
