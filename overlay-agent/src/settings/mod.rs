//! The agent's configuration: the YAML file as typed, then checked and ready for use.
//!
//! Only [`Settings::load`] touches the file system; nothing here looks at the kernel.

mod datapath;
mod dns;
mod duration;
mod encryption;
mod endpoint;
mod error;
mod load;
mod name;
mod network;
mod node;
mod outside;
mod problem;
mod services;
mod swarm;
#[cfg(test)]
mod tests;
mod typed;

use std::{path::PathBuf, time::Duration};

pub use dns::DnsSettings;
pub(crate) use duration::parse as parse_duration;
pub use encryption::{EncryptionSettings, Keys};
pub use error::SettingsError;
pub use name::check_name;
pub use outside::OutsideSettings;
pub use problem::Problem;
pub use swarm::SwarmSettings;

use crate::model::{Attach, Desired, Encap};

/// Where the configuration is when nobody names another file.
pub const DEFAULT_FILE: &str = "/etc/overlay/agent.yaml";

/// A configuration that was checked: whatever can be refused from the file alone has been.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// This node's name.
    pub node: String,
    /// Where nodes and networks come from.
    pub cluster: Cluster,
    /// How packets are encapsulated, as wished.
    pub encap: Encap,
    /// How programs are attached, as wished.
    pub attach: Attach,
    /// UDP port of VXLAN. In a swarm the managers' word counts instead.
    pub port: u16,
    /// How many entries each map has room for.
    pub limits: Limits,
    /// One of this many drops of a reason becomes an event; 0: none.
    pub event_sample: u32,
    /// How services are balanced.
    pub services: Services,
    /// Time between audits.
    pub audit_interval: Duration,
    /// How containers reach the outside.
    pub outside: OutsideSettings,
    /// How networks are encrypted on the underlay.
    pub encryption: EncryptionSettings,
    /// How containers get answers to their questions for names.
    pub dns: DnsSettings,
    /// What must survive a reboot; absolute.
    pub data_dir: PathBuf,
    /// Socket and pins; absolute.
    pub run_dir: PathBuf,
}

/// How services are balanced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Services {
    /// Once for each socket, where the kernel can.
    pub socket_lb: bool,
    /// Packet by packet, what sockets were not.
    pub packet_lb: bool,
    /// How long silent flows are kept.
    pub timeouts: Timeouts,
}

/// How long flows are kept in which nothing is sent, by protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// Open TCP connections.
    pub tcp: Duration,
    /// TCP connections that one side has ended, or that nobody has answered.
    pub tcp_closing: Duration,
    /// UDP and UDP-Lite.
    pub udp: Duration,
    /// SCTP and DCCP.
    pub sctp: Duration,
    /// Everything else: echoes, tunnels.
    pub other: Duration,
}

/// Where nodes and networks come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cluster {
    /// The file has them all.
    Static(Desired),
    /// Managers tell, once this node is part of a swarm.
    Swarm(SwarmSettings),
}

/// How many entries each map has room for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Addresses of this node's endpoints; an endpoint with two addresses takes two.
    pub endpoints: u32,
    /// Exact addresses of other nodes.
    pub routes: u32,
    /// Blocks of other nodes.
    pub blocks: u32,
    /// Other nodes.
    pub peers: u32,
    /// Networks.
    pub networks: u32,
    /// Virtual addresses of services.
    pub vips: u32,
    /// Published ports.
    pub ports: u32,
    /// Backends of services; one in two networks counts twice.
    pub backends: u32,
    /// Slots in the rings of all services; a ring has about a hundred for each backend.
    pub slots: u32,
    /// Flows that both sides have sent in; each takes two.
    pub flows: u32,
    /// Flows that nobody has answered yet.
    pub new_flows: u32,
}
