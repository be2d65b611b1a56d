//! How requests are spread, and what happens where there is nobody to answer.

use std::time::Duration;

use overlay_tests::{
    Service,
    service::{PORT, published},
    traffic::{Outcome, Record, Target},
};

use crate::scene::{BLUE, OUTSIDE, asking, client, three_hosts, web};

/// How far the busiest and the idlest of five equal tasks may be from a fifth.
const IMBALANCE: f64 = 0.15;

const CONNECTIONS: u32 = 10_000;

/// "At once": less than any retransmission.
const AT_ONCE: Duration = Duration::from_millis(200);

/// Nobody was turned away, and each of five had about a fifth.
fn assert_equal_shares(record: &Record) {
    assert_eq!(
        record.failures().count(),
        0,
        "{:?}",
        record.failures().next()
    );
    let imbalance = record.imbalance(5);
    assert!(
        imbalance <= IMBALANCE,
        "{imbalance}: {:?}",
        record.answers()
    );
}

#[test]
fn equal_tasks_get_equal_shares_of_a_vip() {
    let swarm = three_hosts();
    let service = web(&swarm, &[], &[0, 0, 1, 1, 2]);
    let (client, _) = client(&swarm, 0);
    let target = asking(&service, &client, 0);

    let record = target.ask_side_by_side(CONNECTIONS, 4).expect("requests");

    assert_equal_shares(&record);
}

#[test]
fn equal_tasks_get_equal_shares_of_a_published_port() {
    let swarm = three_hosts();
    let _service = web(&swarm, &["--publish", "8080:80"], &[0, 0, 1, 1, 2]);
    let outside = swarm[OUTSIDE].namespace();

    for place in 0..3 {
        let target = Target::http(outside, published(&swarm[place], 8080));
        target
            .await_answer(Duration::from_secs(10))
            .expect("an answer");
        let record = target.ask_side_by_side(CONNECTIONS, 4).expect("requests");
        assert_equal_shares(&record);
    }
}

#[test]
fn a_service_without_tasks_refuses_at_once() {
    let swarm = three_hosts();
    let options = ["--publish", "8080:80", "--publish", "8080:80/udp"];
    let mut service = web(&swarm, &options, &[0]);
    let (client, _) = client(&swarm, 1);
    let asking = asking(&service, &client, 1);
    service.task_mut(0).stop().expect("the last task's end");
    service.await_running(0).expect("no tasks");

    let outside = swarm[OUTSIDE].namespace();
    let mut targets = vec![
        asking.clone(),
        Target::udp(
            client.namespace(),
            asking.to,
            overlay_tests::traffic::Carrier::Udp,
        ),
    ];
    for place in 0..3 {
        let to = published(&swarm[place], 8080);
        targets.push(Target::http(outside, to));
        targets.push(Target::udp(
            outside,
            to,
            overlay_tests::traffic::Carrier::Udp,
        ));
    }
    for target in targets {
        let record = target.ask_often(20).expect("requests");
        for attempt in record.attempts() {
            assert_eq!(
                attempt.outcome,
                Outcome::Refused,
                "{:?} to {}",
                target.carrier,
                target.to
            );
            assert!(attempt.took < AT_ONCE, "{:?}", attempt.took);
        }
    }
}

#[test]
fn a_name_that_stands_for_tasks_has_no_vip() {
    let swarm = three_hosts();
    let mut service = Service::create(
        &swarm,
        "many",
        &["--network", BLUE, "--endpoint-mode", "dnsrr"],
    )
    .expect("service create");
    service.start_tasks(&[0, 1]).expect("tasks");
    let (client, _) = client(&swarm, 0);

    let addresses = service.vips(0, BLUE).expect("addresses");

    assert_eq!(addresses.len(), 4, "two tasks, two families: {addresses:?}");
    let mut servers = std::collections::BTreeSet::new();
    for address in addresses {
        let target = Target::http(client.namespace(), (address, PORT).into());
        let attempt = target.ask().expect("a request");
        let Outcome::Answered(server) = attempt.outcome else {
            panic!("{address}: {attempt:?}");
        };
        servers.insert(server);
    }
    assert_eq!(servers.len(), 2, "{servers:?}");
}
