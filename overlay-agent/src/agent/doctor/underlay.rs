//! The way to the other nodes.

use super::{chain, fail, ok, some_of, warn};
use crate::{
    agent::{
        plumbing::{TUNNEL_NAME, holder_of},
        shared::Shared,
        underlay::KernelUnderlay,
    },
    api::types::Check,
    control::{Underlay as _, planner::overhead},
    model::{Encap, Network},
    netlink::Socket,
};

/// The least that IPv6 asks of every link (RFC 8200, 5).
const LEAST_IPV6_MTU: u32 = 1280;

/// Whether the vxlan device is there and has the port.
pub(super) fn tunnel(shared: &Shared) -> Check {
    const NAME: &str = "vxlan device";
    let port = shared.settings.port;
    let look = || {
        let mut socket = Socket::open()?;
        Ok::<_, crate::netlink::Error>((
            socket.find_link(TUNNEL_NAME)?,
            holder_of(&mut socket, port)?,
        ))
    };
    match look() {
        Ok((Some(link), _)) if link.is_up() => {
            ok(NAME, format!("{TUNNEL_NAME} listens on UDP port {port}"))
        }
        Ok((_, Some(holder))) => fail(
            NAME,
            format!("{TUNNEL_NAME} is missing or down, and {holder} has UDP port {port}"),
            "stop that, then `overlay audit` restores the device",
        ),
        Ok((_, None)) => fail(
            NAME,
            format!("{TUNNEL_NAME} is missing or down"),
            "`overlay audit` restores it",
        ),
        Err(error) => fail(NAME, chain(&error), "see the agent's log"),
    }
}

/// Whether this host has the address that it advertises.
pub(super) fn address(shared: &Shared) -> Check {
    const NAME: &str = "address";
    let this = shared.desired().this;
    let device = KernelUnderlay::open()
        .map_err(|error| chain(&error))
        .and_then(|mut underlay| underlay.device_of(this).map_err(|error| chain(&error)));
    match device {
        Ok(Some(device)) => ok(NAME, format!("{this} is on interface {}", device.ifindex)),
        Ok(None) => fail(
            NAME,
            format!("{this} is on no interface of this namespace, so nothing can be sent from it"),
            "give it to an interface, or correct this node's data-path address",
        ),
        Err(error) => fail(NAME, error, "see the agent's log"),
    }
}

/// Whether every node can be reached.
pub(super) fn ways(shared: &Shared) -> Check {
    const NAME: &str = "ways";
    let summary = shared.summary();
    let desired = shared.desired();
    let lost: Vec<String> = desired
        .others()
        .filter(|node| !summary.ways.contains_key(&node.address))
        .map(|node| format!("{} ({})", node.name, node.address))
        .collect();
    if lost.is_empty() {
        ok(
            NAME,
            format!("there is a route to each of {} nodes", summary.ways.len()),
        )
    } else {
        warn(
            NAME,
            format!("no route to {}", some_of(&lost)),
            "see `ip route get ADDRESS`; a route is followed as soon as it is there",
        )
    }
}

/// Whether packets are encapsulated as wished.
pub(super) fn encapsulation(shared: &Shared) -> Check {
    const NAME: &str = "encapsulation";
    let summary = shared.summary();
    let without: Vec<String> = summary
        .ways
        .iter()
        .filter(|(_, way)| !way.is_ethernet)
        .map(|(address, _)| address.to_string())
        .collect();
    match shared.settings.encap {
        Encap::Device => ok(NAME, format!("by {TUNNEL_NAME}, as configured")),
        Encap::Native | Encap::Auto if without.is_empty() => ok(NAME, "by the programs"),
        Encap::Native | Encap::Auto => warn(
            NAME,
            format!(
                "by {TUNNEL_NAME} towards {}: the way there carries no Ethernet frames",
                some_of(&without)
            ),
            "nothing is lost but speed; use an Ethernet underlay for that",
        ),
    }
}

/// Whether the networks' packets fit the underlay.
pub(super) fn mtus(shared: &Shared) -> Vec<Check> {
    shared
        .desired()
        .networks
        .iter()
        .map(|network| mtu(shared, network))
        .collect()
}

fn mtu(shared: &Shared, network: &Network) -> Check {
    let name = format!("mtu of {}", network.name);
    let summary = shared.summary();
    let mtu = summary.mtus.get(&network.vni).copied().unwrap_or_default();
    let narrowest = summary
        .ways
        .iter()
        .map(|(address, way)| (way.mtu.saturating_sub(overhead(*address)), address))
        .min();
    if let Some((fits, address)) = narrowest
        && mtu > fits
    {
        return warn(
            &name,
            format!(
                "{mtu}, and only {fits} fit the way to {address}: larger packets are refused or fragmented"
            ),
            format!("set the network's mtu to {fits}, or raise the underlay's"),
        );
    }
    let has_ipv6 = network.subnets.iter().any(|subnet| subnet.addr().is_ipv6());
    if has_ipv6 && mtu < LEAST_IPV6_MTU {
        return warn(
            &name,
            format!("{mtu}, and IPv6 needs {LEAST_IPV6_MTU}"),
            "raise the underlay's MTU",
        );
    }
    ok(&name, format!("{mtu} bytes"))
}
