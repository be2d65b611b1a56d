//! Agents killed in the middle of something: the next one tidies up, and traffic does not notice.

use std::{thread, time::Duration};

use overlay_tests::{
    Container, Host, Pair, StaticConfig,
    cluster::{self, BLUE},
    link,
    process::{self, Daemon},
    static_config::Limits,
    traffic::Flood,
};

use crate::pinned::Pinned;

/// How much later each attempt is cut short than the one before.
const STEP: Duration = Duration::from_millis(9);

const ATTEMPTS: u32 = 16;

/// What the tables, hooks and devices of a host say about its endpoints, all of which must agree.
fn expect_agreement(host: &Host, containers: &[Container]) {
    let listed = host
        .overlay(&["endpoint", "ls", "--quiet"])
        .expect("a list");
    let count = listed.lines().count();
    let pinned = Pinned::of(host);
    assert_eq!(pinned.entries("INTERFACE").expect("entries").len(), count);
    assert_eq!(
        pinned.entries("ENDPOINT").expect("entries").len(),
        2 * count
    );
    assert_eq!(pinned.links("from_container").expect("links").len(), count);
    let links = link::list(host.namespace()).expect("links");
    let ends = links
        .iter()
        .filter(|link| link.name.len() == "ov0123456789ab".len());
    assert_eq!(ends.count(), count, "{links:?}");
    let attached = containers.iter().filter(|container| {
        let links = link::list(container.namespace()).expect("links");
        links.len() > 1
    });
    // One more: the pair's own.
    assert_eq!(attached.count() + 1, count, "{listed}");
    let report = host.overlay_json(&["audit"]).expect("an audit");
    assert_eq!(
        report["repaired"].as_array().map(Vec::len),
        Some(0),
        "{report}"
    );
}

#[test]
fn nothing_half_made_is_left_of_attachments_that_were_cut_short() {
    let mut pair = Pair::start().expect("a pair");
    let mut containers = Vec::new();
    for attempt in 0..ATTEMPTS {
        let name = format!("c{attempt}");
        let container = Container::new(pair.session(), &name).expect("a namespace");
        let netns = container.namespace().path().display().to_string();
        let arguments = [
            "attach",
            "--netns",
            &netns,
            "--network",
            BLUE,
            "--name",
            &name,
        ];
        let mut attach = pair.a.cli(&arguments);
        let asking = thread::spawn(move || process::capture(&mut attach));
        thread::sleep(STEP * attempt / 2);

        pair.a.kill_agent().expect("killed");
        pair.a.start_agent().expect("started");

        // Whether it was told of its success depends on the moment.
        drop(asking.join().expect("no panic").expect("it ran"));
        containers.push(container);
        expect_agreement(&pair.a, &containers);
    }
    pair.check_reach().expect("it reaches");
}

#[test]
fn no_ping_is_lost_when_starting_agents_are_killed() {
    let mut pair = Pair::start().expect("a pair");
    let configs = [100, 200].map(|routes| sized(&pair, routes));
    let floods = pair.targets().map(|target| {
        Flood::start(pair.one.namespace(), target, Duration::from_millis(1)).expect("a flood")
    });
    pair.a.kill_agent().expect("killed");
    let log = pair.session().directory().join("starts.log");

    for (attempt, config) in (0..ATTEMPTS).zip(configs.iter().cycle()) {
        pair.a.write_config(config).expect("a configuration");
        let mut agent = pair.a.namespace().command(&pair.a.binaries().agent);
        agent.arg("--config").arg(pair.a.config_file());
        agent.arg("--run-dir").arg(pair.a.run_dir());
        agent.arg("--data-dir").arg(pair.a.data_dir());
        let mut starting = Daemon::start("a short-lived agent", &mut agent, &log).expect("started");
        thread::sleep(STEP * attempt);
        starting.kill().expect("killed");
    }
    pair.a.start_agent().expect("started");

    let counts = floods.map(|flood| flood.stop().expect("counts"));
    assert!(counts.iter().all(|count| count.is_complete()), "{counts:?}");
    let generations = Pinned::of(&pair.a).generations().expect("generations");
    assert_eq!(generations.len(), 1, "{generations:?}");
    expect_agreement(&pair.a, &[]);
}

/// A configuration with other maps.
fn sized(pair: &Pair, routes: u32) -> StaticConfig {
    cluster::config(pair.machines()).limits(Limits {
        routes,
        ..Limits::default()
    })
}
