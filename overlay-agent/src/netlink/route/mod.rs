//! Routes, and the kernel's decision for one destination.

#[cfg(test)]
mod tests;

use std::{
    io,
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};

use netlink_packet_core::{DecodeError, parse_u32};
use netlink_packet_route::{
    RouteNetlinkMessage,
    route::{
        RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteMetric,
        RouteProtocol, RouteScope, RouteType, RouteVia,
    },
};
use nix::libc;

use super::{
    Error, Socket,
    error::Failure,
    message::{attributes, family, host_prefix, ip},
    socket::{CREATE, REPLACE},
};

const HEADER_LENGTH: usize = 12;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTA_VIA: u16 = 18;
const RTAX_MTU: u16 = 2;
const VIA_FAMILY_LENGTH: usize = 2;

const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// A route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Route {
    /// First address of the destination.
    pub destination: IpAddr,
    /// Length of the destination's prefix, bits; 0 makes a default route.
    pub prefix_length: u8,
    /// Interface the packets leave by.
    pub ifindex: u32,
    /// Next hop; without one the destination is on the link itself. An IPv4 route may have an
    /// IPv6 gateway.
    pub gateway: Option<IpAddr>,
    /// Whether the gateway is on the link even if no address of the interface says so.
    pub is_gateway_on_link: bool,
    /// Source address for packets that have none yet.
    pub preferred_source: Option<IpAddr>,
    /// Largest packet to the destination, bytes, if smaller than the interface's.
    pub mtu: Option<u32>,
    /// Of several routes to one destination the one with the lowest counts; `None`: the kernel's usual.
    pub metric: Option<u32>,
    /// The table; `None`: the main one.
    pub table: Option<u32>,
}

/// How the kernel would send a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Resolved {
    /// Interface it would leave by; the loopback interface for an own address.
    pub ifindex: u32,
    /// Next hop, unless the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// Source address it would get.
    pub preferred_source: Option<IpAddr>,
    /// Largest packet by the route or by path-MTU discovery, bytes, if either knows one.
    pub mtu: Option<u32>,
    /// Whether the destination is an address of this namespace itself.
    pub is_local: bool,
}

impl Route {
    /// A route to a prefix that is on the link.
    pub fn on_link(destination: IpAddr, prefix_length: u8, ifindex: u32) -> Self {
        Self {
            destination,
            prefix_length,
            ifindex,
            gateway: None,
            is_gateway_on_link: false,
            preferred_source: None,
            mtu: None,
            metric: None,
            table: None,
        }
    }

    /// A route by way of a gateway.
    pub fn via(destination: IpAddr, prefix_length: u8, ifindex: u32, gateway: IpAddr) -> Self {
        Self {
            gateway: Some(gateway),
            ..Self::on_link(destination, prefix_length, ifindex)
        }
    }

    fn message(&self) -> RouteMessage {
        let mut message = RouteMessage::default();
        message.header.address_family = family(self.destination);
        message.header.destination_prefix_length = self.prefix_length;
        message.header.table = match self.table {
            // It may be too large for a byte.
            Some(_) => RouteHeader::RT_TABLE_UNSPEC,
            None => RouteHeader::RT_TABLE_MAIN,
        };
        message.header.protocol = RouteProtocol::Static;
        message.header.kind = RouteType::Unicast;
        message.header.scope = match self.gateway {
            Some(_) => RouteScope::Universe,
            None => RouteScope::Link,
        };
        if self.is_gateway_on_link {
            message.header.flags = RouteFlags::Onlink;
        }
        message.attributes = vec![
            RouteAttribute::Destination(self.destination.into()),
            RouteAttribute::Oif(self.ifindex),
        ];
        message
            .attributes
            .extend(self.gateway.map(|gateway| self.next_hop(gateway)));
        let source = self.preferred_source.map(RouteAddress::from);
        message
            .attributes
            .extend(source.map(RouteAttribute::PrefSource));
        let metrics = self.mtu.map(|mtu| vec![RouteMetric::Mtu(mtu)]);
        message
            .attributes
            .extend(metrics.map(RouteAttribute::Metrics));
        let metric = self.metric.map(RouteAttribute::Priority);
        let table = self.table.map(RouteAttribute::Table);
        message.attributes.extend(metric.into_iter().chain(table));
        message
    }

    fn next_hop(&self, gateway: IpAddr) -> RouteAttribute {
        if gateway.is_ipv4() == self.destination.is_ipv4() {
            RouteAttribute::Gateway(gateway.into())
        } else {
            RouteAttribute::Via(RouteVia::from(gateway))
        }
    }
}

impl Socket {
    /// Adds a route.
    pub fn add_route(&mut self, route: &Route) -> Result<(), Error> {
        self.change(RouteNetlinkMessage::NewRoute(route.message()), CREATE)
            .map_err(|failure| failure.during("add", self.describe_route(route)))
    }

    /// Adds a route, or puts it in the place of the one to the same destination.
    pub fn replace_route(&mut self, route: &Route) -> Result<(), Error> {
        self.change(RouteNetlinkMessage::NewRoute(route.message()), REPLACE)
            .map_err(|failure| failure.during("set", self.describe_route(route)))
    }

    /// Deletes a route.
    pub fn delete_route(&mut self, route: &Route) -> Result<(), Error> {
        self.change(RouteNetlinkMessage::DelRoute(route.message()), 0)
            .map_err(|failure| failure.during("delete", self.describe_route(route)))
    }

    /// Asks which way a packet to `destination` would go, from `source` if that is given. Fails
    /// with `ENETUNREACH`, or with `EACCES`, `EHOSTUNREACH` or `EINVAL` if a rule or route forbids it.
    pub fn lookup(
        &mut self,
        destination: IpAddr,
        source: Option<IpAddr>,
    ) -> Result<Resolved, Error> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(destination);
        message.header.destination_prefix_length = host_prefix(destination);
        message.attributes = vec![RouteAttribute::Destination(destination.into())];
        if let Some(source) = source {
            message.header.source_prefix_length = host_prefix(source);
            message
                .attributes
                .push(RouteAttribute::Source(source.into()));
        }
        self.get(RouteNetlinkMessage::GetRoute(message), decode)
            .and_then(|resolved| resolved.ok_or_else(unreachable))
            .map_err(|failure| failure.during("find a route to", destination.to_string()))
    }

    /// Waits until packets to this own address are delivered. For an IPv6 address that takes a moment
    /// after [`add_address`](Socket::add_address) or, on an interface that was off, after
    /// [`set_up`](Socket::set_up): the kernel leaves the route to it to a background task.
    pub fn wait_until_local(&mut self, address: IpAddr, patience: Duration) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            if self
                .lookup(address, None)
                .is_ok_and(|resolved| resolved.is_local)
            {
                return Ok(());
            }
            if start.elapsed() >= patience {
                let timeout = Failure::from(io::Error::from(io::ErrorKind::TimedOut));
                return Err(timeout.during("wait for", format!("own address {address}")));
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    fn describe_route(&mut self, route: &Route) -> String {
        let Route {
            destination,
            prefix_length,
            ..
        } = route;
        let interface = self.describe(route.ifindex);
        let via = route
            .gateway
            .map(|gateway| format!(" via {gateway}"))
            .unwrap_or_default();
        format!("the route to {destination}/{prefix_length}{via} on {interface}")
    }
}

/// Nothing stands for a route that says not to send.
fn decode(payload: &[u8]) -> Result<Option<Resolved>, DecodeError> {
    let header = RouteHeader::parse(payload)?;
    let is_local = header.kind == RouteType::Local;
    let mut ifindex = None;
    let mut resolved = Resolved {
        ifindex: 0,
        gateway: None,
        preferred_source: None,
        mtu: None,
        is_local,
    };
    for attribute in attributes(payload, HEADER_LENGTH) {
        let (kind, value) = attribute?;
        match kind {
            RTA_OIF => ifindex = Some(parse_u32(value)?),
            RTA_GATEWAY => resolved.gateway = Some(ip(value)?),
            RTA_VIA => {
                let address = value.get(VIA_FAMILY_LENGTH..).unwrap_or_default();
                resolved.gateway = Some(ip(address)?);
            }
            RTA_PREFSRC => resolved.preferred_source = Some(ip(value)?),
            RTA_METRICS => resolved.mtu = decode_mtu(value)?,
            _ => {}
        }
    }
    let leads_somewhere = is_local
        || [
            RouteType::Unicast,
            RouteType::Broadcast,
            RouteType::Anycast,
            RouteType::Multicast,
        ]
        .contains(&header.kind);
    let ifindex = ifindex.filter(|_| leads_somewhere);
    Ok(ifindex.map(|ifindex| Resolved {
        ifindex,
        ..resolved
    }))
}

fn decode_mtu(metrics: &[u8]) -> Result<Option<u32>, DecodeError> {
    for metric in attributes(metrics, 0) {
        let (kind, value) = metric?;
        if kind == RTAX_MTU {
            return parse_u32(value).map(Some);
        }
    }
    Ok(None)
}

fn unreachable() -> Failure {
    io::Error::from_raw_os_error(libc::ENETUNREACH).into()
}
