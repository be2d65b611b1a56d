//! Commands that the agent or the command line refuses.

use std::{fs, path::Path};

use overlay_tests::{
    Container, Pair,
    cluster::{self, BLUE},
    process,
};

use super::{FAILURE, USAGE, expect_refusal};
use crate::idle::Idle;

/// The user `nobody`.
const NOBODY: &str = "65534";

#[test]
fn whoever_is_not_root_is_told() {
    let mut idle = Idle::new();
    idle.host.start_agent().expect("started");
    let host = &idle.host;
    // The programs may lie where only root can go.
    let copies = idle.session.directory().join("bin");
    fs::create_dir(&copies).expect("a directory");
    for program in [&host.binaries().agent, &host.binaries().cli] {
        let copy = copies.join(program.file_name().expect("a name"));
        fs::copy(program, copy).expect("a copy");
    }
    let as_nobody = |program: &str| {
        let mut command = host.namespace().command("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
        command
            .arg(copies.join(program))
            .arg("--run-dir")
            .arg(host.run_dir());
        command
    };
    let mut start = as_nobody("overlay-agent");
    start.arg("--config").arg(host.config_file());
    expect_refusal(host, &mut start, FAILURE, &["root"]);
    let mut uninstall = as_nobody("overlay-agent");
    uninstall.arg("uninstall");
    expect_refusal(host, &mut uninstall, FAILURE, &["root"]);
    for question in [&["status"][..], &["run", "--network", BLUE, "--", "true"]] {
        let mut command = as_nobody("overlay");
        expect_refusal(host, command.args(question), FAILURE, &["root"]);
    }
}

#[test]
fn an_attachment_that_cannot_be_made_leaves_nothing() {
    let pair = Pair::start().expect("a pair");
    let fresh = Container::new(pair.session(), "fresh").expect("a namespace");
    let inside = |netns: &Path| netns.display().to_string();
    let [fresh, one, own] = [fresh.namespace(), pair.one.namespace(), pair.a.namespace()]
        .map(|namespace| inside(namespace.path()));
    let file = inside(&pair.a.config_file());
    let taken = pair.one.v4().to_string();
    let nobody = cluster::BLUE_NOBODY.to_string();
    let attach = |netns: &str, network: &str, name: &str, options: &[&str], words: &[&str]| {
        let arguments = [
            "attach",
            "--netns",
            netns,
            "--network",
            network,
            "--name",
            name,
        ];
        let mut command = pair.a.cli(&arguments);
        expect_refusal(&pair.a, command.args(options), FAILURE, words);
    };
    let nowhere = "/run/netns/nowhere";
    attach(nowhere, BLUE, "x", &[], &[nowhere, "give a file like"]);
    attach(&file, BLUE, "x", &[], &[&file, "namespace"]);
    attach(
        &own,
        BLUE,
        "x",
        &[],
        &[&own, "the agent's own", "of a container"],
    );
    attach(
        &fresh,
        "green",
        "x",
        &[],
        &["no network green", "there are: blue, red"],
    );
    attach(
        &fresh,
        BLUE,
        "one",
        &[],
        &["endpoint one exists already", "another name"],
    );
    attach(
        &one,
        BLUE,
        "x",
        &[],
        &[&one, "already, as endpoint one", "detach"],
    );
    for (address, words) in [
        (
            taken.as_str(),
            &["is taken by endpoint one", "detach that endpoint"][..],
        ),
        (
            "10.1.0.1",
            &["is the gateway of network blue", "another address"],
        ),
        ("10.1.0.0", &["is the network address", "another address"]),
        ("fd00:1::", &["is the network address", "another address"]),
        ("10.9.0.1", &["in no subnet of network blue", "10.1.0.0/23"]),
        ("10.1.0.70", &["belongs to node b", "attach there"]),
        (&nobody, &["in no node's block", "this node's own blocks"]),
    ] {
        attach(
            &fresh,
            BLUE,
            "x",
            &["--ip", address],
            &[&[address], words].concat(),
        );
    }
    pair.check_reach().expect("it reaches");
}

#[test]
fn what_is_not_there_is_named() {
    let pair = Pair::start().expect("a pair");
    for (arguments, words) in [
        (
            &["detach", "nobody"][..],
            &["no endpoint nobody", "endpoint ls"][..],
        ),
        (
            &["detach", "one", "--network", "red"],
            &["one", "network red"],
        ),
        (
            &["endpoint", "inspect", "nobody"],
            &["`nobody`", "endpoint ls"],
        ),
        (&["network", "inspect", "green"], &["green", "network ls"]),
        (
            &["explain", "nobody", "one"],
            &["no endpoint nobody", "give the address"],
        ),
        (
            &["explain", "10.1.0.64", "10.1.0.65"],
            &["neither", "ask on the node"],
        ),
        (
            &["run", "--network", "green", "--", "true"],
            &["`green`", "there are: blue, red"],
        ),
    ] {
        let mut command = pair.a.cli(arguments);
        let finished = process::capture(&mut command).expect("it runs");
        if arguments[1] == "inspect" {
            // What was found of several is printed nevertheless.
            assert_eq!(finished.stdout.trim(), "[]", "{arguments:?}");
            assert!(
                words.iter().all(|word| finished.stderr.contains(word)),
                "{finished:?}"
            );
            assert_eq!(finished.status.code(), Some(FAILURE), "{finished:?}");
        } else {
            expect_refusal(&pair.a, &mut command, FAILURE, words);
        }
    }
}

#[test]
fn a_missing_agent_is_told_with_its_run_directory() {
    let idle = Idle::new();
    let run_dir = idle.host.run_dir().display().to_string();

    let mut command = idle.host.cli(&["status"]);

    let words = ["no agent answers", run_dir.as_str(), "start it with"];
    expect_refusal(&idle.host, &mut command, FAILURE, &words);
}

#[test]
fn wrong_usage_has_a_status_of_its_own() {
    let idle = Idle::new();
    for (arguments, word) in [
        (&["attach", "--network", BLUE, "--name", "x"][..], "--netns"),
        (&["run", "--network", BLUE], "COMMAND"),
        (&["run", "--", "true"], "--network"),
        (
            &["run", "--network", BLUE, "--ip", "ten", "--", "true"],
            "ten",
        ),
        (
            &[
                "run",
                "--network",
                BLUE,
                "--ip",
                "10.1.0.5",
                "--ip",
                "10.1.0.6",
                "--",
                "true",
            ],
            "of one family",
        ),
        (
            &[
                "run",
                "--network",
                BLUE,
                "--mac",
                "03:00:00:00:00:01",
                "--",
                "true",
            ],
            "03:00",
        ),
        (
            &[
                "run",
                "--network",
                "blue",
                "--network",
                "blue",
                "--",
                "true",
            ],
            "given twice",
        ),
        (
            &["run", "--network", BLUE, "--name", "a/b", "--", "true"],
            "`a/b`",
        ),
        (&["frobnicate"], "frobnicate"),
        (&["--format", "{{.Name", "status"], "{{.Name"),
    ] {
        let mut command = idle.host.cli(arguments);
        expect_refusal(&idle.host, &mut command, USAGE, &[word]);
    }
    let mut command = idle.host.namespace().command(&idle.host.binaries().agent);
    command.args(["--log", "a=b=c"]);
    expect_refusal(&idle.host, &mut command, USAGE, &["--log", "a=b=c"]);
}
