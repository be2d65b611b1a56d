//! What must work on every kernel that overlay supports; run on Debian's in virtual machines. Nothing here is about
//! speed: the machines are emulated.

mod encryption;
mod external_keys;
mod kernel;
mod record;

use std::{fs, time::Duration};

use overlay_common::abi;
use overlay_tests::{
    Binaries, Counters, Host, Pair, Session, Underlay, Wiring, cluster, interrupt, link,
    static_config::{Attach, Encap},
    traffic::{Exchange, Flood},
};
use serde_json::Value;

use crate::kernel::{has_mixed_decapsulation, has_tcx};

/// Longer than an emulated machine takes for anything here.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two requests of a flood.
const INTERVAL: Duration = Duration::from_millis(20);

/// ICMP and TCP in both families.
fn talk(pair: &Pair) {
    pair.check_reach().expect("it reaches");
    for address in pair.targets() {
        let exchange = Exchange {
            client: pair.one.namespace(),
            server: pair.two.namespace(),
            address,
        };
        exchange.tcp(&[1, 1000, 300_000]).expect("TCP");
        exchange.udp(&[1, 1000]).expect("UDP");
    }
}

fn check<'a>(checks: &'a Value, name: &str) -> Vec<&'a Value> {
    let all = checks.as_array().expect("a list").iter();
    all.filter(|check| check["name"] == name).collect()
}

#[test]
fn programs_are_attached_in_the_way_of_the_kernel() {
    let pair = Pair::start().expect("a pair");

    let status = pair.a.status().expect("a status");
    let checks = pair.a.overlay_json(&["doctor"]).expect("no failure");

    let expected = if has_tcx() { "tcx" } else { "clsact" };
    assert_eq!(status["attach"], expected, "{status}");
    // The way out needs more than every kernel has.
    let links = pair.a.namespace().exec("ip", &["link"]).expect("links");
    let of_devices = if links.contains("ovgw") { 4 } else { 3 };
    let programs = of_devices + abi::program::SOCKET.len();
    assert_eq!(
        check(&checks, "programs")[0]["detail"],
        format!("{programs} attached"),
        "{checks}"
    );
    let filters = ["filter", "show", "dev", "eth0", "ingress"];
    let filters = pair.a.namespace().exec("tc", &filters).expect("filters");
    assert_eq!(filters.contains("from_underlay"), !has_tcx(), "{filters}");
}

#[test]
fn containers_of_two_hosts_talk() {
    let pair = Pair::start().expect("a pair");

    let counted = Counters::during([&pair.a, &pair.b], || {
        talk(&pair);
        Ok(())
    });

    for counters in counted.expect("counters") {
        assert_eq!(counters.losses(), [], "{counters:?}");
        assert!(counters.walk("encapsulated") > 0, "{counters:?}");
        assert!(counters.walk("decapsulated") > 0, "{counters:?}");
        let is_tunnelled = counters.walk("tunnelled") > 0;
        assert_eq!(is_tunnelled, !has_mixed_decapsulation(), "{counters:?}");
    }
}

#[test]
fn containers_of_two_hosts_talk_through_the_kernels_device() {
    let pair = Pair::with(|config| config.encap(Encap::Device)).expect("a pair");

    talk(&pair);

    let counters = Counters::of(&pair.a).expect("counters");
    assert!(counters.walk("device") > 0, "{counters:?}");
    assert!(counters.walk("tunnelled") > 0, "{counters:?}");
}

#[test]
fn traffic_goes_on_while_agents_are_killed_stopped_and_started() {
    let mut pair = Pair::start().expect("a pair");
    let floods = pair
        .targets()
        .map(|target| Flood::start(pair.one.namespace(), target, INTERVAL).expect("a flood"));

    for host in [&mut pair.a, &mut pair.b] {
        host.kill_agent().expect("killed");
        host.start_agent().expect("started");
        host.restart_agent().expect("restarted");
    }

    let counts = floods.map(|flood| flood.stop().expect("counts"));
    assert!(counts.iter().all(|count| count.is_complete()), "{counts:?}");
    let endpoints = pair.a.overlay(&["--format", "{{.Name}}", "endpoint", "ls"]);
    assert_eq!(endpoints.expect("a list"), "one\n");
}

/// Takes the program from the underlay's device, as another tool might.
fn remove_from_underlay(host: &Host) {
    if has_tcx() {
        let links = host.run_dir().join("bpf/links");
        for entry in fs::read_dir(links).expect("links") {
            let path = entry.expect("a link").path();
            if path.ends_with("from_underlay-2") {
                fs::remove_file(path).expect("removed");
            }
        }
    } else {
        let delete = ["filter", "del", "dev", "eth0", "ingress"];
        host.namespace().exec("tc", &delete).expect("deleted");
    }
}

#[test]
fn a_removed_program_comes_back_with_an_audit() {
    let pair = Pair::start().expect("a pair");
    remove_from_underlay(&pair.a);
    // The doctor fails when it finds a fault.
    let is_found = || pair.a.overlay(&["doctor"]).is_err();
    assert!(interrupt::wait_until(PATIENCE, is_found).expect("not interrupted"));

    let report = pair.a.overlay_json(&["audit"]).expect("an audit");

    assert_eq!(report["repaired"][0]["kind"], "link", "{report}");
    assert_eq!(
        report["repaired"].as_array().map(Vec::len),
        Some(1),
        "{report}"
    );
    pair.a.overlay(&["doctor"]).expect("no fault");
    pair.check_reach().expect("it reaches");
}

#[test]
fn the_doctor_names_what_the_kernel_lacks() {
    let pair = Pair::start().expect("a pair");

    let checks = pair.a.overlay_json(&["doctor"]).expect("no fault");
    let status = pair.a.status().expect("a status");

    let lacks = |feature: &str| {
        let mut kernel = check(&checks, "kernel").into_iter();
        kernel.any(|check| {
            check["detail"]
                .as_str()
                .is_some_and(|told| told.contains(feature))
        })
    };
    assert_eq!(lacks("lacks TCX links"), !has_tcx(), "{checks}");
    assert_eq!(
        lacks("lacks decapsulation"),
        !has_mixed_decapsulation(),
        "{checks}"
    );
    let missing = status["missing_features"].as_array().map(Vec::len);
    let expected = usize::from(!has_tcx()) + usize::from(!has_mixed_decapsulation());
    assert_eq!(missing, Some(expected), "{status}");
}

#[test]
fn what_the_kernel_lacks_is_refused_where_it_was_asked_for() {
    let session = Session::for_test().expect("a session");
    let underlay =
        Underlay::build(&session, "u", &["a", "b"], Wiring::direct()).expect("an underlay");
    let config = cluster::config(underlay.machines()).attach(Attach::Tcx);
    let binaries = Binaries::find().expect("binaries");
    let machine = &underlay.machines()[0];

    let started = Host::start(&session, "host", machine, &config, &binaries);

    if has_tcx() {
        started.expect("started");
        return;
    }
    let error = format!("{:#}", started.expect_err("refused"));
    assert!(
        error.contains("lacks attaching by TCX links; run Linux 6.6"),
        "{error}"
    );
    let links = link::list(&machine.namespace).expect("links");
    assert_eq!(links.len(), 2, "nothing is left: {links:?}");
}

#[test]
fn nothing_is_left_of_an_uninstalled_agent() {
    let mut pair = Pair::start().expect("a pair");
    pair.a.stop_agent().expect("stopped");

    pair.a.uninstall().expect("uninstalled");

    let links = link::list(pair.a.namespace()).expect("links");
    let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
    assert_eq!(names, ["lo", "eth0"]);
    let disciplines = pair.a.namespace().exec("tc", &["qdisc", "show"]);
    assert!(!disciplines.expect("disciplines").contains("clsact"));
    assert!(!pair.a.run_dir().exists() && !pair.a.data_dir().exists());
}
