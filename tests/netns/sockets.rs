//! Programs at sockets: attached, found missing, switched off and taken away. What they do, `tests/services` shows.

use std::fs;

use overlay_tests::{Counters, Host, Pair, cluster};

use crate::pinned::{self, Pinned};

/// One for each system call of each family.
const PROGRAMS: usize = 8;

fn links(host: &Host) -> usize {
    let pinned = Pinned::of(host);
    pinned.links("sock_").expect("links").len()
}

#[test]
fn a_detached_program_and_a_lost_namespace_are_found_and_restored() {
    let pair = Pair::start().expect("a pair");
    let pinned = Pinned::of(&pair.a);
    let links = pinned.links("sock_connect4").expect("links");
    let namespaces = pinned.entries("NAMESPACE").expect("entries");
    // The host's own, and that of its container.
    assert_eq!(namespaces.len(), 2, "{namespaces:?}");
    let detach = || pinned::detach_link(&links[0]).expect("detached");
    let unpin = || fs::remove_file(&links[0]).expect("removed");
    let forget = || {
        for entry in &namespaces {
            let deleted = pinned.delete("NAMESPACE", &entry.key);
            deleted.expect("deleted");
        }
    };
    let injuries: [(&dyn Fn(), usize); 3] = [(&detach, 1), (&unpin, 1), (&forget, 2)];

    for (injure, repairs) in injuries {
        injure();
        let report = pair.a.overlay_json(&["audit"]).expect("audited");

        let repaired = report["repaired"].as_array().map(Vec::len);
        assert_eq!(repaired, Some(repairs), "{report}");
        assert_eq!(pinned.links("sock_connect4").expect("links"), links);
        assert_eq!(pinned.entries("NAMESPACE").expect("entries"), namespaces);
    }
    let report = pair.a.overlay_json(&["audit"]).expect("audited");
    assert_eq!(report["repaired"].as_array().map(Vec::len), Some(0));
}

#[test]
fn programs_are_attached_where_that_is_configured() {
    let mut pair = Pair::with(|config| config.socket_lb(false)).expect("a pair");
    let off = |host: &Host| {
        assert_eq!(links(host), 0);
        let status = host.status().expect("a status");
        assert_eq!(status["balancing"]["sockets"], false, "{status}");
        let told = host.overlay(&["doctor"]).expect("a diagnosis");
        assert!(
            told.contains("switched off by services.socket_lb"),
            "{told}"
        );
    };
    off(&pair.a);

    let config = cluster::config(pair.machines());
    for is_on in [true, false] {
        pair.a
            .write_config(&config.clone().socket_lb(is_on))
            .expect("written");
        pair.a.restart_agent().expect("restarted");
        if is_on {
            assert_eq!(links(&pair.a), PROGRAMS);
            let status = pair.a.status().expect("a status");
            assert_eq!(status["balancing"]["sockets"], true, "{status}");
        } else {
            off(&pair.a);
        }
    }
}

#[test]
fn programs_stay_while_no_agent_runs_and_go_with_their_own_agent_alone() {
    let mut pair = Pair::start().expect("a pair");
    pair.a.stop_agent().expect("stopped");
    assert_eq!(links(&pair.a), PROGRAMS);

    pair.a.uninstall().expect("uninstalled");

    assert!(Pinned::of(&pair.a).links("sock_").is_err());
    assert_eq!(links(&pair.b), PROGRAMS);
    let report = pair.b.overlay_json(&["audit"]).expect("audited");
    assert_eq!(report["repaired"].as_array().map(Vec::len), Some(0));
    let counters = Counters::of(&pair.b).expect("counters");
    assert_eq!(counters.drop("socket-refused"), 0);
}
