//! One container's interface: a veth pair with its far end in the container's namespace from the
//! first moment.

use std::{net::IpAddr, time::Duration};

use super::{sysctl::set_ipv6, ways};
use crate::{
    control::{InterfaceWish, MadeInterface},
    netlink::{Error, Link, Namespace, Route, Socket, VethPair},
};

/// The kernel leaves a new IPv6 address to a background task, which takes about a millisecond, and
/// longer while others change the network.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often another name is tried because somebody took the last one meanwhile.
const NAME_ATTEMPTS: u32 = 16;

/// The most that a host end can have, bytes. What is longer is dropped there without a word; the program
/// can tell a container that raised its own MTU what fits.
const HOST_MTU: u32 = 65_535;

/// Makes the pair and configures both ends; nothing is left of it when that fails.
pub(super) fn make(socket: &mut Socket, wish: &InterfaceWish) -> Result<MadeInterface, Error> {
    let namespace = Namespace::open(&wish.netns)?;
    let (link, interface) = create(socket, wish, &namespace)?;
    let configured = configure(socket, wish, &namespace, &link, &interface);
    if let Err(error) = configured {
        if let Err(leftover) = socket.delete_link(link.ifindex)
            && !leftover.is_not_found()
        {
            let leftover: &dyn std::error::Error = &leftover;
            tracing::warn!(
                leftover,
                interface = link.name,
                "a half-made interface is left"
            );
        }
        return Err(error);
    }
    Ok(MadeInterface {
        host_ifindex: link.ifindex,
        interface,
        namespace: namespace.id(),
        // Without it packets are balanced instead of sockets.
        cookie: namespace.cookie().ok(),
    })
}

/// Deletes the pair by its host end, unless another device has its index by now.
pub(super) fn remove(socket: &mut Socket, name: &str, ifindex: u32) -> Result<(), Error> {
    let link = match socket.find_link(name)? {
        Some(link) if link.ifindex == ifindex => link,
        Some(_) | None => return Ok(()),
    };
    match socket.delete_link(link.ifindex) {
        Err(error) if error.is_not_found() => Ok(()),
        result => result,
    }
}

fn create(
    socket: &mut Socket,
    wish: &InterfaceWish,
    namespace: &Namespace,
) -> Result<(Link, String), Error> {
    let mut inside = Socket::open_in(namespace)?;
    let mut attempts = 0;
    loop {
        let interface = next_name(&mut inside)?;
        let pair = VethPair {
            name: &wish.host_interface,
            mac: None,
            peer_name: &interface,
            peer_mac: Some(wish.mac),
            peer_namespace: namespace,
            mtu: wish.mtu,
        };
        attempts += 1;
        match socket.create_veth(&pair) {
            Err(error) if error.is_exists() && attempts < NAME_ATTEMPTS => {}
            made => return Ok((made?, interface)),
        }
    }
}

/// The first of `eth0`, `eth1`, … that is free.
fn next_name(inside: &mut Socket) -> Result<String, Error> {
    let mut number = 0_u32;
    loop {
        let name = format!("eth{number}");
        if inside.find_link(&name)?.is_none() {
            return Ok(name);
        }
        number += 1;
    }
}

fn configure(
    socket: &mut Socket,
    wish: &InterfaceWish,
    namespace: &Namespace,
    link: &Link,
    interface: &str,
) -> Result<(), Error> {
    // The host speaks to containers through the programs only; an address of its own would make it
    // announce itself on every pair.
    set_ipv6(&link.name, "disable_ipv6", "1")?;
    socket.set_mtu(link.ifindex, HOST_MTU)?;
    socket.set_up(link.ifindex)?;
    namespace.run(|| configure_inside(wish, interface))?
}

/// Runs on a thread in the container's namespace.
fn configure_inside(wish: &InterfaceWish, interface: &str) -> Result<(), Error> {
    let mut socket = Socket::open()?;
    let loopback = socket.link_by_name("lo")?;
    if !loopback.is_up() {
        socket.set_up(loopback.ifindex)?;
    }
    let ifindex = socket.link_by_name(interface)?.ifindex;

    let settings: &[(&str, &str)] = match wish.ipv6 {
        Some(_) => &[("disable_ipv6", "0"), ("accept_ra", "0")],
        None => &[("disable_ipv6", "1")],
    };
    for (key, value) in settings {
        set_ipv6(interface, key, value)?;
    }
    socket.set_up(ifindex)?;
    let v4 = wish
        .ipv4
        .map(|(address, length)| (IpAddr::V4(address), length));
    let v6 = wish
        .ipv6
        .map(|(address, length)| (IpAddr::V6(address), length));
    for (address, length) in v4.into_iter().chain(v6) {
        socket.add_address(ifindex, address, length)?;
    }
    for subnet in &wish.on_link {
        let (address, length) = (subnet.network(), subnet.prefix_len());
        let has_family = if address.is_ipv4() {
            v4.is_some()
        } else {
            v6.is_some()
        };
        if has_family {
            socket.add_route(&Route::on_link(address, length, ifindex))?;
        }
    }
    ways::add(&mut socket, wish, interface, ifindex)?;
    if let Some((address, _)) = v6
        && let Err(error) = socket.wait_until_local(address, PATIENCE)
    {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(
            error,
            interface,
            "the container cannot be reached by it yet"
        );
    }
    Ok(())
}
