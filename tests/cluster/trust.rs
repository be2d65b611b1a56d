//! Another certificate authority, and other keys of the gossip, while everything goes on.

use std::{fs, time::Duration};

use anyhow::Result;
use overlay_tests::{
    Container, Host, Swarm, interrupt,
    swarm::{AGREED, Role, await_reply, text},
    traffic::Flood,
};

/// Two managers and a worker, and a host that is in no cluster yet.
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const MEMBERS: usize = 3;

/// A swarm with a container on `a` and one on `c`, and packets between them.
struct Busy {
    swarm: Swarm,
    flood: Flood,
    one: Container,
    three: Container,
}

impl Busy {
    fn start() -> Self {
        let swarm = Swarm::apart(&NAMES).expect("hosts");
        swarm.init(0).expect("swarm init");
        swarm.join(1, Role::Manager).expect("swarm join");
        swarm.join(2, Role::Worker).expect("swarm join");
        swarm.await_members(MEMBERS).expect("members");
        swarm
            .network("blue", &["--subnet", "10.9.0.0/24"])
            .expect("a network");
        let (one, first) = swarm.guest(0, "blue", "one").expect("a container");
        let (three, third) = swarm.guest(2, "blue", "three").expect("a container");
        let to = third.need_v4().expect("an address").into();
        await_reply(&one, to, AGREED).expect("a reply");
        let back = first.need_v4().expect("an address").into();
        await_reply(&three, back, AGREED).expect("a reply");
        let flood = Flood::start(one.namespace(), to, Duration::from_millis(2)).expect("a flood");
        Self {
            swarm,
            flood,
            one,
            three,
        }
    }

    fn end(self) -> Swarm {
        let count = self.flood.stop().expect("the flood's end");
        assert!(count.is_complete(), "{count:?}");
        self.swarm
    }
}

fn root(host: &Host) -> String {
    let root = host.overlay(&["swarm", "ca"]).expect("swarm ca");
    root.trim().to_owned()
}

/// What a node proves itself with, and whom it trusts.
fn credentials(host: &Host) -> String {
    let path = host.data_dir().join("swarm/certificates/node.pem");
    fs::read_to_string(path).expect("credentials")
}

/// Lets host `d` try to join.
fn join(swarm: &Swarm, token: &str, manager: usize, options: &[&str]) -> Result<String> {
    let own = swarm[3].machine().address().to_string();
    let remote = format!("{}:2377", swarm[manager].machine().address());
    let mut arguments = vec!["swarm", "join", "--token", token, "--advertise-addr", &own];
    arguments.extend(options);
    arguments.push(&remote);
    swarm[3].overlay(&arguments)
}

/// Waits until every node trusts this root alone. It then has a certificate of it: one of another would
/// not have been kept.
fn await_root(swarm: &Swarm, old: &str, new: &str) {
    for host in &swarm.hosts()[..MEMBERS] {
        let followed = interrupt::wait_until(AGREED, || {
            let kept = credentials(host);
            kept.contains(new) && !kept.contains(old)
        });
        assert!(
            followed.expect("no interruption"),
            "{} trusts {}",
            host.name(),
            credentials(host).matches("BEGIN CERTIFICATE").count() - 1
        );
        let status = host.status().expect("a status");
        assert_eq!(status["cluster"]["gossip"]["failed"], 0, "{status}");
    }
}

#[test]
fn a_new_root_reaches_every_node_under_traffic() {
    let mut busy = Busy::start();
    let swarm = &busy.swarm;
    let (old, old_token) = (root(&swarm[0]), swarm.token(Role::Worker).expect("a token"));
    assert!(credentials(&swarm[2]).contains(&old));
    let before: Vec<String> = swarm.hosts()[..MEMBERS].iter().map(credentials).collect();

    let new = swarm[1].overlay(&["swarm", "ca", "--rotate"]);
    let new = new.expect("swarm ca --rotate").trim().to_owned();
    assert_ne!(new, old);
    let mut new_token = old_token.clone();
    let renamed = interrupt::wait_until(AGREED, || {
        new_token = swarm.token(Role::Worker).expect("a token");
        new_token != old_token
    });
    assert!(
        renamed.expect("no interruption"),
        "tokens name the new root"
    );
    join(swarm, &old_token, 0, &[]).expect_err("the token of the old root, at once");
    await_root(swarm, &old, &new);
    for (host, before) in swarm.hosts().iter().zip(&before) {
        let leaf = |pem: &str| pem.split("-----END").next().map(str::to_owned);
        assert_ne!(leaf(&credentials(host)), leaf(before), "{}", host.name());
    }
    assert_eq!(
        [root(&swarm[0]), root(&swarm[1])],
        [new.clone(), new.clone()]
    );
    let refusal = join(swarm, &old_token, 0, &[]).expect_err("the token of the old root");
    let refusal = format!("{refusal:#}");
    assert!(refusal.contains("swarm join-token"), "{refusal}");

    let drained = ["--availability", "drain"];
    join(swarm, &new_token, 1, &drained).expect("the token of the new root");
    swarm.await_members(NAMES.len()).expect("members");
    let nodes = swarm[0].overlay_json(&["node", "ls"]).expect("nodes");
    let is_d = |node: &&serde_json::Value| node["description"]["hostname"] == "d";
    let late = nodes.as_array().expect("a list").iter().find(is_d);
    let availability = late.map(|node| text(node, &["spec", "availability"]).expect("a text"));
    assert_eq!(availability, Some("drain"), "{nodes}");

    for place in [2, 1] {
        let host = busy.swarm.host_mut(place);
        host.kill_agent().expect("a kill");
        host.start_agent()
            .expect("a start with the new certificate");
        busy.swarm.await_members(NAMES.len()).expect("members");
    }
    let (_late, eth0) = busy.swarm.guest(1, "blue", "late").expect("a container");
    let to = eth0.need_v4().expect("an address").into();
    await_reply(&busy.one, to, AGREED).expect("a reply");
    busy.end();
}

#[test]
fn a_node_that_was_away_follows_a_new_root_when_it_returns() {
    let mut busy = Busy::start();
    let old = root(&busy.swarm[0]);
    busy.swarm.host_mut(2).kill_agent().expect("a kill");

    let new = busy.swarm[0].overlay(&["swarm", "ca", "--rotate"]);
    let new = new.expect("swarm ca --rotate").trim().to_owned();
    let waits = interrupt::wait_until(AGREED, || {
        let root = busy.swarm[0].overlay_json(&["swarm", "ca"]);
        root.is_ok_and(|root| root["outdated_nodes"] == 1)
    });
    assert!(waits.expect("no interruption"), "one is away");
    let token = busy.swarm.token(Role::Worker).expect("a token");
    join(&busy.swarm, &token, 0, &[]).expect("joining goes on meanwhile");
    // Nobody is shut out.
    assert!(credentials(&busy.swarm[0]).contains(&old));

    let newest = busy.swarm[1].overlay(&["swarm", "ca", "--rotate"]);
    let newest = newest.expect("a rotation before the last one ended");
    let newest = newest.trim().to_owned();
    assert_ne!(newest, new);
    busy.swarm.host_mut(2).start_agent().expect("a start");
    await_root(&busy.swarm, &old, &newest);
    assert!(!credentials(&busy.swarm[2]).contains(&new));
    busy.swarm.await_members(NAMES.len()).expect("members");
    busy.end();
}

#[test]
fn keys_of_the_gossip_move_on_under_traffic() {
    let busy = Busy::start();
    let swarm = &busy.swarm;
    let chosen = ["swarm", "update", "--key-rotation", "90m"];
    swarm[0].overlay(&chosen).expect("swarm update");

    let mut primary = 0;
    for _ in 0..3 {
        let keys = swarm[1].overlay_json(&["swarm", "keys", "--rotate"]);
        let keys = keys.expect("swarm keys --rotate");
        primary = keys["primary"].as_u64().expect("a number");
        assert_eq!(keys["period_s"], 5_400, "{keys}");
        for host in &swarm.hosts()[..MEMBERS] {
            let status = host.status().expect("a status");
            assert_eq!(status["cluster"]["gossip"]["failed"], 0, "{status}");
        }
    }
    assert_eq!(primary, 3);

    for (place, asks) in [(0, &busy.three), (2, &busy.one)] {
        let name = format!("late-{place}");
        let (_late, eth0) = swarm.guest(place, "blue", &name).expect("a container");
        let to = eth0.need_v4().expect("an address").into();
        await_reply(asks, to, AGREED).expect("a reply");
    }
    swarm.await_members(MEMBERS).expect("nobody failed");
    busy.end();
}
