//! Networks made with `--opt encrypted`: what is on the wire, and that keys change without a packet lost.

use std::{
    net::IpAddr,
    thread::sleep,
    time::{Duration, Instant},
};

use overlay_tests::{
    Container, Host, Swarm, interrupt,
    swarm::await_reply,
    traffic::{Capture, Exchange, Flood},
};
use serde_json::Value;

use super::PATIENCE;

/// Long enough on an emulated machine for nodes to agree on keys, to notice a change and to make it good.
const AGREED: Duration = Duration::from_mins(2);

/// Between two requests of a flood.
const INTERVAL: Duration = Duration::from_millis(20);

/// More packets than any test sends.
const LIMIT: u32 = 100_000;

/// A network of both families on two hosts, with a container on each.
struct Scene {
    swarm: Swarm,
    one: Container,
    targets: Vec<IpAddr>,
    two: Container,
}

impl Scene {
    fn start(options: &[&str]) -> Self {
        let swarm = Swarm::start(&["a", "b"], 1).expect("a swarm");
        Self::on(swarm, options)
    }

    fn on(swarm: Swarm, options: &[&str]) -> Self {
        let mut all = vec!["--ipv6", "--subnet", "10.9.0.0/24", "--subnet", "fd09::/64"];
        all.extend(options);
        swarm.network("secret", &all).expect("a network");
        let (one, _) = swarm.guest(0, "secret", "one").expect("a container");
        let (two, eth0) = swarm.guest(1, "secret", "two").expect("a container");
        let targets = eth0.addresses();
        assert_eq!(targets.len(), 2);
        for target in &targets {
            await_reply(&one, *target, AGREED).expect("a reply");
        }
        Self {
            swarm,
            one,
            targets,
            two,
        }
    }

    fn talk(&self) {
        for address in &self.targets {
            let exchange = Exchange {
                client: self.one.namespace(),
                server: self.two.namespace(),
                address: *address,
            };
            exchange.tcp(&[1, 1000, 300_000]).expect("TCP");
            exchange.udp(&[1, 1000]).expect("UDP");
        }
    }

    fn flood(&self) -> Vec<Flood> {
        let targets = self.targets.iter();
        let start = |target: &IpAddr| Flood::start(self.one.namespace(), *target, INTERVAL);
        targets
            .map(|target| start(target).expect("a flood"))
            .collect()
    }

    /// What comes out of the first host for the second one's data path.
    fn catch(&self, filter: &str) -> Capture {
        let directory = self.swarm.session().directory();
        let host = self.swarm[0].namespace();
        Capture::whole(host, "eth0", filter, LIMIT, directory).expect("a capture")
    }
}

fn encryption(host: &Host) -> Value {
    host.status().expect("a status")["encryption"].clone()
}

/// Both nodes seal with keys of the newest generation that is used.
fn await_settled(swarm: &Swarm, generation: u64) {
    let is_settled = |host: &Host| {
        let status = encryption(host);
        status["generation"] == generation && status["settled"] == 1
    };
    let agreed = interrupt::wait_until(AGREED, || swarm.hosts().iter().all(is_settled));
    let said: Vec<Value> = swarm.hosts().iter().map(encryption).collect();
    assert!(agreed.expect("no interruption"), "{said:?}");
}

fn generation(swarm: &Swarm) -> u64 {
    encryption(&swarm[0])["generation"]
        .as_u64()
        .expect("a generation")
}

fn rotate(swarm: &Swarm) {
    swarm[0]
        .overlay(&["swarm", "keys", "--rotate"])
        .expect("a rotation");
}

/// Names of states in the host's kernel.
fn states(host: &Host) -> Vec<String> {
    let listed = host
        .namespace()
        .exec("ip", &["xfrm", "state"])
        .expect("states");
    let spis = listed
        .lines()
        .filter_map(|line| line.trim().strip_prefix("proto esp spi "));
    let spis = spis.filter_map(|rest| rest.split_whitespace().next());
    spis.map(str::to_owned).collect()
}

fn xfrm(host: &Host, arguments: &[&str]) {
    let all = [&["xfrm"], arguments].concat();
    host.namespace().exec("ip", &all).expect("ip xfrm");
}

fn holds(packet: &[u8], known: &[u8]) -> bool {
    packet.windows(known.len()).any(|window| window == known)
}

#[test]
fn an_encrypted_network_shows_esp_alone_and_another_one_stays_plain() {
    let scene = Scene::start(&["--opt", "encrypted"]);
    let plain = &["--subnet", "10.8.0.0/24"];
    scene.swarm.network("plain", plain).expect("a network");
    let (three, _) = scene.swarm.guest(0, "plain", "three").expect("a container");
    let (_four, eth0) = scene.swarm.guest(1, "plain", "four").expect("a container");
    let open = eth0.need_v4().expect("an address").into();
    await_reply(&three, open, AGREED).expect("a reply");
    await_settled(&scene.swarm, generation(&scene.swarm));

    // Nothing of the plain network meanwhile.
    let capture = scene.catch("esp or udp port 4789");
    scene.talk();
    let said = scene.one.exec(
        "ping",
        &["-c", "3", "-p", "feedc0ffee", &scene.targets[0].to_string()],
    );
    said.expect("pings");
    let sealed = capture.packets().expect("packets");
    let capture = scene.catch("esp or udp port 4789");
    let said = three.exec("ping", &["-c", "3", "-p", "feedc0ffee", &open.to_string()]);
    said.expect("pings");
    let plain = capture.packets().expect("packets");

    let known = [0xfe, 0xed, 0xc0, 0xff, 0xee, 0xfe, 0xed, 0xc0, 0xff, 0xee];
    assert!(sealed.len() > 20, "{}", sealed.len());
    for packet in &sealed {
        assert_eq!(packet[23], 50, "no ESP: {packet:02x?}");
        assert!(!holds(packet, &known), "readable: {packet:02x?}");
    }
    let carried = plain
        .iter()
        .filter(|packet| packet[23] == 17 && holds(packet, &known));
    assert_eq!(carried.count(), 6, "{plain:02x?}");
    let inspected = scene.swarm[0].overlay_json(&["network", "inspect", "secret"]);
    let inspected = inspected.expect("inspect")[0].clone();
    assert_eq!(inspected["encrypted"], true, "{inspected}");
    let checks = scene.swarm[0]
        .overlay_json(&["doctor"])
        .expect("no failure");
    let mut checks = checks.as_array().expect("a list").iter();
    let check = checks
        .find(|check| check["name"] == "encryption")
        .expect("a check");
    assert_eq!(check["verdict"], "ok", "{check}");
}

#[test]
fn ten_rotations_lose_nothing_and_leave_no_old_key() {
    let scene = Scene::start(&["--opt", "encrypted"]);
    await_settled(&scene.swarm, generation(&scene.swarm));
    let floods = scene.flood();
    let mut seen = Vec::new();

    for _ in 0..10 {
        seen.push((Instant::now(), states(&scene.swarm[0])));
        let before = generation(&scene.swarm);
        rotate(&scene.swarm);
        let is_known = interrupt::wait_until(AGREED, || {
            let keys = scene.swarm[0]
                .overlay_json(&["swarm", "keys"])
                .expect("keys");
            generation(&scene.swarm) > before || keys["primary"] == before
        });
        assert!(is_known.expect("no interruption"));
        // The first rotation makes a key, and the second one has it used.
        await_settled(&scene.swarm, generation(&scene.swarm));
    }

    for flood in floods {
        let count = flood.stop().expect("a count");
        assert!(count.is_complete(), "{count:?}");
    }
    let present = states(&scene.swarm[0]);
    for (_, old) in &seen[..7] {
        assert!(
            old.iter().all(|spi| !present.contains(spi)),
            "{old:?} in {present:?}"
        );
    }
    scene.talk();
}

#[test]
fn what_was_flushed_is_back_by_itself_and_nothing_leaves_readable_meanwhile() {
    let scene = Scene::start(&["--opt", "encrypted"]);
    await_settled(&scene.swarm, generation(&scene.swarm));
    let capture = scene.catch("udp port 4789");
    let floods = scene.flood();

    for (place, arguments) in [
        (0, ["state", "flush"]),
        (1, ["state", "flush"]),
        (0, ["policy", "flush"]),
        (1, ["policy", "flush"]),
    ] {
        let before = encryption(&scene.swarm[place])["repaired_total"].as_u64();
        xfrm(&scene.swarm[place], &arguments);
        let is_told = interrupt::wait_until(AGREED, || {
            encryption(&scene.swarm[place])["repaired_total"].as_u64() > before
        });
        assert!(
            is_told.expect("no interruption"),
            "{arguments:?} on {place}"
        );
        await_settled(&scene.swarm, generation(&scene.swarm));
        for target in &scene.targets {
            await_reply(&scene.one, *target, PATIENCE).expect("a reply");
        }
    }

    drop(floods);
    scene.talk();
    let readable = capture.packets().expect("packets");
    assert!(readable.is_empty(), "{readable:02x?}");
}

#[test]
fn an_agent_that_is_killed_keeps_its_keys_and_one_killed_while_they_change_goes_on() {
    let mut scene = Scene::start(&["--opt", "encrypted"]);
    await_settled(&scene.swarm, generation(&scene.swarm));
    let before = states(&scene.swarm[1]);
    let floods = scene.flood();

    scene.swarm.host_mut(1).kill_agent().expect("killed");
    scene.swarm.host_mut(1).start_agent().expect("started");
    await_settled(&scene.swarm, generation(&scene.swarm));
    assert_eq!(states(&scene.swarm[1]).len(), before.len());
    assert!(
        states(&scene.swarm[1])
            .iter()
            .all(|spi| before.contains(spi))
    );
    for _ in 0..2 {
        rotate(&scene.swarm);
        sleep(Duration::from_millis(100));
        scene.swarm.host_mut(1).kill_agent().expect("killed");
        scene.swarm.host_mut(1).start_agent().expect("started");
        await_settled(&scene.swarm, generation(&scene.swarm));
    }

    // An emulated agent may be away for so long that the other node takes its host for dead: then packets have no
    // route. None may have wanted for a key.
    for host in scene.swarm.hosts() {
        assert_eq!(failures(host), [""; 0]);
    }
    for flood in floods {
        assert!(flood.stop().expect("a count").received > 0);
    }
    scene.talk();
}

/// What the host's kernel could not encrypt or decrypt, by its own names, with the numbers.
fn failures(host: &Host) -> Vec<String> {
    let counted = host.namespace().exec("cat", &["/proc/net/xfrm_stat"]);
    let counted = counted.expect("statistics");
    let some = counted
        .lines()
        .filter(|line| !line.trim_end().ends_with("\t0"));
    some.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn a_node_that_was_away_for_three_rotations_has_new_keys_by_itself() {
    let mut scene = Scene::start(&["--opt", "encrypted"]);
    await_settled(&scene.swarm, generation(&scene.swarm));
    let old = states(&scene.swarm[0]);

    scene.swarm.host_mut(1).kill_agent().expect("killed");
    for _ in 0..4 {
        rotate(&scene.swarm);
    }
    let gone = interrupt::wait_until(AGREED, || {
        states(&scene.swarm[0]).iter().all(|spi| !old.contains(spi))
    });
    assert!(gone.expect("no interruption"), "old keys are still in use");
    scene.swarm.host_mut(1).start_agent().expect("started");

    await_settled(&scene.swarm, generation(&scene.swarm));
    for target in &scene.targets {
        await_reply(&scene.one, *target, PATIENCE).expect("a reply");
    }
    scene.talk();
}

#[test]
fn others_states_stay_when_ours_are_taken_away() {
    let mut scene = Scene::start(&["--opt", "encrypted=true"]);
    await_settled(&scene.swarm, generation(&scene.swarm));
    let foreign = "state add src 192.0.2.77 dst 192.0.2.78 proto esp spi 0x777 reqid 7 mode transport \
                   aead rfc4106(gcm(aes)) 0x0102030405060708091011121314151617181920 128";
    let words: Vec<&str> = foreign.split(' ').filter(|word| !word.is_empty()).collect();
    xfrm(&scene.swarm[1], &words);
    let files = scene.swarm[1].data_dir().join("swarm/encryption.json");
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(files).expect("a file"));
    assert_eq!(mode & 0o777, 0o600);

    scene.swarm.host_mut(1).stop_agent().expect("stopped");
    let removed = scene.swarm[1].uninstall().expect("uninstalled");

    assert!(removed.contains("xfrm states and policies"), "{removed}");
    assert_eq!(states(&scene.swarm[1]), ["0x00000777"]);
    let policies = scene.swarm[1].namespace().exec("ip", &["xfrm", "policy"]);
    assert_eq!(policies.expect("policies").trim(), "");
}
