//! `overlay-agent uninstall` leaves nothing of ours, and everything of others.

use std::{fs, time::Duration};

use overlay_tests::{Host, interrupt, link, process, static_config::Attach};

use crate::{
    idle::Idle,
    pinned::{Ids, Pinned},
    traces::Traces,
};

/// The kernel frees programs and maps when it finds the time.
const PATIENCE: Duration = Duration::from_secs(20);

fn expect_freed(ids: &Ids) {
    let are_freed = || ids.alive().expect("lists") == Ids::default();
    let freed = interrupt::wait_until(PATIENCE, are_freed).expect("not interrupted");
    assert!(freed, "left in the kernel: {:?}", ids.alive());
}

fn uninstalling_leaves_nothing(attach: Attach, end: fn(&mut Host) -> anyhow::Result<()>) {
    let mut idle = Idle::with(|config| config.attach(attach));
    let before = Traces::of(&idle.host).expect("traces");
    idle.host.start_agent().expect("started");
    let guests = [idle.guest("one"), idle.guest("two")];
    let ids = Pinned::of(&idle.host).ids().expect("numbers");
    assert_ne!(Traces::of(&idle.host).expect("traces"), before);
    end(&mut idle.host).expect("ended");

    let told = idle.host.uninstall().expect("uninstalled");

    assert_eq!(Traces::of(&idle.host).expect("traces"), before, "{told}");
    for guest in &guests {
        let links = link::list(guest.namespace()).expect("links");
        assert_eq!(links.len(), 1, "{links:?}");
        assert!(told.contains(guest.name()), "{told}");
    }
    expect_freed(&ids);
    assert_eq!(idle.host.uninstall().expect("uninstalled again"), "");
    assert_eq!(Traces::of(&idle.host).expect("traces"), before);
}

#[test]
fn nothing_is_left_of_an_agent_that_was_stopped() {
    uninstalling_leaves_nothing(Attach::Tcx, Host::stop_agent);
}

#[test]
fn nothing_is_left_of_an_agent_that_was_killed() {
    uninstalling_leaves_nothing(Attach::Tcx, Host::kill_agent);
}

#[test]
fn nothing_is_left_of_an_agent_with_filters() {
    uninstalling_leaves_nothing(Attach::Clsact, Host::stop_agent);
}

#[test]
fn what_belongs_to_others_stays() {
    let mut idle = Idle::with(|config| config.attach(Attach::Clsact));
    let namespace = idle.host.namespace().clone();
    namespace
        .ip(&[
            "link add theirs type vxlan id 7 dstport 4790",
            "link set theirs up",
            "link add ov0123 type veth peer name ov4567",
        ])
        .expect("devices");
    namespace
        .exec("tc", &["qdisc", "add", "dev", "eth0", "clsact"])
        .expect("a discipline");
    fs::create_dir_all(idle.host.run_dir()).expect("a directory");
    fs::write(idle.host.run_dir().join("notes"), "theirs").expect("a file");
    let before = Traces::of(&idle.host).expect("traces");
    idle.host.start_agent().expect("started");
    let guest = idle.guest("one");
    idle.host.stop_agent().expect("stopped");

    idle.host.uninstall().expect("uninstalled");

    assert_eq!(Traces::of(&idle.host).expect("traces"), before);
    drop(guest);
}

#[test]
fn an_agent_that_runs_is_not_uninstalled() {
    let mut idle = Idle::with(|config| config.attach(Attach::Tcx));
    idle.host.start_agent().expect("started");
    let guest = idle.guest("one");
    let before = Traces::of(&idle.host).expect("traces");

    let refused = idle.host.uninstall().expect_err("refused");

    let said = format!("{refused:#}");
    assert!(
        said.contains("agent.sock") && said.contains("stop it first"),
        "{said}"
    );
    assert_eq!(Traces::of(&idle.host).expect("traces"), before);
    assert!(idle.host.status().is_ok(), "the agent answers");
    drop(guest);
}

#[test]
fn an_uninstalled_agent_can_be_started_again() {
    let mut idle = Idle::with(|config| config.attach(Attach::Tcx));
    for name in ["first", "second"] {
        idle.host.start_agent().expect("started");
        let guest = idle.guest(name);
        let endpoints = idle
            .host
            .overlay(&["endpoint", "ls", "--quiet"])
            .expect("a list");
        assert_eq!(endpoints.lines().count(), 1, "{endpoints}");
        idle.host.stop_agent().expect("stopped");
        idle.host.uninstall().expect("uninstalled");
        drop(guest);
    }
}

#[test]
fn a_host_without_an_agent_has_nothing_to_uninstall() {
    let idle = Idle::with(|config| config.attach(Attach::Tcx));
    let before = Traces::of(&idle.host).expect("traces");

    let mut command = idle.host.namespace().command(&idle.host.binaries().agent);
    command.arg("--data-dir").arg(idle.host.data_dir());
    command.arg("--run-dir").arg(idle.host.run_dir());
    let told = process::run(command.arg("uninstall")).expect("uninstalled");

    assert_eq!(told, "");
    assert_eq!(Traces::of(&idle.host).expect("traces"), before);
}
