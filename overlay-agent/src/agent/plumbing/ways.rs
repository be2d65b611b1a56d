//! A container's ways out of its networks: by the first that it has, and what it answers by the network whose
//! address it bears. Another network would refuse that as a forged source.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::{
    control::InterfaceWish,
    netlink::{Error, Route, Socket},
};

/// Ways come behind every one that the container's owner has made, the first network's before the others'.
const METRIC: u32 = 8192;

/// Tables of ways by single networks, counted up by the numbers of their interfaces.
const TABLES: u32 = 53_000;

/// Adds the ways by one interface.
pub(super) fn add(
    socket: &mut Socket,
    wish: &InterfaceWish,
    interface: &str,
    ifindex: u32,
) -> Result<(), Error> {
    let table = TABLES + number(interface);
    let mut is_first = true;
    for (destination, gateway) in &wish.via {
        let has_another = socket.lookup(probe(*destination), None).is_ok();
        let length = destination.prefix_len();
        let way = Route::via(destination.addr(), length, ifindex, *gateway);
        let metric = Some(METRIC + ifindex);
        add_route(socket, &Route { metric, ..way })?;
        if has_another {
            let table = Some(table);
            add_route(socket, &Route { table, ..way })?;
            is_first = false;
        }
    }
    if is_first {
        return Ok(());
    }
    let v4 = wish.ipv4.map(|(address, _)| IpAddr::V4(address));
    let v6 = wish.ipv6.map(|(address, _)| IpAddr::V6(address));
    for source in v4.into_iter().chain(v6) {
        // Those of an earlier interface of this name.
        let added = socket
            .delete_rules(source, table)
            .and_then(|()| socket.add_source_rule(source, table));
        if let Err(error) = added {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(
                error,
                interface,
                "what answers from this network leaves by another one"
            );
        }
    }
    Ok(())
}

fn add_route(socket: &mut Socket, route: &Route) -> Result<(), Error> {
    match socket.add_route(route) {
        Err(error) if !error.is_exists() => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// An address that a way would lead to.
fn probe(destination: IpNet) -> IpAddr {
    match (destination.prefix_len(), destination) {
        // Addresses that nobody has (RFC 5737, RFC 3849).
        (0, IpNet::V4(_)) => Ipv4Addr::new(203, 0, 113, 1).into(),
        (0, IpNet::V6(_)) => Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1).into(),
        (_, net) => net.addr(),
    }
}

/// `1` of `eth1`.
fn number(interface: &str) -> u32 {
    let digits = interface.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    digits.parse().unwrap_or_default()
}
