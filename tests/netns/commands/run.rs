//! `overlay run`.

use std::{fs, path::Path, process::Command, time::Duration};

use nix::sys::signal::Signal;
use overlay_tests::{
    Host, Pair,
    cluster::BLUE,
    interrupt,
    process::{self, Daemon, tail},
};

use super::names;
use crate::traces::Traces;

const PATIENCE: Duration = Duration::from_secs(20);

/// `overlay run` of a line of shell, with further options.
fn shell(host: &Host, options: &[&str], line: &str) -> Command {
    let mut command = host.cli(&["run", "--network", BLUE]);
    command.args(options).args(["--", "sh", "-c", line]);
    command
}

fn wait_for(ready: impl FnMut() -> bool) {
    assert!(interrupt::wait_until(PATIENCE, ready).expect("not interrupted"));
}

#[test]
fn run_ends_as_its_command_does() {
    let pair = Pair::start().expect("a pair");
    let before = Traces::of(&pair.a).expect("traces");
    for (command, code) in [
        (&["sh", "-c", "exit 0"][..], 0),
        (&["sh", "-c", "exit 7"], 7),
        (&["sh", "-c", "kill -KILL $$"], 128 + 9),
        (&["/nowhere/at-all"], 127),
        (&["/etc/passwd"], 126),
    ] {
        let mut run = pair.a.cli(&["run", "--network", BLUE, "--"]);

        let finished = process::capture(run.args(command)).expect("it runs");

        assert_eq!(
            finished.status.code(),
            Some(code),
            "{command:?}: {finished:?}"
        );
        assert_eq!(names(&pair.a), ["one"], "{command:?}");
    }
    assert_eq!(Traces::of(&pair.a).expect("traces"), before);
}

#[test]
fn the_command_has_an_address_and_reaches_other_hosts() {
    let pair = Pair::start().expect("a pair");
    let line = format!(
        "ip -o address show eth0; ping -q -c 2 -i 0.2 {}",
        pair.two.v4()
    );
    let options = [
        "--ip",
        "10.1.0.9",
        "--mac",
        "02:00:00:00:00:09",
        "--name",
        "worker",
    ];

    let printed = process::run(&mut shell(&pair.a, &options, &line)).expect("success");

    assert!(printed.contains("10.1.0.9/23"), "{printed}");
    assert!(printed.contains("2 received"), "{printed}");
}

#[test]
fn the_command_has_an_interface_in_each_of_its_networks() {
    let pair = Pair::start().expect("a pair");
    let options = ["--network", "name=red,ip=10.2.0.9"];

    let printed = process::run(&mut shell(&pair.a, &options, "ip -o -4 address")).expect("success");

    let interface = |name: &str, address: &str| {
        let mut lines = printed.lines();
        lines.any(|line| line.contains(name) && line.contains(address))
    };
    assert!(interface("eth0", "10.1.0.3/23"), "{printed}");
    assert!(interface("eth1", "10.2.0.9/24"), "{printed}");
    assert_eq!(names(&pair.a), ["one"]);
}

#[test]
fn the_commands_hosts_and_resolv_conf_are_its_own() {
    let pair = Pair::start().expect("a pair");
    let state = || {
        let text = |file: &str| fs::read_to_string(file).expect("a file");
        let mounts = text("/proc/self/mountinfo");
        let of_etc = mounts.lines().filter(|line| line.contains(" /etc"));
        let of_etc: String = of_etc.collect();
        [text("/etc/hosts"), text("/etc/resolv.conf"), of_etc]
    };
    let before = state();
    let line = "cat /etc/hosts; echo 192.0.2.99 theirs >>/etc/hosts; \
                echo nameserver 192.0.2.53 >/etc/resolv.conf; cat /etc/resolv.conf";

    let printed = process::run(&mut shell(&pair.a, &["--name", "worker"], line)).expect("success");

    assert_eq!(state(), before, "the host's files are as they were");
    assert!(printed.contains("10.1.0.3\tworker"), "{printed}");
    assert!(printed.contains("fd00:1::3\tworker"), "{printed}");
    assert!(printed.ends_with("nameserver 192.0.2.53\n"), "{printed}");
}

/// Starts a command that says when it is ready, and waits for that; returns its process too.
fn start(host: &Host, log: &Path, then: &str) -> (Daemon, u32) {
    let line = format!("echo $$; {then}");
    let mut command = shell(host, &["--name", "worker"], &line);
    let daemon = Daemon::start("overlay run", &mut command, log).expect("started");
    let mut pid = None;
    wait_for(|| {
        pid = tail(log, 1).trim().parse().ok();
        pid.is_some()
    });
    assert_eq!(names(host), ["one", "worker"]);
    (daemon, pid.expect("a number"))
}

#[test]
fn a_signal_is_passed_on_to_the_command() {
    let pair = Pair::start().expect("a pair");
    let log = pair.session().directory().join("run.log");
    let trap = "trap 'exit 5' TERM; while :; do sleep 0.05; done";
    let (mut run, _) = start(&pair.a, &log, trap);

    let status = run.stop().expect("an end");

    assert_eq!(status.code(), Some(5), "{}", tail(&log, 5));
    assert_eq!(names(&pair.a), ["one"]);
}

#[test]
fn the_endpoint_of_a_killed_run_lives_as_long_as_its_command() {
    let pair = Pair::start().expect("a pair");
    let log = pair.session().directory().join("run.log");
    let (mut run, command) = start(&pair.a, &log, "exec sleep 1000");

    run.kill().expect("killed");
    assert_eq!(names(&pair.a), ["one", "worker"]);
    process::signal(command, Signal::SIGKILL).expect("killed");

    wait_for(|| names(&pair.a) == ["one"]);
}
