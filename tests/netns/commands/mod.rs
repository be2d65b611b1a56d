//! The command line, as an operator uses it.

mod diagnosis;
mod listings;
mod run;

use overlay_tests::{Host, process};
use serde_json::Value;

/// Runs the command line, whose answer may be a bad one; returns its status and the JSON that it printed.
fn answer(host: &Host, arguments: &[&str]) -> (Option<i32>, Value) {
    let mut command = host.cli(&["--format", "json"]);
    let finished = process::capture(command.args(arguments)).expect("it runs");
    let json = serde_json::from_str(&finished.stdout);
    let json = json.unwrap_or_else(|error| panic!("{arguments:?}: {error}: {finished:?}"));
    (finished.status.code(), json)
}

/// The names of the endpoints of a host.
fn names(host: &Host) -> Vec<String> {
    let printed = host.overlay(&["--format", "{{.Name}}", "endpoint", "ls"]);
    printed
        .expect("a list")
        .lines()
        .map(str::to_owned)
        .collect()
}
