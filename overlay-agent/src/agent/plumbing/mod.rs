//! Devices that the agent makes: interface pairs and the vxlan device.

mod gateway;
mod pair;
mod port;
mod reserve;
mod rules;
mod sysctl;
#[cfg(test)]
mod tests;
mod tunnel;
mod ways;

use std::path::Path;

pub use gateway::GatewayError;
use gateway::WayOut;
pub(super) use gateway::{DNS_V4, DNS_V6, NEAR as GATEWAY_NAME, overlap};
pub use port::PortHolder;
pub use reserve::ReserveError;
use reserve::Reserved;
pub use rules::RulesError;
pub(super) use rules::drops_output;
use tunnel::Tunnel;
pub use tunnel::TunnelError;
pub(super) use tunnel::{NAME as TUNNEL_NAME, holder_of};

use crate::{
    control::{
        Action, Gateway, HostEnd, InterfaceWish, MadeInterface, Plumbing, PortError, PortErrorKind,
        Repair,
    },
    model::{PortKey, TransitPools},
    netlink::{self, Link, Socket},
};

/// How names of host ends begin; what follows are twelve digits of the endpoint's identifier.
const HOST_PREFIX: &str = "ov";
const HOST_DIGITS: usize = 12;

/// Makes devices over netlink.
#[derive(Debug)]
pub(super) struct KernelPlumbing {
    socket: Socket,
    tunnel: Tunnel,
    reserved: Reserved,
    way_out: WayOut,
}

impl KernelPlumbing {
    /// Works in the calling thread's network namespace, for the agent with this run directory.
    pub(super) fn open(port: u16, run_dir: &Path) -> Result<Self, netlink::Error> {
        let tunnel = Tunnel {
            port,
            run_dir: run_dir.to_owned(),
            ifindex: None,
        };
        let way_out = WayOut {
            pools: None,
            port,
            run_dir: run_dir.to_owned(),
            rules: rules::Rules::default(),
        };
        Ok(Self {
            socket: Socket::open()?,
            tunnel,
            reserved: Reserved::default(),
            way_out,
        })
    }

    /// Lets containers out, with addresses of these pools.
    pub(super) fn let_out(&mut self, pools: TransitPools) {
        self.way_out.pools = Some(pools);
    }

    /// Removes the way out; returns the names of what there was.
    pub(super) fn remove_gateway(&mut self) -> Result<Vec<String>, GatewayError> {
        self.way_out.remove(&mut self.socket)
    }

    /// Makes sure that the vxlan device is there and up; returns its index and what had to be done.
    pub(super) fn tunnel(&mut self) -> Result<(u32, Option<Action>), TunnelError> {
        self.tunnel.ensure(&mut self.socket)
    }

    /// Whether the vxlan device is there. Fails if the namespace belongs to another agent.
    pub(super) fn has_tunnel(&mut self) -> Result<bool, TunnelError> {
        Ok(self.tunnel.find(&mut self.socket)?.is_some())
    }

    /// Removes the vxlan device; returns whether there was one.
    pub(super) fn remove_tunnel(&mut self) -> Result<bool, TunnelError> {
        self.tunnel.remove(&mut self.socket)
    }
}

impl Plumbing for KernelPlumbing {
    fn make(&mut self, wish: &InterfaceWish) -> Result<MadeInterface, PortError> {
        pair::make(&mut self.socket, wish)
            .map_err(|error| failed("make interface", &wish.host_interface, error))
    }

    fn remove(&mut self, host_interface: &str, host_ifindex: u32) -> Result<(), PortError> {
        pair::remove(&mut self.socket, host_interface, host_ifindex)
            .map_err(|error| failed("remove interface", host_interface, error))
    }

    fn host_end(&mut self, ifindex: u32) -> Result<Option<HostEnd>, PortError> {
        match self.socket.link_by_index(ifindex) {
            Ok(link) => Ok(Some(link).filter(is_host_end).map(host_end)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(failed("find", &format!("interface {ifindex}"), error)),
        }
    }

    fn host_ends(&mut self) -> Result<Vec<HostEnd>, PortError> {
        let links = self.socket.links();
        let links = links.map_err(|error| failed("list", "the interfaces", error))?;
        let ours = links.into_iter().filter(is_host_end);
        Ok(ours.map(host_end).collect())
    }

    fn raise(&mut self, end: &HostEnd) -> Result<(), PortError> {
        self.socket
            .set_up(end.ifindex)
            .map_err(|error| failed("switch on", &end.name, error))
    }

    fn hold_port(&mut self, key: &PortKey) -> Result<(), PortError> {
        self.reserved.hold(key).map_err(|error| {
            let kind = match &error {
                ReserveError::Taken { .. } | ReserveError::NoAddress { .. } => PortErrorKind::Taken,
                ReserveError::Refused { .. } => PortErrorKind::Other,
            };
            PortError::new("publish", key, kind, error)
        })
    }

    fn release_port(&mut self, key: &PortKey) {
        self.reserved.release(key);
    }

    fn ensure_tunnel(&mut self) -> Result<(u32, Option<Action>), PortError> {
        let outcome = self.tunnel();
        outcome.map_err(|error| PortError::new("restore", TUNNEL_NAME, PortErrorKind::Other, error))
    }

    fn ensure_gateway(&mut self, mtu: u32) -> Result<(Option<Gateway>, Vec<Repair>), PortError> {
        Ok(self.way_out.ensure(&mut self.socket, mtu)?)
    }
}

/// The host end's name for an endpoint with this identifier.
pub(super) fn host_interface(id: &str) -> String {
    let digits = id.get(..HOST_DIGITS).unwrap_or(id);
    format!("{HOST_PREFIX}{digits}")
}

/// Whether a link is a host end of an agent.
pub(super) fn is_host_end(link: &Link) -> bool {
    let digits = link.name.strip_prefix(HOST_PREFIX).unwrap_or_default();
    link.kind.as_deref() == Some("veth")
        && digits.len() == HOST_DIGITS
        && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

fn host_end(link: Link) -> HostEnd {
    HostEnd {
        ifindex: link.ifindex,
        is_up: link.is_up(),
        name: link.name,
    }
}

fn failed(operation: &'static str, object: &str, error: netlink::Error) -> PortError {
    let kind = if error.is_not_found() {
        PortErrorKind::Gone
    } else {
        PortErrorKind::Other
    };
    PortError::new(operation, object, kind, error)
}
