//! The kernel's network configuration: links, addresses, routes, neighbours, traffic control,
//! namespaces and sysctls.
//!
//! Everything but [`Watcher`] is synchronous and meant for blocking threads: a request is answered
//! within the system call that makes it. A [`Socket`] belongs to the namespace it was opened in, for
//! its whole life and from whatever thread it is used, so one socket per namespace is enough:
//!
//! ```no_run
//! # use overlay_agent::netlink::{Error, Namespace, Socket};
//! # fn example() -> Result<(), Error> {
//! let container = Namespace::open("/run/netns/container")?;
//! let mut inside = Socket::open_in(&container)?;
//! let eth0 = inside.link_by_name("eth0")?;
//! inside.add_address(eth0.ifindex, "10.1.0.5".parse().expect("an address"), 24)?;
//! inside.set_up(eth0.ifindex)
//! # }
//! ```
//!
//! What should be there is decided elsewhere; so is loading and attaching programs.

mod address;
mod error;
mod link;
mod message;
mod name;
mod neighbour;
mod netns;
mod route;
mod rule;
mod sock_diag;
mod socket;
pub mod sysctl;
#[cfg(test)]
mod testing;
mod traffic_control;
mod veth;
mod vxlan;
mod watch;

pub use self::{
    address::InterfaceAddress,
    error::Error,
    link::{Link, LinkFlags, LinkStatistics, OperationalState},
    name::check_name,
    neighbour::{Neighbour, NeighbourState},
    netns::Namespace,
    route::{Resolved, Route},
    sock_diag::{Conversation, SocketDiagnosis, Transport},
    socket::Socket,
    traffic_control::{BpfFilter, Direction},
    veth::VethPair,
    vxlan::{VxlanDevice, VxlanSettings},
    watch::{Change, Watcher},
};
