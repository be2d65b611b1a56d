//! Services: a name and virtual addresses for a set of tasks, and the ports at which every node answers
//! for them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};

use serde::{Deserialize, Serialize};

use super::{ServiceId, Vni};

/// A service as all nodes know it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ClusterService {
    /// Its identifier.
    pub id: ServiceId,
    /// Its name, unique in the cluster.
    pub name: String,
    /// Its networks, each with the VIPs there, IPv4 first; none with [`EndpointMode::Dnsrr`].
    pub networks: BTreeMap<Vni, Vec<IpAddr>>,
    /// What its name stands for.
    pub mode: EndpointMode,
    /// Ports at which nodes answer for it.
    pub ports: BTreeSet<PublishedPort>,
    /// Whether the nodes of its tasks answer clients from outside themselves (`--opt dsr`).
    pub direct_return: bool,
    /// Seconds that flows to a task go on after its end was announced.
    pub drain_s: u32,
    /// How a task's health is found out, besides that it is there.
    pub health: Option<HealthCheck>,
    /// Labels by name.
    pub labels: BTreeMap<String, String>,
    /// Driver options by name, as typed.
    pub options: BTreeMap<String, String>,
    /// When it was made, seconds since 1970.
    pub created: u64,
    /// When it was changed last, seconds since 1970.
    pub updated: u64,
    /// How often it was changed, for `service inspect`.
    pub version: u64,
}

/// What a service's name stands for.
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum EndpointMode {
    /// One virtual address in each network, balanced in the data plane.
    #[default]
    Vip,
    /// The addresses of the tasks, in turn.
    Dnsrr,
}

/// A transport protocol that can be published.
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// IP protocol 6.
    #[default]
    Tcp,
    /// IP protocol 17.
    Udp,
    /// IP protocol 132.
    Sctp,
}

impl Protocol {
    /// IANA's protocol number.
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

impl fmt::Display for EndpointMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Vip => "vip",
            Self::Dnsrr => "dnsrr",
        })
    }
}

/// Which nodes answer at a published port.
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum PublishMode {
    /// Every node, for tasks on all nodes.
    #[default]
    Ingress,
    /// A node for its own tasks.
    Host,
}

/// A port at which nodes answer for a service or for one endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub struct PublishedPort {
    /// The protocol.
    pub protocol: Protocol,
    /// The port of the nodes, never 0.
    pub published: u16,
    /// The port of the tasks, never 0.
    pub target: u16,
    /// Which nodes answer.
    pub mode: PublishMode,
    /// The only address of a node at which it answers; `None`: all of them.
    pub address: Option<IpAddr>,
}

impl PublishedPort {
    /// Whether a node could not answer at both: the same port, and an address that they share.
    pub fn meets(&self, other: &Self) -> bool {
        let shares_address = match (self.address, other.address) {
            (Some(one), Some(another)) => one == another,
            (None, _) | (_, None) => true,
        };
        self.protocol == other.protocol && self.published == other.published && shares_address
    }
}

/// How a node finds out whether a task of its own can take new flows.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// What is tried.
    pub probe: HealthProbe,
    /// Milliseconds from one try to the next.
    pub interval_ms: u32,
    /// Milliseconds until a try has failed.
    pub timeout_ms: u32,
    /// Failures in a row after which a task gets no new flows.
    pub retries: u32,
}

/// What a health check tries.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum HealthProbe {
    /// A connection is accepted at this port.
    Tcp {
        /// The task's port.
        port: u16,
    },
    /// A GET of this path at this port is answered with a status from 200 to 399.
    Http {
        /// The task's port.
        port: u16,
        /// The path, beginning with `/`.
        path: String,
    },
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Unhealthy => "unhealthy",
            Self::Draining => "draining",
        })
    }
}

/// An endpoint's part in a service, as its node tells the others.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
pub struct TaskClaim {
    /// The service.
    pub service: ServiceId,
    /// Whether it takes flows.
    pub state: TaskState,
}

/// Whether a task takes flows.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// Not known to be healthy yet: no flows.
    Starting,
    /// New flows and old ones.
    Running,
    /// Old flows only: its health check fails.
    Unhealthy,
    /// Old flows only: it is about to end.
    Draining,
}
