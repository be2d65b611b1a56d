//! What several of these tests set up and do.

use std::net::IpAddr;

use anyhow::{Context as _, Result, ensure};
use overlay_tests::{
    Counters, Namespace, Pair, Session, Underlay, Wiring,
    cluster::{self, Guest},
    static_config::Encap,
    traffic::{Exchange, Ping, Pinged},
    underlay::Families,
};

/// Two hosts on one wire.
pub(crate) fn wire(families: Families) -> Wiring {
    Wiring {
        families,
        ..Wiring::direct()
    }
}

/// A pair on an underlay wired like that.
pub(crate) fn pair(wiring: Wiring, encap: Encap) -> Pair {
    let session = Session::for_test().expect("a session");
    let underlay = Underlay::build(&session, "u", &["a", "b"], wiring).expect("an underlay");
    let config = cluster::config(underlay.machines()).encap(encap);
    Pair::on(session, underlay, &config).expect("a pair")
}

/// Another container on host `a`.
pub(crate) fn neighbour(pair: &Pair) -> Guest {
    Guest::new(pair.session(), &pair.a, "near").expect("a container")
}

/// The addresses of a container, IPv4 first.
pub(crate) fn addresses(guest: &Guest) -> [IpAddr; 2] {
    [guest.v4().into(), guest.v6().into()]
}

/// Three small requests in both families.
pub(crate) fn greet(from: &Guest, to: &Guest) -> Result<()> {
    addresses(to)
        .into_iter()
        .try_for_each(|to| answers(Ping::new(from.namespace(), to)).map(drop))
}

/// Pings; a lost reply is an error that quotes ping.
pub(crate) fn answers(ping: Ping<'_>) -> Result<Pinged> {
    let pinged = ping.run()?;
    ensure!(pinged.count.is_complete(), "{ping:?}: {}", pinged.said);
    Ok(pinged)
}

/// ICMP, TCP and UDP in both families.
pub(crate) fn talk(from: &Guest, to: &Guest) -> Result<()> {
    greet(from, to)?;
    for address in addresses(to) {
        converse(from.namespace(), to.namespace(), address)?;
    }
    Ok(())
}

/// TCP and UDP, in messages of one byte, of as many as fit a packet, and of many packets.
pub(crate) fn converse(client: &Namespace, server: &Namespace, address: IpAddr) -> Result<()> {
    let exchange = Exchange {
        client,
        server,
        address,
    };
    exchange.tcp(&[1, 1000, 300_000])?;
    exchange.udp(&[1, 1000])
}

/// Fails unless all that was counted are these walks, and drops for no reason of interest.
pub(crate) fn expect_only(counted: &Counters, walks: &[&str]) {
    let names: Vec<&str> = counted.carried().iter().map(|(walk, _)| *walk).collect();
    assert_eq!(names, walks, "{counted:?}");
    assert_eq!(counted.losses(), [], "{counted:?}");
}

/// Fails unless exactly so many packets took these walks, and none was dropped for a reason of interest.
pub(crate) fn expect_exactly(counted: &Counters, walks: &[(&str, u64)]) {
    assert_eq!(counted.carried(), walks, "{counted:?}");
    assert_eq!(counted.losses(), [], "{counted:?}");
}

/// Changes the MTU of a container's interface, as one with the right to do so can from within.
pub(crate) fn set_mtu(guest: &Guest, mtu: u32) -> Result<()> {
    guest
        .namespace()
        .ip(&[format!("link set eth0 mtu {mtu}")])
        .with_context(|| format!("changing the MTU of {}", guest.name()))?;
    Ok(())
}
