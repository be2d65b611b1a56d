//! Files of endpoints: their lines, their errors, their speed.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{Settings, SettingsError, desired, told, with};

/// A directory with a configuration whose node `b` takes endpoints from `endpoints.txt`.
fn directory(endpoints: &str, config: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let config = config.replace(
        "name: b\n",
        "name: b\n      endpoints_from: endpoints.txt\n",
    );
    fs::write(directory.path().join("agent.yaml"), config).unwrap();
    fs::write(directory.path().join("endpoints.txt"), endpoints).unwrap();
    directory
}

fn load(directory: &Path) -> Result<Settings, SettingsError> {
    Settings::load(Some(&directory.join("agent.yaml")), "/data", "/run")
}

#[track_caller]
fn refused(endpoints: &str, message: &str) {
    let directory = directory(endpoints, super::CLUSTER);
    let error = load(directory.path()).expect_err("must be refused");
    let prefix = format!("{}/", directory.path().display());
    assert_eq!(told(&error).replace(&prefix, ""), message);
}

#[test]
fn lines_become_endpoints_of_their_node() {
    let text = "# comment\n\nblue 10.1.0.210\n  blue\tfd00:1::9   02:00:00:00:00:09  # why\r\n";
    let directory = directory(text, super::CLUSTER);

    let settings = load(directory.path()).unwrap();

    let endpoints = &desired(&settings).nodes[1].endpoints;
    let texts: Vec<String> = endpoints
        .iter()
        .map(|endpoint| {
            format!(
                "{} {:?}",
                endpoint.address,
                endpoint.mac.map(|m| m.to_string())
            )
        })
        .collect();
    assert_eq!(
        texts,
        [
            "10.1.0.200 Some(\"02:42:0a:01:00:c8\")",
            "10.1.0.210 None",
            "fd00:1::9 Some(\"02:00:00:00:00:09\")",
        ]
    );
}

#[test]
fn bad_lines_are_named_by_their_number() {
    refused(
        "blue 10.1.0.210\n\nblue\n",
        "endpoints.txt, line 3: `blue` is no endpoint; write NETWORK ADDRESS or NETWORK ADDRESS MAC",
    );
    refused(
        "blue 10.1.0.210 02:42:0a:01:00:c8 more",
        "endpoints.txt, line 1: `blue 10.1.0.210 02:42:0a:01:00:c8 more` is no endpoint; write \
         NETWORK ADDRESS or NETWORK ADDRESS MAC",
    );
    refused(
        "# one\ngreen 10.1.0.210",
        "endpoints.txt, line 2: `green` is none of cluster.networks (blue); correct the name or add \
         the network",
    );
    refused(
        "blue 10.1.0.1",
        "endpoints.txt, line 1: 10.1.0.1 is the gateway of 10.1.0.0/24; choose another address, or \
         move `gateway`",
    );
}

#[test]
fn an_address_may_not_come_twice() {
    refused(
        "blue 10.1.0.210\nblue 10.1.0.211\nblue 10.1.0.210\n",
        "endpoints.txt, line 3: 10.1.0.210 of network `blue` is listed twice: also at endpoints.txt, \
         line 1; remove one",
    );
    refused(
        "blue 10.1.0.200\n",
        "endpoints.txt, line 1: 10.1.0.200 of network `blue` is listed twice: also at \
         cluster.nodes[b].endpoints[0]; remove one",
    );
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let directory = directory("", super::CLUSTER);
    fs::remove_file(directory.path().join("endpoints.txt")).unwrap();

    let error = told(&load(directory.path()).unwrap_err());

    let path = directory.path().join("endpoints.txt");
    assert_eq!(
        error,
        format!(
            "read {}, named by cluster.nodes[b].endpoints_from: No such file or directory (os error 2)",
            path.display()
        )
    );

    let missing = told(&Settings::load(Some(Path::new("/no/such")), "/d", "/r").unwrap_err());
    assert_eq!(
        missing,
        "read the configuration /no/such: No such file or directory (os error 2)"
    );
}

#[test]
fn a_million_lines_load_at_once() {
    let mut text = String::new();
    for number in 0..1_000_000_u32 {
        let [_, b, c, d] = (number + 0x0001_0000).to_be_bytes();
        writeln!(text, "blue 10.{b}.{c}.{d} 02:42:0a:{b:02x}:{c:02x}:{d:02x}").unwrap();
    }
    let config = with("10.1.0.0/24", "10.0.0.0/8")
        .replace("address: 10.1.0.200", "address: 10.255.0.200")
        .replace("node: a", "node: a\ndatapath: {limits: {routes: 2000000}}");
    let directory = directory(&text, &config);

    let start = Instant::now();
    let settings = load(directory.path()).unwrap();
    let took = start.elapsed();

    assert_eq!(desired(&settings).nodes[1].endpoints.len(), 1_000_001);
    // Half a second optimised; the bound leaves room for debug builds on a busy machine.
    assert!(took < Duration::from_secs(20), "{took:?}");
}
