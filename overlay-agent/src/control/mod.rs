//! Decides what the kernel should hold and makes it so, through traits that datapath and netlink
//! implement. Knows no maps, no sockets and no files.
//!
//! [`planner`] is pure: facts in, tables out. [`Reconciler`] owns every writer and makes the tables,
//! hooks and devices agree with the plan; [`Survey`] finds what others changed.

mod balancer;
#[cfg(test)]
pub(crate) mod conformance;
mod diff;
mod drift;
#[cfg(test)]
mod fake;
mod maglev;
pub mod numbers;
mod order;
pub mod planner;
mod ports;
mod reconciler;
mod rings;
mod row;
mod tables;

pub use balancer::Balancer;
pub use drift::{Action, DriftKind, Expected, Repair, Survey};
pub use order::changes;
pub use ports::{
    Datapath, Direction, Filter, Gateway, Hook, HostEnd, Inspect, InterfaceWish, MadeInterface,
    Plumbing, PortError, PortErrorKind, Program, SocketCall, TrafficControl, Underlay,
    UnderlayDevice,
};
pub use reconciler::{BackendEnd, Ended, Ports, Reconciler, Sockets};
pub use row::{Change, Key, Row, Table};
pub use tables::Tables;
