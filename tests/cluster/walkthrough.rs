//! Three hosts, as somebody who reads the README would bring them up, and the walk-through for standalone
//! containers of Docker's documentation.

use std::time::Duration;

use overlay_tests::{
    Swarm, interrupt,
    swarm::{AGREED, Role, await_reply, text},
    traffic::{Iperf, ping},
};
use serde_json::Value;

fn networks(swarm: &Swarm, place: usize) -> Vec<String> {
    let listed = swarm[place]
        .overlay_json(&["network", "ls"])
        .expect("networks");
    let names = listed.as_array().expect("a list").iter();
    names
        .map(|network| text(network, &["name"]).expect("a name").to_owned())
        .collect()
}

fn await_network(swarm: &Swarm, place: usize, name: &str, is_there: bool) {
    let agreed = interrupt::wait_until(AGREED, || {
        networks(swarm, place).iter().any(|known| known == name) == is_there
    });
    assert!(
        agreed.expect("no interruption"),
        "network {name} on {}: {:?}",
        swarm[place].name(),
        networks(swarm, place)
    );
}

#[test]
fn three_hosts_become_one_cluster_and_carry_traffic() {
    let swarm = Swarm::apart(&["a", "b", "c"]).expect("hosts");

    let made = swarm.init(0).expect("swarm init");
    assert!(made.contains("Swarm initialized: current node"), "{made}");
    assert!(
        made.contains("overlay swarm join --token SWMTKN-1-"),
        "{made}"
    );
    let joined = swarm.join(1, Role::Worker).expect("swarm join");
    assert_eq!(joined.trim(), "This node joined a swarm as a worker.");
    let joined = swarm.join(2, Role::Manager).expect("swarm join");
    assert_eq!(joined.trim(), "This node joined a swarm as a manager.");
    swarm.await_members(3).expect("members");

    let listing = swarm[0].overlay(&["node", "ls"]).expect("node ls");
    assert!(listing.starts_with("ID "), "{listing}");
    let line = |name: &str| {
        let mut lines = listing.lines();
        lines
            .find(|line| line.split_whitespace().any(|word| word == name))
            .unwrap_or_else(|| panic!("no {name} in {listing}"))
    };
    assert!(line("a").contains(" * "), "{listing}");
    assert!(line("a").contains("Leader"), "{listing}");
    assert!(line("b").contains("Ready"), "{listing}");
    assert!(line("c").contains("Reachable"), "{listing}");

    swarm
        .network("blue", &["--subnet", "10.9.0.0/24"])
        .expect("a network");
    let (one, _) = swarm.guest(0, "blue", "one").expect("a container");
    let (two, eth0) = swarm.guest(1, "blue", "two").expect("a container");
    let (three, far) = swarm.guest(2, "blue", "three").expect("a container");
    let to = eth0.need_v4().expect("an address").into();
    await_reply(&one, to, AGREED).expect("a reply");
    await_reply(&three, to, AGREED).expect("a reply");
    let count = ping(
        two.namespace(),
        far.need_v4().expect("an address").into(),
        5,
    );
    assert!(count.expect("pings").is_complete());

    let iperf = Iperf {
        client: one.namespace(),
        server: two.namespace(),
        address: to,
        seconds: 1,
        directory: swarm.session().directory(),
    };
    assert!(iperf.tcp(1).expect("iperf3").bytes > 1e6);
}

#[test]
fn a_network_is_on_a_host_from_its_first_container_to_its_last() {
    let swarm = Swarm::start(&["a", "b"], 1).expect("a swarm");
    swarm.network("test-net", &[]).expect("a network");

    assert!(networks(&swarm, 0).iter().any(|name| name == "test-net"));
    assert_eq!(
        networks(&swarm, 1),
        ["ingress"],
        "a worker lists what it takes part in"
    );
    let (alpine1, _) = swarm.guest(0, "test-net", "alpine1").expect("a container");
    let (alpine2, eth0) = swarm.guest(1, "test-net", "alpine2").expect("a container");
    await_network(&swarm, 1, "test-net", true);
    let here = swarm[0].overlay_json(&["network", "inspect", "test-net"]);
    let there = swarm[1].overlay_json(&["network", "inspect", "test-net"]);
    let id = |inspected: Value| inspected[0]["id"].clone();
    assert_eq!(id(here.expect("inspect")), id(there.expect("inspect")));
    let to = eth0.need_v4().expect("an address").into();
    await_reply(&alpine1, to, AGREED).expect("a reply");

    let refusal = swarm[0]
        .overlay(&["network", "rm", "test-net"])
        .unwrap_err();
    assert!(
        format!("{refusal:#}").contains("has active endpoints"),
        "a network that is used stays: {refusal:#}"
    );
    alpine2.detach(&swarm[1], "test-net").expect("detach");
    await_network(&swarm, 1, "test-net", false);
    alpine1.detach(&swarm[0], "test-net").expect("detach");
    let gone = interrupt::wait_until(AGREED, || {
        swarm[0].overlay(&["network", "rm", "test-net"]).is_ok()
    });
    assert!(gone.expect("no interruption"), "an unused network goes");
    await_network(&swarm, 0, "test-net", false);
}

#[test]
fn a_moved_name_is_reached_where_it_is_now() {
    let swarm = Swarm::start(&["a", "b", "c"], 1).expect("a swarm");
    swarm
        .network("blue", &["--subnet", "10.9.0.0/24"])
        .expect("a network");
    let (one, _) = swarm.guest(0, "blue", "one").expect("a container");
    let (two, _) = swarm.guest(1, "blue", "two").expect("a container");
    two.detach(&swarm[1], "blue").expect("detach");

    let address = [10, 9, 0, 77].into();
    for place in [1, 2] {
        let moved = two.attach(&swarm[place], "blue", &["--ip", "10.9.0.77"]);
        moved.expect("attach with a wish");
        await_reply(&one, address, AGREED).expect("a reply");
        two.detach(&swarm[place], "blue").expect("detach");
        let silent = interrupt::wait_until(Duration::from_secs(5), || {
            ping(one.namespace(), address, 1).is_ok_and(|count| !count.is_complete())
        });
        assert!(silent.expect("no interruption"), "nobody has it any more");
    }
}
