//! A container cannot pretend to be another: what it sends under a false name goes nowhere, and is counted.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    time::Duration,
};

use anyhow::Result;
use overlay_tests::{
    Counters, Pair,
    cluster::Guest,
    link,
    static_config::Encap,
    traffic::{Forgery, Ping},
    underlay::Families,
};

use crate::scene::{addresses, greet, neighbour, pair, wire};

/// Addresses of nobody, near those of container `one`.
const FALSE_NAMES: [(&str, u8); 2] = [("10.1.0.50", 23), ("fd00:1::50", 64)];

const PORT: u16 = 7000;

/// How long a datagram may take.
const PATIENCE: Duration = Duration::from_millis(500);

fn scene() -> (Pair, Guest) {
    let pair = pair(wire(Families::V4), Encap::Native);
    let near = neighbour(&pair);
    greet(&pair.one, &near).expect("a greeting, near");
    greet(&pair.one, &pair.two).expect("a greeting, far");
    (pair, near)
}

/// What `action` makes the data plane of host `a` count, while none of `deaf` hears anything.
fn unheard(pair: &Pair, deaf: [&Guest; 2], action: impl FnOnce() -> Result<()>) -> Counters {
    let heard = || deaf.map(|guest| link::received(guest.namespace(), "eth0").expect("a count"));
    let before = heard();
    let [a, b] = Counters::during([&pair.a, &pair.b], action).expect("counters");
    assert_eq!(before, heard(), "{a:?} {b:?}");
    assert_eq!(a.carried(), [], "{a:?}");
    assert_eq!(b.carried(), [], "{b:?}");
    a
}

/// Pings in vain.
fn fail(ping: Ping<'_>) -> Result<()> {
    let patience = Duration::from_millis(200);
    let pinged = Ping { patience, ..ping }.run()?;
    assert_eq!(pinged.count.received, 0, "{}", pinged.said);
    Ok(())
}

#[test]
fn another_ethernet_address_is_dropped() {
    let (pair, near) = scene();
    let true_mac = &pair.one.eth0.link.mac;
    for false_mac in ["02:42:0a:01:00:63", &near.eth0.link.mac] {
        let counted = unheard(&pair, [&near, &pair.two], || {
            become_known_as(&pair, &near, false_mac)?;
            for target in [&near, &pair.two].into_iter().flat_map(addresses) {
                fail(Ping::new(pair.one.namespace(), target))?;
            }
            Ok(())
        });

        assert!(counted.drop("spoofed-mac") >= 12, "{counted:?}");
        assert_eq!(counted.drop("spoofed-address"), 0, "{counted:?}");
    }

    become_known_as(&pair, &near, true_mac).expect("itself again");
    greet(&pair.one, &near).expect("a greeting");
}

/// Changes the Ethernet address of container `one`, and tells it where the others are: the kernel forgot.
fn become_known_as(pair: &Pair, near: &Guest, mac: &str) -> Result<()> {
    let mut lines = vec![format!("link set eth0 address {mac}")];
    for guest in [near, &pair.two] {
        lines.extend(addresses(guest).map(|address| {
            let mac = &guest.eth0.link.mac;
            format!("neighbour replace {address} lladdr {mac} dev eth0 nud permanent")
        }));
    }
    pair.one.namespace().ip(&lines).map(drop)
}

#[test]
fn questions_from_another_ethernet_address_are_not_answered() {
    let (pair, near) = scene();

    let counted = unheard(&pair, [&near, &pair.two], || {
        pair.one
            .namespace()
            .ip(&["link set eth0 address 02:42:0a:01:00:63"])?;
        fail(Ping::new(pair.one.namespace(), near.v4().into()))
    });

    assert!(counted.drop("spoofed-mac") > 0, "{counted:?}");
    assert_eq!(counted.walk("arp-answered"), 0, "{counted:?}");
}

#[test]
fn another_ip_address_of_the_interface_is_dropped() {
    let (pair, near) = scene();
    let targets = [&near, &pair.two].map(addresses);
    for (place, (name, length)) in FALSE_NAMES.iter().enumerate() {
        let counted = unheard(&pair, [&near, &pair.two], || {
            let line = format!("address add {name}/{length} dev eth0 nodad");
            pair.one.namespace().ip(&[line])?;
            for addresses in targets {
                let ping = Ping {
                    source: Some(name.parse()?),
                    ..Ping::new(pair.one.namespace(), addresses[place])
                };
                fail(ping)?;
            }
            // The kernel would prefer it for IPv6.
            let line = format!("address del {name}/{length} dev eth0");
            pair.one.namespace().ip(&[line]).map(drop)
        });

        assert!(counted.drop("spoofed-address") >= 6, "{counted:?}");
        assert_eq!(counted.drop("spoofed-mac"), 0, "{counted:?}");
    }

    greet(&pair.one, &pair.two).expect("its own addresses still work");
}

#[test]
fn a_forged_source_is_dropped_and_the_true_one_is_not() {
    let (pair, near) = scene();
    for (place, (nobody, _)) in FALSE_NAMES.iter().enumerate() {
        let itself = addresses(&pair.one)[place];
        let another = addresses(&near)[place];
        let receiver = SocketAddr::new(addresses(&pair.two)[place], PORT);
        let server = pair
            .two
            .namespace()
            .run(|| UdpSocket::bind(receiver))
            .expect("the namespace")
            .expect("a socket");
        server.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let send = |source: IpAddr, payload: &[u8]| {
            let forgery = Forgery {
                source: SocketAddr::new(source, PORT),
                destination: receiver,
                payload,
            };
            forgery.send(pair.one.namespace())
        };

        let counted = unheard(&pair, [&near, &pair.two], || {
            send(nobody.parse()?, b"nobody")?;
            send(another, b"another")
        });
        send(itself, b"itself").expect("a datagram");

        assert_eq!(counted.losses(), [("spoofed-address", 2)], "{counted:?}");
        let mut room = [0; 64];
        let (length, from) = server.recv_from(&mut room).expect("a datagram");
        assert_eq!((&room[..length], from.ip()), (&b"itself"[..], itself));
    }
}
