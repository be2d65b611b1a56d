//! What somebody else changed in the kernel is put right by the next audit, and counted.

use std::{fs, time::Duration};

use overlay_tests::{
    Host, Pair, Session, StaticConfig, Underlay, Wiring,
    cluster::{self, BLUE, BLUE_NOBODY},
    interrupt, link,
    static_config::{Attach, Encap, Node},
};
use serde_json::Value;

use crate::{
    pinned::{self, Entry, PROGRAMS, Pinned, TABLES},
    traces::Traces,
};

const VXLAN: &str = "ovl-vxlan";

/// Several times the interval of the audits that a test waits for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A byte of each map's key that may be anything.
const FREE_BYTE: [(&str, usize); 7] = [
    ("ENDPOINT", 15),
    ("INTERFACE", 2),
    ("ROUTE", 15),
    ("BLOCK", 7),
    ("PEER", 2),
    ("PEER_BY_ADDR", 15),
    ("NETWORK", 1),
];

/// A pair in whose tables there is something of everything: the node `k` has a single address.
fn pair(change: impl FnOnce(StaticConfig) -> StaticConfig) -> Pair {
    let session = Session::for_test().expect("a session");
    let underlay =
        Underlay::build(&session, "u", &["a", "b"], Wiring::direct()).expect("an underlay");
    let mut nodes = cluster::nodes(underlay.machines());
    let k = Node::new("k", [192, 0, 2, 77].into());
    nodes.push(k.endpoint(BLUE, BLUE_NOBODY.into(), None));
    let config = StaticConfig::new(nodes, cluster::networks()).audit_interval("1h");
    Pair::on(session, underlay, &change(config)).expect("a pair")
}

/// Audits, and returns what was repaired: its kind and what was done. Nothing is left for a second audit.
fn audit(host: &Host) -> Vec<(String, String)> {
    let ask = || host.overlay_json(&["audit"]).expect("an audit");
    let first = repairs(&ask());
    assert_eq!(repairs(&ask()), [], "after {first:?}");
    first
}

fn repairs(report: &Value) -> Vec<(String, String)> {
    let text = |repair: &Value, key: &str| repair[key].as_str().expect("text").to_owned();
    let list = report["repaired"].as_array().expect("a list");
    list.iter()
        .map(|repair| (text(repair, "kind"), text(repair, "action")))
        .collect()
}

fn repair(kind: &str, action: &str) -> (String, String) {
    (kind.to_owned(), action.to_owned())
}

fn repaired_total(host: &Host) -> u64 {
    let status = host.status().expect("a status");
    status["audit"]["repaired_total"]
        .as_u64()
        .expect("a number")
}

/// The host end of the only container.
fn host_end(host: &Host) -> String {
    let endpoints = host.overlay_json(&["endpoint", "ls"]).expect("a list");
    endpoints[0]["host_interface"]
        .as_str()
        .expect("a name")
        .to_owned()
}

fn is_up(host: &Host, interface: &str) -> bool {
    let flags = host
        .namespace()
        .exec("ip", &["-o", "link", "show", interface]);
    flags.expect("an interface").contains(",UP")
}

#[test]
fn a_deleted_entry_of_any_map_comes_back() {
    let pair = pair(|config| config);
    let pinned = Pinned::of(&pair.a);
    for map in TABLES {
        let before = pinned.entries(map).expect("entries");
        let first = before.first().unwrap_or_else(|| panic!("{map} is empty"));
        pinned.delete(map, &first.key).expect("deleted");

        let repaired = audit(&pair.a);

        assert_eq!(repaired, [repair(map, "added")]);
        assert_eq!(pinned.entries(map).expect("entries"), before, "{map}");
    }
    assert_eq!(repaired_total(&pair.a), TABLES.len() as u64);
    pair.check_reach().expect("it reaches");
}

#[test]
fn a_changed_entry_of_any_map_is_put_right() {
    let pair = pair(|config| config);
    let pinned = Pinned::of(&pair.a);
    for map in TABLES {
        let before = pinned.entries(map).expect("entries");
        let mut changed = before.first().cloned().expect(map);
        changed.value[0] ^= 0x55;
        pinned.put(map, &changed).expect("changed");

        let repaired = audit(&pair.a);

        assert_eq!(repaired, [repair(map, "changed")]);
        assert_eq!(pinned.entries(map).expect("entries"), before, "{map}");
    }
    pair.check_reach().expect("it reaches");
}

#[test]
fn a_foreign_entry_of_any_map_goes() {
    let pair = pair(|config| config);
    let pinned = Pinned::of(&pair.a);
    for (map, byte) in FREE_BYTE {
        let before = pinned.entries(map).expect("entries");
        let mut foreign = before.first().cloned().expect(map);
        foreign.key[byte] ^= 0x40;
        pinned.put(map, &foreign).expect("added");

        let repaired = audit(&pair.a);

        assert_eq!(repaired, [repair(map, "removed")]);
        assert_eq!(pinned.entries(map).expect("entries"), before, "{map}");
    }
    pair.check_reach().expect("it reaches");
}

#[test]
fn a_block_that_catches_every_address_of_every_network_goes() {
    let pair = pair(|config| config);
    let pinned = Pinned::of(&pair.a);
    let before = pinned.entries("BLOCK").expect("entries");
    let value = before[0].value.clone();
    let key = vec![0; before[0].key.len()];
    pinned.put("BLOCK", &Entry { key, value }).expect("added");

    let repaired = audit(&pair.a);

    assert_eq!(repaired, [repair("BLOCK", "removed")]);
    assert_eq!(pinned.entries("BLOCK").expect("entries"), before);
}

#[test]
fn a_detached_link_is_attached_again() {
    let pair = pair(|config| config);
    let pinned = Pinned::of(&pair.a);
    let before = Traces::of(&pair.a).expect("traces");
    for program in PROGRAMS {
        let links = pinned.links(program).expect("links");
        pinned::detach_link(&links[0]).expect("detached");
        assert_ne!(Traces::of(&pair.a).expect("traces"), before, "{program}");

        let repaired = audit(&pair.a);

        assert_eq!(repaired, [repair("link", "added")], "{program}");
        assert_eq!(Traces::of(&pair.a).expect("traces"), before, "{program}");
    }
    pair.check_reach().expect("it reaches");
}

#[test]
fn a_link_whose_pin_was_removed_is_attached_and_pinned_again() {
    let pair = pair(|config| config);
    let pinned = Pinned::of(&pair.a);
    let before = Traces::of(&pair.a).expect("traces");
    for program in PROGRAMS {
        let links = pinned.links(program).expect("links");
        fs::remove_file(&links[0]).expect("a pin");
        // The kernel detaches it when it gets round to it.
        let is_detached = || Traces::of(&pair.a).expect("traces").programs != before.programs;
        assert!(interrupt::wait_until(PATIENCE, is_detached).expect("not interrupted"));

        let repaired = audit(&pair.a);

        assert_eq!(repaired, [repair("link", "added")], "{program}");
        assert_eq!(Traces::of(&pair.a).expect("traces"), before, "{program}");
    }
    pair.check_reach().expect("it reaches");
}

#[test]
fn a_removed_filter_or_discipline_comes_back() {
    let pair = pair(|config| config.attach(Attach::Clsact));
    let before = Traces::of(&pair.a).expect("traces");
    let container = host_end(&pair.a);
    for interface in [&container, "eth0", VXLAN] {
        for removal in [
            ["filter", "del", "dev", interface, "ingress"],
            ["qdisc", "del", "dev", interface, "clsact"],
        ] {
            pair.a.namespace().exec("tc", &removal).expect("removed");

            let repaired = audit(&pair.a);

            assert_eq!(repaired, [repair("link", "added")], "{removal:?}");
            assert_eq!(Traces::of(&pair.a).expect("traces"), before, "{removal:?}");
        }
    }
    pair.check_reach().expect("it reaches");
}

#[test]
fn a_deleted_vxlan_device_is_made_again() {
    let pair = pair(|config| config.encap(Encap::Device));
    let before = link::find(pair.a.namespace(), VXLAN)
        .expect("a device")
        .index;
    pair.a
        .namespace()
        .ip(&[format!("link delete {VXLAN}")])
        .expect("deleted");
    assert!(pair.check_reach().is_err(), "it takes the device to reach");

    let repaired = audit(&pair.a);

    assert_eq!(
        repaired,
        [repair("vxlan", "added"), repair("link", "added")]
    );
    let after = link::find(pair.a.namespace(), VXLAN)
        .expect("a device")
        .index;
    assert_eq!(after, before);
    pair.check_reach().expect("it reaches");
}

#[test]
fn a_deleted_vxlan_device_whose_index_is_taken_gets_another() {
    let pair = pair(|config| config.encap(Encap::Device));
    let before = link::find(pair.a.namespace(), VXLAN)
        .expect("a device")
        .index;
    let taken = [
        format!("link delete {VXLAN}"),
        format!("link add squatter index {before} type bridge"),
    ];
    pair.a.namespace().ip(&taken).expect("taken");

    let repaired = audit(&pair.a);

    assert!(repaired.contains(&repair("vxlan", "added")), "{repaired:?}");
    pair.check_reach().expect("it reaches");
}

#[test]
fn devices_that_were_set_down_are_up_again() {
    let pair = pair(|config| config.encap(Encap::Device));
    let container = host_end(&pair.a);
    for (device, kind) in [(VXLAN, "vxlan"), (&container, "endpoint")] {
        pair.a
            .namespace()
            .ip(&[format!("link set {device} down")])
            .expect("down");

        let repaired = audit(&pair.a);

        assert_eq!(repaired, [repair(kind, "changed")]);
        assert!(is_up(&pair.a, device), "{device}");
    }
    pair.check_reach().expect("it reaches");
}

#[test]
fn the_timer_repairs_what_nobody_asked_about() {
    let pair = pair(|config| config.encap(Encap::Device).audit_interval("1s"));
    let pinned = Pinned::of(&pair.a);
    let container = host_end(&pair.a);
    let peer = pinned.entries("PEER").expect("entries").remove(0);
    let links = pinned.links("from_container").expect("links");

    pinned.delete("PEER", &peer.key).expect("deleted");
    pinned::detach_link(&links[0]).expect("detached");
    let removals = [
        format!("link set {container} down"),
        format!("link delete {VXLAN}"),
    ];
    pair.a.namespace().ip(&removals).expect("gone");

    let are_counted = || repaired_total(&pair.a) >= 4;
    assert!(interrupt::wait_until(PATIENCE, are_counted).expect("not interrupted"));
    pair.check_reach().expect("it reaches");
    let status = pair.a.status().expect("a status");
    assert!(status["audit"]["runs"].as_u64() >= Some(1), "{status}");
}
