//! Encrypted networks on a kernel that need not be able to encrypt: nothing leaves as it is, and nothing gets in that
//! was not decrypted.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, UdpSocket},
    time::Duration,
};

use overlay_tests::{
    Counters, Namespace, Pair, Session, StaticConfig, Underlay, Wiring,
    cluster::{self, BLUE, RED},
    static_config::Network,
    traffic::{Capture, Cleartext, Form, ping},
};

const BLUE_VNI: u32 = 4096;
const RED_VNI: u32 = 4097;
const PORT: u16 = 7000;

/// Packets that are forged in all forms together.
const FORGERIES: u32 = 1_000_000;

/// How long is waited for what must not come.
const SILENCE: Duration = Duration::from_millis(500);

/// Ways of a packet into a container.
const WAYS_IN: [&str; 4] = ["decapsulated", "tunnelled", "decrypted", "balanced-answer"];

/// Everything is accepted before any other rule is looked at.
const ACCEPTS_EVERYTHING: &str = "add table inet first;
    add chain inet first in { type filter hook input priority -400; policy accept; };
    add rule inet first in accept;";

/// `BLUE` is encrypted, `RED` is not.
fn networks() -> Vec<Network> {
    vec![
        Network::new(BLUE, BLUE_VNI, &["10.1.0.0/23", "fd00:1::/64"]).encrypted(),
        Network::new(RED, RED_VNI, &["10.2.0.0/24"]),
    ]
}

/// Hosts `a` and `b`, and a machine `m` beside them that is none of theirs.
fn scene() -> Pair {
    let session = Session::for_test().expect("a session");
    let wiring = Wiring::default();
    let underlay = Underlay::build(&session, "u", &["a", "b", "m"], wiring).expect("an underlay");
    let nodes = cluster::nodes(&underlay.machines()[..2]);
    let config = StaticConfig::new(nodes, networks()).audit_interval("1h");
    let pair = Pair::on(session, underlay, &config.external_keys()).expect("a pair");
    for (guest, host) in [(&pair.one, &pair.a), (&pair.two, &pair.b)] {
        guest.attach(host, RED, &[]).expect("attached");
    }
    pair
}

fn forger(pair: &Pair) -> &Namespace {
    &pair.machines()[2].namespace
}

/// What `b` would send to the container of `a`.
fn forgery(pair: &Pair, vni: u32, inner: (IpAddr, IpAddr)) -> Cleartext {
    let v4 = |place: usize| pair.machines()[place].v4.expect("an address");
    Cleartext {
        hosts: (v4(1), v4(0)),
        vni,
        inner,
        port: PORT,
    }
}

/// Inner addresses in `BLUE` from `two` to `one`, of both families.
fn blue(pair: &Pair) -> [(IpAddr, IpAddr); 2] {
    [
        (pair.two.v4().into(), pair.one.v4().into()),
        (pair.two.v6().into(), pair.one.v6().into()),
    ]
}

fn red(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 2, 0, last).into()
}

/// Listens in `one` on every address.
fn listen(pair: &Pair) -> UdpSocket {
    let bind = || UdpSocket::bind(("::", PORT));
    let socket = pair.one.namespace().run(bind).expect("the namespace");
    let socket = socket.expect("a socket");
    socket.set_read_timeout(Some(SILENCE)).expect("a limit");
    socket
}

/// How many datagrams have come, once no more do.
fn heard(socket: &UdpSocket) -> u64 {
    let mut count = 0;
    loop {
        match socket.recv(&mut [0; 64]) {
            Ok(_) => count += 1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return count,
            Err(error) => panic!("{error}"),
        }
    }
}

fn counted(pair: &Pair, action: impl FnOnce()) -> Counters {
    let counted = Counters::during([&pair.a], || {
        action();
        Ok(())
    });
    let [counters] = counted.expect("counters");
    counters
}

#[test]
fn of_a_million_forgeries_none_is_delivered_and_all_are_counted() {
    let pair = scene();
    let nft = [ACCEPTS_EVERYTHING];
    pair.a.namespace().exec("nft", &nft).expect("a firewall");
    let server = listen(&pair);
    let forms = [Form::Whole, Form::Options, Form::Parts];
    let each = FORGERIES / (2 * 3) + 1;

    let counters = counted(&pair, || {
        for inner in blue(&pair) {
            for form in forms {
                let forgery = forgery(&pair, BLUE_VNI, inner);
                forgery.send(forger(&pair), form, each).expect("sent");
            }
        }
    });

    assert_eq!(heard(&server), 0);
    for way in WAYS_IN {
        assert_eq!(counters.walk(way), 0, "{counters:?}");
    }
    assert_eq!(counters.losses(), [("cleartext", 6 * u64::from(each))]);
    // The same in the network beside it is delivered, so that it is not the form that is refused.
    let plain = forgery(&pair, RED_VNI, (red(65), red(1)));
    let counters = counted(&pair, || {
        for form in forms {
            plain.send(forger(&pair), form, 10).expect("sent");
        }
    });
    assert_eq!(heard(&server), 30, "{counters:?}");
}

#[test]
fn a_packet_is_taken_only_with_the_mark_of_the_node_that_has_its_sender() {
    let pair = scene();
    let server = listen(&pair);
    let [v4, v6] = blue(&pair);
    let nobody = (cluster::BLUE_NOBODY.into(), v4.1);
    let own = (pair.one.v4().into(), v4.1);
    // The rule stands for the state that decrypts. Options keep the packets from being dropped before.
    let mark = |mark: &str| {
        let rules = format!(
            "add table ip marks; flush table ip marks;
            add chain ip marks in {{ type filter hook prerouting priority -350; }};
            add rule ip marks in udp dport 4789 meta mark set {mark};"
        );
        pair.a.namespace().exec("nft", &[&rules]).expect("a rule");
    };
    for (given, inner, expected) in [
        ("0xe5000001", v4, Ok("decrypted")),
        ("0xe5000001", v6, Ok("decrypted")),
        ("0xe5000001", nobody, Err("foreign-sender")),
        ("0xe5000001", own, Err("foreign-sender")),
        ("0xe5000002", v4, Err("foreign-sender")),
        ("0xe5000000", v4, Err("cleartext")),
        ("0x00000001", v4, Err("cleartext")),
        ("0x12000001", v6, Err("cleartext")),
    ] {
        mark(given);
        let counters = counted(&pair, || {
            for form in [Form::Options, Form::Parts] {
                let forgery = forgery(&pair, BLUE_VNI, inner);
                forgery.send(forger(&pair), form, 5).expect("sent");
            }
        });

        let case = format!("{given} {inner:?} {counters:?}");
        match expected {
            Ok(walk) => {
                assert_eq!(counters.walk(walk), 10, "{case}");
                assert_eq!(counters.losses(), [], "{case}");
                assert_eq!(heard(&server), 10, "{case}");
            }
            Err(reason) => {
                assert_eq!(counters.losses(), [(reason, 10)], "{case}");
                assert_eq!(heard(&server), 0, "{case}");
            }
        }
    }
    // What is not encrypted is taken from everybody as before, and its mark does not follow it.
    mark("0xe5000001");
    let plain = forgery(&pair, RED_VNI, (red(65), red(1)));
    let counters = counted(&pair, || {
        plain.send(forger(&pair), Form::Options, 5).expect("sent");
    });
    assert_eq!(counters.walk("tunnelled"), 5, "{counters:?}");
    assert_eq!(heard(&server), 5);
}

#[test]
fn without_policies_nothing_of_an_encrypted_network_leaves() {
    let pair = scene();
    let directory = pair.session().directory();
    let filter = "udp port 4789 or (ip[6:2] & 0x1fff != 0)";
    let capture = Capture::start(pair.a.namespace(), "eth0", filter, 100, directory);
    let capture = capture.expect("a capture");

    let counters = counted(&pair, || {
        for target in pair.targets() {
            let count = ping(pair.one.namespace(), target, 3).expect("a ping");
            assert_eq!(count.received, 0);
        }
        // Too large for one packet, and to be sent in parts all the same.
        let large = ["-c", "2", "-W", "1", "-M", "dont", "-s", "3000"];
        let target = pair.two.v4().to_string();
        let arguments = [&large[..], &[&target]].concat();
        let pinged = pair.one.exec("ping", &arguments);
        assert!(pinged.is_err(), "{pinged:?}");
    });

    assert!(counters.walk("encrypted") >= 8, "{counters:?}");
    assert!(counters.drop("unencrypted") >= 8, "{counters:?}");
    assert_eq!(counters.walk("encapsulated"), 0, "{counters:?}");
    assert_eq!(capture.stop().expect("packets"), [0; 0]);
    // The network beside it is as it was.
    let count = ping(pair.one.namespace(), red(65), 3).expect("a ping");
    assert!(count.is_complete(), "{count:?}");
}

#[test]
fn the_guard_stands_as_long_as_anything_is_encrypted() {
    let mut pair = scene();
    let attached = |pair: &Pair| -> u32 {
        let checks = pair.a.overlay_json(&["doctor"]).expect("no fault");
        let mut checks = checks.as_array().expect("a list").iter();
        let programs = checks.find(|check| check["name"] == "programs");
        let detail = programs.expect("a check")["detail"].as_str().expect("text");
        let number = detail.split(' ').next().expect("a word");
        number.parse().expect("a number")
    };
    let guarded = attached(&pair);

    let plain = cluster::config(&pair.machines()[..2]);
    for host in [&mut pair.a, &mut pair.b] {
        host.write_config(&plain).expect("written");
        host.restart_agent().expect("restarted");
    }

    assert_eq!(attached(&pair), guarded - 1);
    pair.check_reach().expect("it is a plain network now");
}
