//! An encrypted network on a kernel that encrypts, with states and policies made by hand.

use std::net::IpAddr;

use overlay_tests::{
    Counters, Host, Pair,
    cluster::{BLUE, RED},
    static_config::Network,
    traffic::Capture,
};

use super::talk;

/// What is captured at most; a conversation has fewer packets.
const MANY: u32 = 20_000;

const ESP: u8 = 50;
const UDP: u8 = 17;

/// A pair whose network is encrypted.
fn pair() -> Pair {
    let networks = vec![
        Network::new(BLUE, 4096, &["10.1.0.0/23", "fd00:1::/64"]).encrypted(),
        Network::new(RED, 4097, &["10.2.0.0/24"]),
    ];
    let pair = Pair::with(|config| config.networks(networks).external_keys());
    pair.expect("a pair")
}

/// Makes what another program of the two hosts would. Each host has one peer only, whose number is 1.
fn encrypt(pair: &Pair) {
    let address = |place: usize| pair.machines()[place].address();
    let hosts = [
        (&pair.a, address(0), address(1)),
        (&pair.b, address(1), address(0)),
    ];
    for (host, own, other) in hosts {
        // What has no state goes nowhere.
        xfrm(
            host,
            "policy add dir out proto udp dport 4789 mark 0xe5000000 mask 0xff000000 \
                    priority 2000 action block",
        );
        for (place, (source, destination)) in [(own, other), (other, own)].into_iter().enumerate() {
            let spi = if source == address(0) { 0x1001 } else { 0x1002 };
            let key = format!("0x{}", format!("{spi:08x}").repeat(9));
            let mark = if place == 0 {
                ""
            } else {
                "output-mark 0xe5000001 mask 0xffffffff"
            };
            xfrm(
                host,
                &format!(
                    "state add src {source} dst {destination} proto esp spi {spi} reqid 1 mode transport \
                     flag esn replay-window 1024 aead rfc4106(gcm(aes)) {key} 128 {mark}"
                ),
            );
        }
        xfrm(
            host,
            &format!(
                "policy add src {own} dst {other} proto udp dport 4789 mark 0xe5000000 mask 0xffffffff dir out \
                 priority 1000 tmpl src {own} dst {other} proto esp reqid 1 mode transport"
            ),
        );
    }
}

fn xfrm(host: &Host, words: &str) {
    let words: Vec<&str> = ["xfrm"]
        .into_iter()
        .chain(words.split_whitespace())
        .collect();
    host.namespace().exec("ip", &words).expect("done");
}

/// The protocols of the IPv4 packets that leave and reach host `a` while `action` runs.
fn protocols(pair: &Pair, action: impl FnOnce()) -> Vec<u8> {
    let directory = pair.session().directory();
    let capture = Capture::whole(pair.a.namespace(), "eth0", "ip", MANY, directory);
    let capture = capture.expect("a capture");
    action();
    let packets = capture.packets().expect("packets");
    let mut protocols: Vec<u8> = packets.iter().map(|packet| packet[23]).collect();
    protocols.sort_unstable();
    protocols.dedup();
    protocols
}

#[test]
fn an_encrypted_network_has_only_esp_on_the_underlay() {
    let pair = pair();
    encrypt(&pair);

    let mut counted = [Counters::default(), Counters::default()];
    let seen = protocols(&pair, || {
        let counters = Counters::during([&pair.a, &pair.b], || {
            talk(&pair);
            Ok(())
        });
        counted = counters.expect("counters");
    });

    assert_eq!(seen, [ESP]);
    for counters in counted {
        assert_eq!(counters.losses(), [], "{counters:?}");
        assert!(counters.walk("encrypted") > 0, "{counters:?}");
        assert!(counters.walk("decrypted") > 0, "{counters:?}");
        assert_eq!(counters.walk("encapsulated"), 0, "{counters:?}");
    }
}

#[test]
fn the_network_beside_it_stays_plain() {
    let pair = pair();
    encrypt(&pair);
    pair.one.attach(&pair.a, RED, &[]).expect("attached");
    let two = pair.two.attach(&pair.b, RED, &[]).expect("attached");
    let target: IpAddr = two.need_v4().expect("an address").into();

    let seen = protocols(&pair, || {
        let count = overlay_tests::traffic::ping(pair.one.namespace(), target, 3);
        assert!(count.expect("a ping").is_complete());
    });

    assert_eq!(seen, [UDP]);
}

#[test]
fn packets_of_full_size_and_beyond_it_pass_encrypted() {
    let pair = pair();
    encrypt(&pair);
    let target = pair.two.v4().to_string();
    let ping = |size: &str, fragments: &str| {
        let arguments = ["-c", "2", "-W", "5", "-M", fragments, "-s", size, &target];
        pair.one.exec("ping", &arguments)
    };

    let seen = protocols(&pair, || {
        // 1500 less 20, 8 and 8 of ESP, 2 of its trailer, 16 behind, 8 and 8 of UDP and VXLAN, 14: 1416.
        ping("1388", "do").expect("it fits");
        ping("1389", "do").expect_err("one byte too many");
        ping("4000", "dont").expect("in parts");
    });

    assert_eq!(seen, [ESP]);
}

#[test]
fn without_policies_and_states_nothing_leaves() {
    let pair = pair();
    encrypt(&pair);
    pair.check_reach().expect("it reaches");

    for gone in ["policy", "state"] {
        xfrm(&pair.a, &format!("{gone} flush"));
        let seen = protocols(&pair, || {
            pair.check_reach().expect_err("it cannot");
        });

        // The other host may still answer what it got before.
        assert!(!seen.contains(&UDP), "{gone}: {seen:?}");
    }
    let counters = Counters::of(&pair.a).expect("counters");
    assert!(counters.drop("unencrypted") > 0, "{counters:?}");
}

#[test]
fn a_node_is_believed_only_for_its_own_addresses() {
    let pair = pair();
    encrypt(&pair);
    pair.check_reach().expect("it reaches");
    let address = |place: usize| pair.machines()[place].address();
    let (a, b) = (address(0), address(1));
    // As if the state were that of another node.
    let id = format!("src {b} dst {a} proto esp spi {}", 0x1002);
    let key = format!("0x{}", "00001002".repeat(9));
    xfrm(&pair.a, &format!("state delete {id}"));
    xfrm(
        &pair.a,
        &format!(
            "state add {id} reqid 1 mode transport flag esn replay-window 1024 aead rfc4106(gcm(aes)) \
             {key} 128 output-mark 0xe5000002 mask 0xffffffff"
        ),
    );

    pair.check_reach().expect_err("it is not believed");

    let counters = Counters::of(&pair.a).expect("counters");
    assert!(counters.drop("foreign-sender") > 0, "{counters:?}");
    assert_eq!(counters.drop("cleartext"), 0, "{counters:?}");
}
