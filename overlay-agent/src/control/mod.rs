//! Decides what the kernel should hold and makes it so, through traits that datapath and netlink
//! implement. Knows no maps, no sockets and no files.
//!
//! [`planner`] is pure: facts in, tables out. [`Reconciler`] owns every writer and makes the tables,
//! hooks and devices agree with the plan; [`Survey`] finds what others changed.

#[cfg(test)]
pub(crate) mod conformance;
mod diff;
mod drift;
#[cfg(test)]
mod fake;
pub mod numbers;
mod order;
pub mod planner;
mod ports;
mod reconciler;
mod row;
mod tables;

pub use drift::{Action, DriftKind, Expected, Repair, Survey};
pub use order::changes;
pub use ports::{
    Datapath, Filter, Hook, HostEnd, Inspect, InterfaceWish, MadeInterface, Plumbing, PortError,
    PortErrorKind, Program, SocketCall, TrafficControl, Underlay, UnderlayDevice,
};
pub use reconciler::{Ports, Reconciler, Sockets};
pub use row::{Change, Key, Row, Table};
pub use tables::Tables;
