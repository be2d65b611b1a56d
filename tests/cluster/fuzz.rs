//! Agents under fire from a host that is in no swarm, and from one that raves.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use overlay_tests::{
    Host, Swarm, interrupt,
    swarm::{AGREED, Role, await_reply},
    traffic::{Capture, Flood, Garbage, ping},
    underlay::DEVICE,
};

/// Names the number of forgeries that all fuzz tests together try; a twentieth of them is tried here.
const TRIES: &str = "OVERLAY_FUZZ_TRIES";
const FEW: u64 = 200_000;

/// Datagrams that are under way at once.
const BURST: u64 = 200;

/// What an agent may grow by under attack, in KiB.
const GROWTH: u64 = 32 << 10;

const GOSSIP: u16 = 7946;
const MANAGERS: u16 = 2377;

/// Where a node keeps its certificate and its key, below its data directory.
const CERTIFICATE: &str = "swarm/certificates/node.pem";

/// What precedes the payload of a UDP datagram in a frame without options.
const HEADERS: usize = 14 + 20 + 8;

fn tries() -> u64 {
    let all = std::env::var(TRIES).map_or(FEW, |text| text.parse().expect("a number"));
    all.div_ceil(20)
}

fn port(host: &Host, port: u16) -> SocketAddr {
    SocketAddr::new(host.machine().address(), port)
}

/// Resident memory of a host's agent, in KiB.
fn memory(host: &Host) -> u64 {
    let pid = host.agent_pid().expect("an agent");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.expect("a line").parse().expect("a number")
}

/// How often something happened on a port of the control plane.
fn counted(host: &Host, port: &str, event: &str) -> u64 {
    let stats = host.api().get("/stats").expect("stats");
    let counts = stats["control"].as_array().expect("a list");
    let found = counts
        .iter()
        .find(|count| count["port"] == port && count["event"] == event);
    found
        .and_then(|count| count["count"].as_u64())
        .unwrap_or_else(|| panic!("no {event} of {port} in {stats}"))
}

fn gossip(host: &Host, fact: &str) -> u64 {
    let status = host.api().get("/status").expect("a status");
    let number = &status["cluster"]["gossip"][fact];
    number
        .as_u64()
        .unwrap_or_else(|| panic!("no {fact} in {status}"))
}

/// What member `b` says to `a` meanwhile, as a listener on the wire has it.
fn recorded(swarm: &Swarm, seconds: u64) -> Vec<Vec<u8>> {
    let filter = format!("udp dst port {GOSSIP} and dst host 192.0.2.1");
    let directory = swarm.session().directory();
    let capture = Capture::whole(swarm[0].namespace(), DEVICE, &filter, 1000, directory);
    let capture = capture.expect("a capture");
    interrupt::pause(Duration::from_secs(seconds)).expect("no interruption");
    let packets = capture.packets().expect("packets");
    let payloads: Vec<Vec<u8>> = packets
        .iter()
        .filter_map(|packet| Some(packet.get(HEADERS..)?.to_vec()))
        .collect();
    assert!(!payloads.is_empty(), "nobody gossips");
    payloads
}

fn rotate_keys(swarm: &Swarm) {
    swarm[0]
        .overlay(&["swarm", "keys", "--rotate"])
        .expect("a new key");
    interrupt::pause(Duration::from_secs(1)).expect("no interruption");
}

fn is_well(swarm: &Swarm, place: usize, pid: u32) {
    let host = &swarm[place];
    assert_eq!(host.agent_pid(), Some(pid));
    let log = fs::read_to_string(host.log_file()).expect("a log");
    for word in ["panicked", "BUG"] {
        assert!(!log.contains(word), "{}", host.log_tail());
    }
    assert_eq!(gossip(host, "alive"), 1);
    assert_eq!(gossip(host, "failed"), 0);
}

/// Hosts `a` and `b` in a swarm; `x` is not.
fn besieged() -> Swarm {
    let swarm = Swarm::apart(&["a", "b", "x"]).expect("hosts");
    swarm.init(0).expect("swarm init");
    swarm.join(1, Role::Worker).expect("swarm join");
    swarm.await_members(2).expect("members");
    swarm
}

#[test]
fn no_forged_datagram_disturbs_a_running_agent() {
    let swarm = besieged();
    swarm.network("blue", &[]).expect("a network");
    let (one, _) = swarm.guest(0, "blue", "one").expect("a container");
    let (_two, eth0) = swarm.guest(1, "blue", "two").expect("a container");
    let to = eth0.need_v4().expect("an address").into();
    await_reply(&one, to, AGREED).expect("a reply");
    // Of a key that is not accepted any more, of the former one, and of the present one.
    let mut recordings = recorded(&swarm, 3);
    rotate_keys(&swarm);
    recordings.extend(recorded(&swarm, 3));
    rotate_keys(&swarm);
    rotate_keys(&swarm);
    recordings.extend(recorded(&swarm, 3));
    let pid = swarm[0].agent_pid().expect("an agent");
    let (before, refused) = (memory(&swarm[0]), gossip(&swarm[0], "refused"));
    let flood = Flood::start(one.namespace(), to, Duration::from_millis(20)).expect("pings");

    let datagrams = tries();
    let mut garbage = Garbage::of(recordings, 31);
    let paced = garbage.datagrams(
        swarm[2].namespace(),
        port(&swarm[0], GOSSIP),
        datagrams,
        BURST,
        |sent| {
            let caught_up =
                interrupt::wait_until(AGREED, || gossip(&swarm[0], "refused") >= refused + sent)?;
            anyhow::ensure!(caught_up, "{sent} sent: {}", swarm[0].overlay(&["stats"])?);
            Ok(())
        },
    );
    paced.expect("every datagram is refused and counted");

    for reason in ["garbage", "replay", "bad-tag", "unknown-key"] {
        assert!(counted(&swarm[0], "gossip/udp", reason) > 0, "{reason}");
    }
    let told = swarm[0].overlay(&["stats"]).expect("stats");
    assert!(told.contains("gossip/udp    replay"), "{told}");
    is_well(&swarm, 0, pid);
    let after = memory(&swarm[0]);
    assert!(after < before + GROWTH, "{before} KiB became {after} KiB");
    let pings = flood.stop().expect("counts");
    assert!(pings.is_complete(), "{pings:?}");
}

#[test]
fn a_flood_of_garbage_keeps_nobody_from_joining_in() {
    let swarm = besieged();
    let pid = swarm[0].agent_pid().expect("an agent");
    let mut garbage = Garbage::of(recorded(&swarm, 3), 32);
    let before = gossip(&swarm[0], "refused");

    std::thread::scope(|scope| {
        let (from, to) = (swarm[2].namespace(), port(&swarm[0], GOSSIP));
        // As fast as it goes.
        let flooding =
            scope.spawn(move || garbage.datagrams(from, to, tries() * 4, 1_000_000, |_| Ok(())));
        swarm.network("blue", &[]).expect("a network");
        let (one, _) = swarm.guest(0, "blue", "one").expect("a container");
        let (_two, eth0) = swarm.guest(1, "blue", "two").expect("a container");
        let to = eth0.need_v4().expect("an address").into();
        await_reply(&one, to, AGREED).expect("a reply");
        flooding.join().expect("no panic").expect("a flood");
    });

    assert!(gossip(&swarm[0], "refused") > before);
    is_well(&swarm, 0, pid);
}

/// With the certificate of worker `b`, which is a member but no manager.
#[test]
fn a_worker_that_raves_changes_nothing() {
    let swarm = besieged();
    let pid = swarm[0].agent_pid().expect("an agent");
    let requests = tries().div_ceil(20);
    let genuine = [
        r#"{"id":"0000000000000000000000001","request":{"LeaseAddress":{"network":"0000000000000000000000009","address":"10.0.0.9"}}}"#,
        r#"{"id":"0000000000000000000000002","request":{"Change":{"SetTimes":{"certificates":null,"keys":60}}}}"#,
        r#"{"csr":"-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n"}"#,
    ];
    let mut garbage = Garbage::of(
        genuine
            .iter()
            .map(|body| body.as_bytes().to_vec())
            .collect(),
        35,
    );
    let directory = swarm.session().directory().join("bodies");
    fs::create_dir(&directory).expect("a directory");
    let certificate = swarm[1].data_dir().join(CERTIFICATE);
    let calls = ["request", "renew", "join", "raft/append", "raft/vote"];
    let mut script = String::new();
    for number in 0..requests {
        let body = directory.join(number.to_string());
        fs::write(&body, garbage.piece()).expect("a body");
        let call = calls[number as usize % calls.len()];
        let step = format!(
            "next\ncert = {certificate:?}\nkey = {certificate:?}\ninsecure\nsilent\n\
             output = /dev/null\nwrite-out = \"%{{http_code}}\\n\"\n\
             data-binary = \"@{}\"\nurl = https://192.0.2.1:{MANAGERS}/v1/{call}\n",
            body.display()
        );
        script.push_str(&step);
    }
    let config = swarm.session().directory().join("curl");
    fs::write(&config, script).expect("a script");

    let answers = swarm[1]
        .namespace()
        .exec("curl", &["--config", &config.to_string_lossy()])
        .expect("answers");

    let refused = |line: &&str| matches!(*line, "400" | "401" | "403" | "404" | "409");
    assert_eq!(answers.lines().count() as u64, requests, "{answers}");
    assert!(answers.lines().all(|line| refused(&line)), "{answers}");
    let malformed = counted(&swarm[0], "managers/tcp", "malformed");
    assert!(malformed >= requests / 4, "{malformed} of {requests}");
    assert!(counted(&swarm[0], "managers/tcp", "role-refused") >= requests / 4);
    is_well(&swarm, 0, pid);
    let nodes = swarm[0].overlay_json(&["node", "ls"]).expect("nodes");
    assert_eq!(nodes.as_array().map(Vec::len), Some(2), "{nodes}");
}

#[test]
fn no_forged_stream_disturbs_a_running_agent() {
    let swarm = besieged();
    let pid = swarm[0].agent_pid().expect("an agent");
    let before = memory(&swarm[0]);
    let from = swarm[2].namespace();
    let streams = tries().div_ceil(20);
    // What a TLS client says first, as far as every one says the same.
    let hello = [&[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3][..], &[9; 500]].concat();
    let mut garbage = Garbage::of(
        vec![hello, b"GET /v1/watch HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()],
        33,
    );

    let answered = garbage.streams(from, port(&swarm[0], MANAGERS), streams);
    assert!(answered.expect("streams") < 64, "only an alert");
    // A hello of the gossip, of its length and version.
    let mut garbage = Garbage::of(vec![vec![1; 69]], 34);
    let answered = garbage.streams(from, port(&swarm[0], GOSSIP), streams);
    assert_eq!(answered.expect("streams"), 0, "not a byte");
    // Some that say nothing keep their places until their time is up.
    let silent: Vec<TcpStream> = from
        .run(|| {
            let open = |target| (0..200).filter_map(move |_| TcpStream::connect(target).ok());
            let targets = [port(&swarm[0], MANAGERS), port(&swarm[0], GOSSIP)];
            targets.into_iter().flat_map(open).collect()
        })
        .expect("streams");
    assert!(silent.len() > 100);

    assert!(counted(&swarm[0], "managers/tcp", "handshake-failed") >= streams * 9 / 10);
    assert!(counted(&swarm[0], "gossip/tcp", "garbage") > 0);
    swarm.network("blue", &[]).expect("a network");
    let (one, _) = swarm.guest(0, "blue", "one").expect("a container");
    let (_two, eth0) = swarm.guest(1, "blue", "two").expect("a container");
    let to = eth0.need_v4().expect("an address").into();
    await_reply(&one, to, AGREED).expect("a reply");
    assert!(ping(one.namespace(), to, 3).expect("pings").is_complete());
    is_well(&swarm, 0, pid);
    let after = memory(&swarm[0]);
    assert!(after < before + GROWTH, "{before} KiB became {after} KiB");
}
