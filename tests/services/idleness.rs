//! Flows in which nothing is sent, and a table of flows that is full.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use aya::maps::{HashMap, Map, MapData};
use overlay_common::flow::{Flow, FlowKey, STATE_OPEN};
use overlay_tests::{
    Binaries, Container, Host, Service, Session, Swarm, Wiring, interrupt, service::await_service,
    traffic::Target,
};

use crate::scene::{BLUE, PACKETS, asking, assert_answered, client, three_hosts_with, web};

/// What a load balancer that cuts idle connections would cut.
const IDLE: Duration = Duration::from_mins(31);

/// Within this time the agent looks through all flows, and longer.
const SWEPT: Duration = Duration::from_secs(30);

fn pause(time: Duration) {
    interrupt::pause(time).expect("no interruption");
}

/// A connection that has asked once and stays.
fn ask(stream: &mut TcpStream) -> std::io::Result<String> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: service\r\n\r\n")?;
    let mut answer = [0; 2048];
    let length = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

fn connect(from: &Container, to: SocketAddr) -> TcpStream {
    let patience = Duration::from_secs(5);
    let connected = from
        .namespace()
        .run(|| TcpStream::connect_timeout(&to, patience));
    let mut stream = connected.expect("a namespace").expect("a connection");
    stream
        .set_read_timeout(Some(patience))
        .expect("a time limit");
    let answer = ask(&mut stream).expect("an answer");
    assert!(answer.contains(" 200 "), "{answer}");
    stream
}

type Flows = HashMap<MapData, FlowKey, Flow>;

fn flows(host: &Host) -> Flows {
    let root = host.run_dir().join("bpf");
    let entries = std::fs::read_dir(&root).expect("pins");
    let mut paths = entries.map(|entry| entry.expect("an entry").path());
    let is_generation = |path: &std::path::PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy();
        name.starts_with('v')
    };
    let generation = paths.find(is_generation).expect("maps");
    let data = MapData::from_pin(generation.join("maps/FLOW")).expect("FLOW");
    Flows::try_from(Map::from_map_data(data).expect("a map")).expect("a table of flows")
}

/// Entries that are open, and all.
fn count(flows: &Flows) -> (usize, usize) {
    let all: Vec<Flow> = flows
        .iter()
        .filter_map(|entry| Some(entry.ok()?.1))
        .collect();
    let open = all.iter().filter(|flow| flow.state == STATE_OPEN);
    (open.count(), all.len())
}

/// Makes every flow of a host older.
fn age(host: &Host, by: Duration) -> usize {
    let mut flows = flows(host);
    let entries: Vec<(FlowKey, Flow)> =
        flows.iter().map(|entry| entry.expect("an entry")).collect();
    for (key, flow) in &entries {
        let by = u32::try_from(by.as_secs()).expect("less than an age");
        let older = Flow {
            seen: flow
                .seen
                .checked_sub(by)
                .expect("a host that is up for longer"),
            ..*flow
        };
        flows.insert(key, older, 0).expect("an entry");
    }
    entries.len()
}

#[test]
fn an_idle_connection_outlives_half_an_hour_with_default_settings() {
    let swarm = three_hosts_with(PACKETS);
    let service = web(&swarm, &[], &[1]);
    let (client, _) = client(&swarm, 0);
    asking(&service, &client, 0);
    let vip = service.vip(0, BLUE).expect("a VIP");
    let mut idle = connect(&client, vip);
    // Something that must go: the sweeper is at work.
    let ended = connect(&client, vip);
    drop(ended);
    pause(Duration::from_secs(1));
    let (_, before) = count(&flows(&swarm[0]));

    assert!(
        age(&swarm[0], IDLE) >= 4,
        "two connections, each in both directions"
    );
    let swept = interrupt::wait_until(Duration::from_secs(40), || {
        count(&flows(&swarm[0])).1 < before
    });

    assert!(swept.expect("no interruption"), "nothing is swept");
    pause(Duration::from_secs(11));
    assert_eq!(
        count(&flows(&swarm[0])).0,
        2,
        "both directions of what is idle"
    );
    let answer = ask(&mut idle).expect("an answer after half an hour");
    assert!(answer.contains(" 200 "), "{answer}");
}

#[test]
fn a_full_table_of_flows_stops_nobody_new() {
    const ROOM: usize = 64;
    let lines =
        format!("{PACKETS}datapath:\n  limits:\n    flows: {ROOM}\n    new_flows: {ROOM}\n");
    let session = Session::for_test().expect("a session");
    let binaries = Binaries::find().expect("programs");
    let names = ["a", "b"];
    let swarm = Swarm::configured(session, Wiring::default(), &names, 1, &binaries, &lines);
    let swarm = swarm.expect("a swarm");
    swarm.network(BLUE, &[]).expect("a network");
    let mut service = Service::create(&swarm, "web", &["--network", BLUE]).expect("a service");
    service.start_tasks(&[0, 1]).expect("tasks");
    let (client, _) = client(&swarm, 0);
    let target = asking(&service, &client, 0);
    let vip = service.vip(0, BLUE).expect("a VIP");

    let mut open = Vec::new();
    let begun = Instant::now();
    for number in 0..4 * ROOM {
        open.push(connect(&client, vip));
        assert!(
            begun.elapsed() < Duration::from_mins(2),
            "stuck after {number}"
        );
    }

    assert_answered(&target, 2);
    let (_, held) = count(&flows(&swarm[0]));
    assert!(held <= ROOM, "{held}");
    // What came last is not what had to make room.
    let newest = open.last_mut().expect("connections");
    assert!(ask(newest).expect("an answer").contains(" 200 "));
    let is_counted = interrupt::wait_until(SWEPT, || {
        let stats = swarm[0].overlay_json(&["stats"]);
        stats.is_ok_and(|stats| stats["flows_evicted"].as_u64() > Some(0))
    });
    assert!(is_counted.expect("no interruption"), "nobody made room");
}

#[test]
fn one_service_that_fills_the_table_leaves_another_its_connection() {
    let swarm = three_hosts_with(PACKETS);
    let service = web(&swarm, &[], &[1]);
    let (client, _) = client(&swarm, 0);
    let target = asking(&service, &client, 0);
    let vip = service.vip(0, BLUE).expect("a VIP");
    let mut idle = connect(&client, vip);

    let flood = Target {
        patience: Duration::from_millis(200),
        ..target
    };
    let record = flood.ask_side_by_side(4000, 4).expect("requests");

    assert_eq!(
        record.failures().count(),
        0,
        "{:?}",
        record.failures().next()
    );
    assert!(ask(&mut idle).expect("an answer").contains(" 200 "));
    await_service(&flood).expect("an answer");
}

/// What a service has begun in a network goes on when it leaves it, for its drain time.
#[test]
fn a_network_that_a_service_leaves_ends_what_was_begun_first() {
    let swarm = three_hosts_with(PACKETS);
    swarm.network("green", &[]).expect("a network");
    let service = web(&swarm, &["--drain", "8s"], &[1]);
    let (client, _) = client(&swarm, 0);
    let target = asking(&service, &client, 0);
    let vip = service.vip(0, BLUE).expect("a VIP");
    let mut begun = connect(&client, vip);

    service
        .update(&["--network-add", "green", "--network-rm", BLUE])
        .expect("an update");
    let is_told = interrupt::wait_until(Duration::from_secs(5), || {
        target.ask().is_ok_and(|attempt| !attempt.is_answered())
    });
    assert!(
        is_told.expect("no interruption"),
        "new connections are taken"
    );
    let answer = ask(&mut begun).expect("an answer to what was begun");
    assert!(answer.contains(" 200 "), "{answer}");
    drop(begun);

    let has_left = interrupt::wait_until(Duration::from_secs(15), || {
        let endpoints = swarm[1].overlay(&["endpoint", "ls"]);
        endpoints.is_ok_and(|list| list.contains("green") && !list.contains(BLUE))
    });
    assert!(has_left.expect("no interruption"), "the task stays");
}
