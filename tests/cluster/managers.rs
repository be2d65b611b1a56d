//! Three managers: the death of the leader, of all of them, and the rest of the cluster meanwhile.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use overlay_tests::{
    Swarm, interrupt,
    swarm::{AGREED, await_reply, text},
    traffic::{Flood, ping},
};

const NAMES: [&str; 4] = ["a", "b", "c", "w"];

fn start() -> Swarm {
    let swarm = Swarm::start(&NAMES, 3).expect("a swarm");
    swarm
        .network("blue", &["--subnet", "10.9.0.0/24"])
        .expect("a network");
    swarm
}

fn listed(swarm: &Swarm, place: usize) -> BTreeSet<String> {
    let listed = swarm[place].overlay_json(&["network", "ls"]);
    let listed = listed.expect("network ls");
    let names = listed.as_array().expect("a list").iter();
    names
        .map(|network| text(network, &["name"]).expect("a name").to_owned())
        .collect()
}

fn await_leader(swarm: &Swarm, asked: usize, but: usize) -> Duration {
    let begun = Instant::now();
    let elected = interrupt::wait_until(AGREED, || {
        swarm.leader(asked).is_some_and(|leader| leader != but)
    });
    assert!(elected.expect("no interruption"), "nobody leads");
    begun.elapsed()
}

#[test]
fn the_leaders_death_loses_no_acknowledged_write() {
    let mut swarm = start();
    let leader = swarm.leader(0).expect("a leader");
    let survivor = (leader + 1) % 3;
    let mut acknowledged = BTreeSet::new();

    for number in 0..30 {
        if number == 10 {
            swarm.host_mut(leader).kill_agent().expect("a kill");
        }
        let name = format!("n{number}");
        let made = interrupt::wait_until(AGREED, || {
            let made = swarm[survivor].overlay(&["network", "create", "--attachable", &name]);
            match made {
                Ok(_) => true,
                // The answer to an earlier try was lost; the network is there.
                Err(error) => format!("{error:#}").contains("already exists"),
            }
        });
        assert!(made.expect("no interruption"), "network {name}");
        acknowledged.insert(name);
        let guest = format!("g{number}");
        let (_, eth0) = swarm.guest(3, "blue", &guest).expect("a container");
        assert!(eth0.v4.is_some());
    }

    let there = listed(&swarm, survivor);
    let lost: Vec<&String> = acknowledged.difference(&there).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    swarm.host_mut(leader).start_agent().expect("a start");
    let caught_up =
        interrupt::wait_until(AGREED, || acknowledged.is_subset(&listed(&swarm, leader)));
    assert!(
        caught_up.expect("no interruption"),
        "the killed one catches up"
    );
}

#[test]
fn without_managers_attachments_go_on_and_all_comes_back() {
    let mut swarm = start();
    let (one, _) = swarm.guest(0, "blue", "one").expect("a container");
    let (two, eth0) = swarm.guest(3, "blue", "two").expect("a container");
    let to = eth0.need_v4().expect("an address").into();
    await_reply(&one, to, AGREED).expect("a reply");
    let flood = Flood::start(one.namespace(), to, Duration::from_millis(2)).expect("a flood");
    let before = listed(&swarm, 0);

    for place in 0..3 {
        swarm.host_mut(place).kill_agent().expect("a kill");
    }
    let (late, eth0) = swarm
        .guest(3, "blue", "late")
        .expect("an attachment from a leased block, with no manager");
    let late_address = eth0.need_v4().expect("an address").into();
    let count = ping(two.namespace(), late_address, 3).expect("pings");
    assert!(count.is_complete(), "on the same host: {count:?}");
    let refusal = swarm[3].overlay(&["network", "create", "red"]).unwrap_err();
    assert!(
        format!("{refusal:#}").contains("not a swarm manager"),
        "{refusal:#}"
    );
    swarm
        .host_mut(3)
        .restart_agent()
        .expect("a restart with no manager");
    let count = flood.stop().expect("the flood's end");
    assert!(count.is_complete(), "{count:?}");

    for place in 0..3 {
        swarm.host_mut(place).start_agent().expect("a start");
    }
    await_leader(&swarm, 0, usize::MAX);
    swarm.await_members(NAMES.len()).expect("members");
    assert_eq!(listed(&swarm, 0), before);
    await_reply(&one, late_address, AGREED).expect("what came meanwhile is known");
    drop(late);
}

#[test]
fn a_minority_refuses_writes_and_says_so() {
    let mut swarm = start();
    let leader = swarm.leader(0).expect("a leader");
    let others: Vec<usize> = (0..3).filter(|place| *place != leader).collect();
    for place in &others {
        swarm.host_mut(*place).kill_agent().expect("a kill");
    }

    let begun = Instant::now();
    let mut refusal = String::new();
    let refused = interrupt::wait_until(AGREED, || {
        let made = swarm[leader].overlay(&["network", "create", "alone"]);
        refusal = made
            .err()
            .map_or(String::new(), |error| format!("{error:#}"));
        refusal.contains("does not have a leader")
    });
    assert!(refused.expect("no interruption"), "{refusal}");
    assert!(begun.elapsed() < AGREED, "in bounded time");

    swarm.host_mut(others[0]).start_agent().expect("a start");
    let written = interrupt::wait_until(AGREED, || {
        swarm[leader]
            .overlay(&["network", "create", "together"])
            .is_ok()
            || listed(&swarm, leader).contains("together")
    });
    assert!(written.expect("no interruption"), "a majority writes");
}
