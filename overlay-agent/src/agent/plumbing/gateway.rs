//! The gateway: a veth pair between the programs and the host's own stack. The near end has addresses and the routes
//! to the transit pools; into the far end go packets from containers.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{
    rules::{self, Rules, RulesError},
    sysctl::{has_ipv6, set_ipv6},
};
use crate::{
    control::{Action, DriftKind, Gateway, PortError, PortErrorKind, Repair},
    model::{MacAddress, TransitPools, transit_address},
    netlink::{Error, Link, LinkFlags, Namespace, Route, Socket, VethPair},
};

/// The near end.
pub(in crate::agent) const NEAR: &str = "ovgw";
const FAR: &str = "ovgw-far";

/// The most that a veth has: what is too big for a container is fragmented or refused by the route's MTU.
const MTU: u32 = 65_535;

const NEAR_MAC: MacAddress = MacAddress([0x02, 0x42, 0x00, 0x00, 0x00, 0x02]);
const FAR_MAC: MacAddress = MacAddress([0x02, 0x42, 0x00, 0x00, 0x00, 0x03]);

/// Where the agent answers DNS; also the source of the host's own packets to containers.
pub(in crate::agent) const DNS_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 53, 53);
pub(in crate::agent) const DNS_V6: Ipv6Addr =
    Ipv6Addr::new(0xfd6f, 0x7665, 0x726c, 0x53, 0, 0, 0, 0x53);

/// Next hops of the pools' routes: one neighbour entry each, however many containers there are.
const HOP_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 53, 54);
const HOP_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x54);

/// What IPv6 asks of every link.
const LEAST_V6_MTU: u32 = 1280;

/// What the alias begins with; the run directory follows.
const ALIAS: &str = "overlay ";

/// Why there is no way out.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Another device has the name.
    #[error("interface {NEAR} is there and was not made by this agent; rename or delete it")]
    Foreign,
    /// A pool is somebody else's.
    #[error(
        "the transit pool {pool} overlaps the host's route to {route} by {device}; choose another under \
         outside.transit_pools"
    )]
    Overlap {
        /// The pool.
        pool: IpNet,
        /// The route's destination.
        route: IpNet,
        /// Its device.
        device: String,
    },
    /// The rules are not in place.
    #[error("could not write the rules of the way out")]
    Rules {
        /// Why.
        #[from]
        source: RulesError,
    },
    /// The kernel refused.
    #[error("could not set up the gateway {NEAR}")]
    Netlink {
        /// What netlink says.
        #[from]
        source: Error,
    },
}

impl From<GatewayError> for PortError {
    fn from(error: GatewayError) -> Self {
        Self::new("make", "the way out", PortErrorKind::Other, error)
    }
}

/// What the gateway should be.
#[derive(Clone, Debug)]
pub(super) struct WayOut {
    /// The pools; none if there is to be no way out.
    pub(super) pools: Option<TransitPools>,
    /// UDP port of VXLAN.
    pub(super) port: u16,
    /// Whose it is.
    pub(super) run_dir: PathBuf,
    /// What is known of the rules.
    pub(super) rules: Rules,
}

impl WayOut {
    /// Makes the gateway and its rules, or repairs what differs. Rules come first: no packet leaves without them.
    pub(super) fn ensure(
        &mut self,
        socket: &mut Socket,
        mtu: u32,
    ) -> Result<(Option<Gateway>, Vec<Repair>), GatewayError> {
        let Some(mut pools) = self.pools else {
            let gone = self.remove(socket)?;
            let removed = gone.into_iter().map(|object| Repair {
                kind: DriftKind::Gateway,
                object,
                action: Action::Removed,
            });
            return Ok((None, removed.collect()));
        };
        if !has_ipv6() {
            pools.ipv6 = None;
        }
        let present = self.find(socket)?;
        if present.is_none() {
            refuse_overlap(pools)?;
        }
        let mut repairs = Vec::new();
        repairs.extend(self.rules.ensure(pools, self.port)?.map(|action| Repair {
            kind: DriftKind::Rules,
            object: "table overlay".to_owned(),
            action,
        }));
        let was_made = present.is_none();
        let link = match present {
            Some(link) => link,
            None => create(socket)?,
        };
        let configured = self.configure(socket, &link, pools, mtu);
        let (far, was_changed) = match configured {
            Ok(configured) => configured,
            Err(error) => {
                if was_made && let Err(leftover) = socket.delete_link(link.ifindex) {
                    let leftover: &dyn std::error::Error = &leftover;
                    tracing::warn!(leftover, "a half-made {NEAR} is left");
                }
                return Err(error.into());
            }
        };
        let action = match (was_made, was_changed) {
            (true, _) => Some(Action::Added),
            (false, true) => Some(Action::Changed),
            (false, false) => None,
        };
        repairs.extend(action.map(|action| Repair {
            kind: DriftKind::Gateway,
            object: format!("interface {NEAR}"),
            action,
        }));
        let gateway = Gateway {
            near: link.ifindex,
            far,
            mac: NEAR_MAC,
        };
        Ok((Some(gateway), repairs))
    }

    /// Removes all of it; returns the names of what there was.
    pub(super) fn remove(&self, socket: &mut Socket) -> Result<Vec<String>, GatewayError> {
        let mut gone = Vec::new();
        match self.find(socket) {
            Ok(Some(link)) => {
                delete(socket, link.ifindex)?;
                gone.push(format!("interface {NEAR}"));
            }
            Ok(None) => {}
            // Neither are the rules then.
            Err(GatewayError::Foreign) => return Ok(gone),
            Err(error) => return Err(error),
        }
        gone.extend(rules::remove()?);
        Ok(gone)
    }

    /// The near end, if it is ours or half made.
    fn find(&self, socket: &mut Socket) -> Result<Option<Link>, GatewayError> {
        let Some(link) = socket.find_link(NEAR)? else {
            return Ok(None);
        };
        let owner = link
            .alias
            .as_deref()
            .and_then(|alias| alias.strip_prefix(ALIAS));
        let is_ours = owner.is_none_or(|owner| Path::new(owner) == self.run_dir);
        let is_pair = link.kind.as_deref() == Some("veth") && link.mac == Some(NEAR_MAC);
        if is_ours && is_pair {
            Ok(Some(link))
        } else {
            Err(GatewayError::Foreign)
        }
    }

    /// Returns the far end, and whether anything was different.
    fn configure(
        &self,
        socket: &mut Socket,
        near: &Link,
        pools: TransitPools,
        mtu: u32,
    ) -> Result<(u32, bool), Error> {
        let far = match near.peer_ifindex {
            Some(ifindex) => socket.link_by_index(ifindex)?,
            None => socket.link_by_name(FAR)?,
        };
        let mut was_changed = false;
        let alias = format!("{ALIAS}{}", self.run_dir.display());
        if near.alias.as_ref() != Some(&alias) {
            socket.set_alias(near.ifindex, &alias)?;
            was_changed = true;
        }
        for link in [near, &far] {
            was_changed |= configure_end(socket, link, near.ifindex)?;
        }
        for (address, length) in addresses(pools) {
            was_changed |= ensure_address(socket, near.ifindex, address, length)?;
        }
        for pool in pools.iter() {
            was_changed |= ensure_route(socket, near.ifindex, pool, mtu)?;
        }
        Ok((far.ifindex, was_changed))
    }
}

fn create(socket: &mut Socket) -> Result<Link, GatewayError> {
    let here = Namespace::current()?;
    let pair = VethPair {
        name: NEAR,
        mac: Some(NEAR_MAC),
        peer_name: FAR,
        peer_mac: Some(FAR_MAC),
        peer_namespace: &here,
        mtu: MTU,
    };
    Ok(socket.create_veth(&pair)?)
}

fn configure_end(socket: &mut Socket, link: &Link, near: u32) -> Result<bool, Error> {
    let mut was_changed = false;
    if link.mtu != MTU {
        socket.set_mtu(link.ifindex, MTU)?;
        was_changed = true;
    }
    // Every packet goes to the other end, so there is nobody to ask for an Ethernet address.
    if !link.flags.contains(LinkFlags::Noarp) {
        socket.set_without_arp(link.ifindex)?;
        was_changed = true;
    }
    if !link.is_up() {
        let settings: &[(&str, &str)] = if link.ifindex == near {
            &[
                ("disable_ipv6", "0"),
                ("accept_ra", "0"),
                ("accept_dad", "0"),
                ("router_solicitations", "0"),
            ]
        } else {
            &[("disable_ipv6", "1")]
        };
        for (key, value) in settings {
            set_ipv6(&link.name, key, value)?;
        }
        socket.set_up(link.ifindex)?;
        was_changed = true;
    }
    Ok(was_changed)
}

fn addresses(pools: TransitPools) -> impl Iterator<Item = (IpAddr, u8)> {
    let v4 = pools.ipv4.map(|_| (DNS_V4.into(), 32));
    let v6 = pools.ipv6.map(|_| (DNS_V6.into(), 128));
    v4.into_iter().chain(v6)
}

fn ensure_address(
    socket: &mut Socket,
    ifindex: u32,
    address: IpAddr,
    length: u8,
) -> Result<bool, Error> {
    let present = socket.addresses(ifindex)?;
    if present.iter().any(|entry| entry.address == address) {
        return Ok(false);
    }
    match socket.add_address(ifindex, address, length) {
        Err(error) if !error.is_exists() => Err(error),
        Ok(()) | Err(_) => Ok(true),
    }
}

fn ensure_route(socket: &mut Socket, ifindex: u32, pool: IpNet, mtu: u32) -> Result<bool, Error> {
    let (hop, source, mtu): (IpAddr, IpAddr, u32) = match pool {
        IpNet::V4(_) => (HOP_V4.into(), DNS_V4.into(), mtu),
        IpNet::V6(_) => (HOP_V6.into(), DNS_V6.into(), mtu.max(LEAST_V6_MTU)),
    };
    let probe = transit_address(pool, 1).unwrap_or(pool.network());
    let is_right = socket.lookup(probe, None).is_ok_and(|found| {
        found.ifindex == ifindex && found.gateway == Some(hop) && found.mtu == Some(mtu)
    });
    if is_right {
        return Ok(false);
    }
    let route = Route {
        is_gateway_on_link: true,
        preferred_source: Some(source),
        mtu: Some(mtu),
        ..Route::via(pool.network(), pool.prefix_len(), ifindex, hop)
    };
    socket.replace_route(&route)?;
    Ok(true)
}

fn delete(socket: &mut Socket, ifindex: u32) -> Result<(), Error> {
    match socket.delete_link(ifindex) {
        Err(error) if error.is_not_found() => Ok(()),
        result => result,
    }
}

fn refuse_overlap(pools: TransitPools) -> Result<(), GatewayError> {
    match overlap(pools) {
        Some((pool, route, device)) => Err(GatewayError::Overlap {
            pool,
            route,
            device,
        }),
        None => Ok(()),
    }
}

/// A route of the host to addresses of a pool, that of the gateway and default routes aside.
pub(in crate::agent) fn overlap(pools: TransitPools) -> Option<(IpNet, IpNet, String)> {
    let routes = host_routes("route", route_v4).chain(host_routes("ipv6_route", route_v6));
    let foreign = routes.filter(|(net, device)| net.prefix_len() > 0 && device != NEAR);
    let mut overlapping = foreign.filter_map(|(net, device)| {
        let mut pools = pools.iter();
        let pool = pools.find(|pool| pool.contains(&net) || net.contains(pool))?;
        Some((pool, net, device))
    });
    overlapping.next()
}

fn host_routes(
    file: &str,
    parse: fn(&str) -> Option<(IpNet, String)>,
) -> impl Iterator<Item = (IpNet, String)> {
    let text = fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap_or_default();
    let routes: Vec<_> = text.lines().filter_map(parse).collect();
    routes.into_iter()
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask …`, numbers as they stand in memory.
fn route_v4(line: &str) -> Option<(IpNet, String)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let number = |index: usize| u32::from_str_radix(fields.get(index)?, 16).ok();
    let destination = Ipv4Addr::from(number(1)?.to_ne_bytes());
    let mask = Ipv4Addr::from(number(7)?.to_ne_bytes());
    let net = Ipv4Net::with_netmask(destination, mask).ok()?;
    Some((net.into(), (*fields.first()?).to_owned()))
}

/// `destination length source length next-hop metric references use flags device`.
fn route_v6(line: &str) -> Option<(IpNet, String)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let destination = u128::from_str_radix(fields.first()?, 16).ok()?;
    let length = u8::from_str_radix(fields.get(1)?, 16).ok()?;
    let net = Ipv6Net::new(destination.into(), length).ok()?;
    Some((net.into(), (*fields.last()?).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lists_of_routes_are_read() {
        let v4 = "eth0\t00007F64\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0";
        let v6 = "fd6f7665726c00000000000000000000 40 00000000000000000000000000000000 00 \
                  00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0";

        assert_eq!(
            route_v4(v4),
            Some(("100.127.0.0/16".parse().unwrap(), "eth0".to_owned()))
        );
        assert_eq!(
            route_v6(v6),
            Some(("fd6f:7665:726c::/64".parse().unwrap(), "eth0".to_owned()))
        );
        assert_eq!(route_v4("Iface\tDestination\tGateway"), None);
    }
}
