//! The testbed: hosts, networks and containers made of network namespaces on one kernel, with real agent
//! processes in them. Tests, `cargo xtask demo` and `cargo xtask bench` stand on it.
//!
//! Everything belongs to a [`Session`], which removes all of it when dropped, and removes at its start what a
//! killed run left behind. Not here: any knowledge of BPF maps or of the agent's internals; the testbed sees an
//! agent as an operator does, through its command line, its socket and its packets.

#![forbid(unsafe_code)]

pub mod api;
pub mod binaries;
pub mod cluster;
pub mod container;
pub mod counters;
pub mod host;
pub mod interrupt;
pub mod kernel_vxlan;
pub mod link;
pub mod namespace;
pub mod neighbours;
pub mod nginx;
pub mod process;
pub mod service;
pub mod session;
pub mod static_config;
pub mod swarm;
pub mod traffic;
pub mod underlay;

pub use binaries::Binaries;
pub use cluster::Pair;
pub use container::Container;
pub use counters::Counters;
pub use host::Host;
pub use kernel_vxlan::KernelHost;
pub use namespace::Namespace;
pub use nginx::Nginx;
pub use service::Service;
pub use session::Session;
pub use static_config::StaticConfig;
pub use swarm::Swarm;
pub use underlay::{Machine, Underlay, Wiring};
