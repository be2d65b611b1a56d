//! Asking what is the matter: status, doctor, stats, monitor, explain.

use std::{fs, path::Path, time::Duration};

use overlay_tests::{
    Counters, Host, Pair,
    cluster::BLUE_NOBODY,
    interrupt,
    process::{self, Daemon, tail},
    traffic::ping,
};
use serde_json::Value;

use super::answer;
use crate::pinned::{self, Pinned};

const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn status_tells_what_the_agent_is_and_has() {
    let pair = Pair::start().expect("a pair");

    let status = pair.a.status().expect("a status");
    let text = pair.a.overlay(&["status"]).expect("text");

    for (key, value) in [
        ("node", "a"),
        ("mode", "static"),
        ("encap", "native"),
        ("address", "192.0.2.1"),
    ] {
        assert_eq!(status[key], value, "{status}");
    }
    for (key, value) in [
        ("endpoints", 1),
        ("networks", 2),
        ("peers", 1),
        ("blocks", 3),
        ("port", 4789),
    ] {
        assert_eq!(status[key], value, "{status}");
    }
    assert_eq!(status["pid"].as_u64(), pair.a.agent_pid().map(u64::from));
    let maps = status["maps"].as_array().expect("maps");
    let entries = |name: &str| {
        let mut maps = maps.iter().filter(|map| map["name"] == name);
        maps.next().and_then(|map| map["entries"].as_u64())
    };
    assert_eq!(entries("ENDPOINT"), Some(2), "{status}");
    assert_eq!(entries("INTERFACE"), Some(1), "{status}");
    assert_eq!(entries("PEER"), Some(1), "{status}");
    assert!(
        text.starts_with("Node: ") && text.contains("a (192.0.2.1)"),
        "{text}"
    );
}

/// The check of a doctor's answer whose verdict is not `ok`, and what it says.
fn complaints(checks: &Value) -> Vec<(String, String)> {
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let all = checks.as_array().expect("a list");
    all.iter()
        .filter(|check| check["verdict"] != "ok")
        .map(|check| (text(check, "name"), text(check, "remedy")))
        .collect()
}

#[test]
fn the_doctor_finds_nothing_wrong_with_a_healthy_host() {
    let pair = Pair::start().expect("a pair");

    let (code, checks) = answer(&pair.a, &["doctor"]);

    let mut complaints = complaints(&checks);
    // What an older kernel lacks is worth knowing, and no fault; no resolver can be reached from here.
    complaints.retain(|(name, _)| name != "kernel" && name != "resolvers");
    assert_eq!(complaints, [], "{checks}");
    assert_eq!(code, Some(0));
}

/// What is broken on a host, the check that finds it, and a word of the way out.
struct Fault {
    cause: fn(&Host),
    check: &'static str,
    remedy: &'static str,
}

const FAULTS: [Fault; 5] = [
    Fault {
        cause: detach_from_underlay,
        check: "programs",
        remedy: "overlay audit",
    },
    Fault {
        cause: |host| ip(host, "link delete ovl-vxlan"),
        check: "vxlan device",
        remedy: "overlay audit",
    },
    Fault {
        cause: |host| ip(host, &format!("link set {} down", host_end(host))),
        check: "endpoints",
        remedy: "switch",
    },
    Fault {
        cause: |host| ip(host, "route del 192.0.2.0/24"),
        check: "ways",
        remedy: "ip route get",
    },
    Fault {
        cause: |host| ip(host, "address del 192.0.2.1/24 dev eth0"),
        check: "address",
        remedy: "give it",
    },
];

#[test]
fn the_doctor_finds_a_fault_and_the_way_out() {
    let pair = Pair::start().expect("a pair");
    for fault in &FAULTS {
        (fault.cause)(&pair.a);

        let complains = || {
            let (_, checks) = answer(&pair.a, &["doctor"]);
            complaints(&checks)
                .iter()
                .any(|(name, remedy)| name == fault.check && remedy.contains(fault.remedy))
        };
        let found = interrupt::wait_until(PATIENCE, complains).expect("not interrupted");
        assert!(found, "{}", fault.check);
    }
    let (code, checks) = answer(&pair.a, &["doctor"]);
    assert_eq!(code, Some(1), "{checks}");
}

fn detach_from_underlay(host: &Host) {
    let links = Pinned::of(host).links("from_underlay").expect("links");
    pinned::detach_link(&links[0]).expect("detached");
}

fn ip(host: &Host, line: &str) {
    host.namespace().ip(&[line]).expect(line);
}

fn host_end(host: &Host) -> String {
    let (_, list) = answer(host, &["endpoint", "ls"]);
    list[0]["host_interface"]
        .as_str()
        .expect("a name")
        .to_owned()
}

#[test]
fn stats_count_walks_and_drops() {
    let pair = Pair::start().expect("a pair");

    let [a, b] = Counters::during([&pair.a, &pair.b], || {
        pair.check_reach()?;
        ping(pair.one.namespace(), BLUE_NOBODY.into(), 1).map(drop)
    })
    .expect("counters");

    assert_eq!(
        (a.walk("encapsulated"), a.walk("decapsulated")),
        (6, 6),
        "{a:?}"
    );
    assert_eq!(
        (b.walk("encapsulated"), b.walk("decapsulated")),
        (6, 6),
        "{b:?}"
    );
    assert!(a.drop("no-neighbour") > 0, "{a:?}");
    let text = pair.a.overlay(&["stats"]).expect("text");
    assert!(
        text.contains("no-neighbour") && !text.contains("torn"),
        "{text}"
    );
    let all = pair.a.overlay(&["stats", "--all"]).expect("text");
    assert!(all.contains("torn"), "{all}");
}

/// The events that `overlay monitor --format json` wrote so far.
fn events(log: &Path) -> Vec<Value> {
    let text = fs::read_to_string(log).expect("a log");
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

#[test]
fn monitor_prints_a_drop_as_it_happens() {
    let mut pair = Pair::start().expect("a pair");
    let log = pair.session().directory().join("monitor.log");
    let mut command = pair.a.cli(&["--format", "json", "monitor"]);
    let mut monitor = Daemon::start("overlay monitor", &mut command, &log).expect("started");
    let foreign = ["address add 10.1.0.99/23 dev eth0"];
    pair.one
        .namespace()
        .ip(&foreign)
        .expect("an address that is not its own");
    let spoof = || {
        let target = pair.two.v4().to_string();
        let arguments = ["-c", "1", "-W", "1", "-I", "10.1.0.99", &target];
        let ping = pair
            .one
            .namespace()
            .command("ping")
            .args(arguments)
            .output();
        drop(ping.expect("ping"));
        let events = events(&log);
        events
            .into_iter()
            .find(|event| event["reason"] == "spoofed-address")
    };

    // The monitor may not listen yet when the first packet is dropped.
    let mut seen = None;
    let is_seen = || {
        seen = spoof();
        seen.is_some()
    };
    assert!(
        interrupt::wait_until(PATIENCE, is_seen).expect("not interrupted"),
        "{}",
        tail(&log, 5)
    );
    pair.a.stop_agent().expect("stopped");

    let event = seen.expect("an event");
    assert_eq!(event["place"], "from_container", "{event}");
    assert_eq!(event["endpoint"], "one", "{event}");
    assert_eq!(event["network"], "blue", "{event}");
    assert_eq!(event["source"], "10.1.0.99", "{event}");
    let ended = || monitor.ended().expect("a status").is_some();
    assert!(interrupt::wait_until(PATIENCE, ended).expect("not interrupted"));
    assert!(
        tail(&log, 1).contains("the agent stopped"),
        "{}",
        tail(&log, 2)
    );
}

/// Whether a packet arrives, and the step that decides or is the last.
fn explain(host: &Host, source: &str, destination: &str) -> (bool, String) {
    let (code, told) = answer(host, &["explain", source, destination]);
    let arrives = told["arrives"] == true;
    assert_eq!(code, Some(i32::from(!arrives)), "{told}");
    let steps = told["steps"].as_array().expect("steps");
    let last = steps.last().expect("a step");
    let is_stop = |step: &&Value| step["verdict"] == "stop";
    let ends = steps.iter().filter(is_stop).count();
    assert_eq!(ends, usize::from(!arrives), "{told}");
    (arrives, last["step"].as_str().expect("a name").to_owned())
}

fn arrives(step: &str) -> (bool, String) {
    (true, step.to_owned())
}

fn stops_at(step: &str) -> (bool, String) {
    (false, step.to_owned())
}

#[test]
fn explain_follows_a_packet_to_its_end() {
    let pair = Pair::start().expect("a pair");
    let two = pair.two.v4().to_string();
    let nobody = BLUE_NOBODY.to_string();

    assert_eq!(explain(&pair.a, "one", &two), arrives("mtu"));
    assert_eq!(explain(&pair.a, "10.1.0.2", &two), arrives("mtu"));
    assert_eq!(explain(&pair.a, "one", "fd00:1::100"), arrives("mtu"));
    assert_eq!(explain(&pair.a, "one", "one"), arrives("delivery"));
    assert_eq!(explain(&pair.a, &two, "one"), arrives("delivery"));
    assert_eq!(explain(&pair.a, "one", &nobody), stops_at("route"));
    assert_eq!(explain(&pair.a, "one", "10.1.0.1"), stops_at("route"));
    assert_eq!(explain(&pair.a, "one", "10.1.0.33"), stops_at("route"));
    assert_eq!(explain(&pair.a, &nobody, "one"), stops_at("sender"));
    let mut question = pair.a.cli(&["explain", "one", &nobody]);
    let told = process::capture(&mut question).expect("it runs");
    assert!(told.stdout.contains("no-route"), "{told:?}");
    assert!(
        told.stdout.ends_with("the packet does not arrive\n"),
        "{told:?}"
    );
}

#[test]
fn explain_finds_what_is_broken() {
    let pair = Pair::start().expect("a pair");
    let pinned = Pinned::of(&pair.a);
    let two = pair.two.v4().to_string();
    let audit = || drop(pair.a.overlay(&["audit"]).expect("an audit"));

    // The source address that the container may have is another one.
    let mut interface = pinned.entries("INTERFACE").expect("entries").remove(0);
    interface.value[15] ^= 1;
    pinned.put("INTERFACE", &interface).expect("changed");
    assert_eq!(explain(&pair.a, "one", &two), stops_at("source"));
    pinned.delete("INTERFACE", &interface.key).expect("deleted");
    assert_eq!(explain(&pair.a, "one", &two), stops_at("interface"));
    audit();

    let peer = pinned.entries("PEER").expect("entries").remove(0);
    pinned.delete("PEER", &peer.key).expect("deleted");
    assert_eq!(explain(&pair.a, "one", &two), stops_at("peer"));
    audit();

    let address = pinned.entries("PEER_BY_ADDR").expect("entries").remove(0);
    pinned
        .delete("PEER_BY_ADDR", &address.key)
        .expect("deleted");
    assert_eq!(explain(&pair.a, &two, "one"), stops_at("outer source"));
    audit();

    let links = pinned.links("from_container").expect("links");
    pinned::detach_link(&links[0]).expect("detached");
    assert_eq!(explain(&pair.a, "one", &two), stops_at("program"));
    audit();

    pair.one
        .namespace()
        .ip(&["link set eth0 down"])
        .expect("down");
    assert_eq!(explain(&pair.a, &two, "one"), stops_at("delivery"));

    ip(&pair.a, "route del 192.0.2.0/24");
    let is_lost = || explain(&pair.a, "one", &two) == stops_at("underlay");
    assert!(interrupt::wait_until(PATIENCE, is_lost).expect("not interrupted"));
}
