//! Bad input: one clear error that names the object and the way out, and nothing half-made.

mod command;
mod start;

use std::process::Command;

use overlay_tests::{Host, process};

use crate::traces::Traces;

/// Wrong arguments, and everything else.
const USAGE: i32 = 2;
const FAILURE: i32 = 1;

/// Runs `command`, which must fail with one error that has all of `words`, and change nothing on `host`.
fn expect_refusal(host: &Host, command: &mut Command, code: i32, words: &[&str]) {
    let before = state(host);

    let finished = process::capture(command).expect("it runs");

    let said = &finished.stderr;
    assert_eq!(finished.status.code(), Some(code), "{command:?}: {said}");
    assert_eq!(finished.stdout, "", "{command:?}");
    let is_one = |line: &&str| line.starts_with("overlay: ") || line.starts_with("overlay-agent: ");
    if code == FAILURE {
        assert_eq!(
            said.lines().filter(is_one).count(),
            1,
            "{command:?}: {said}"
        );
        let rest: Vec<&str> = said.lines().filter(|line| !is_one(line)).collect();
        assert!(
            rest.iter().all(|line| line.starts_with("  → ")),
            "{command:?}: {said}"
        );
        assert!(rest.len() <= 1, "{command:?}: {said}");
    }
    for word in words {
        assert!(said.contains(word), "{command:?}: no {word:?} in: {said}");
    }
    assert_eq!(state(host), before, "{command:?}");
}

/// What is on the host, and what the agent says of its endpoints if it runs.
fn state(host: &Host) -> (Traces, Option<String>) {
    let traces = Traces::of(host).expect("traces").without_locks();
    let endpoints = host.overlay(&["--format", "json", "endpoint", "ls"]);
    (traces, endpoints.ok())
}
