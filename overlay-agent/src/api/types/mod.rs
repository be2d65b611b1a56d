//! What travels between commands and the agent, one noun per file. Field names are the JSON keys.

mod address;
mod audit;
mod check;
mod cluster;
mod encryption;
mod endpoint;
mod event;
mod explanation;
mod names;
mod network;
mod network_create;
mod node;
mod service;
mod stats;
mod status;
mod swarm;
mod token;

pub(crate) use address::parse_port;
pub use address::{AddressError, HostAddress, HostPort};
pub use audit::{AuditReport, Repair};
pub use check::{Check, CheckVerdict};
pub use cluster::{ClusterStatus, GossipStatus, ManagerInfo};
pub use encryption::EncryptionStatus;
pub use endpoint::{AttachRequest, EndpointInfo, EndpointState};
pub use event::Event;
pub use explanation::{Explanation, Step, StepVerdict};
pub use names::{NameServer, NamesCount, NamesStatus};
pub use network::{
    Breadth, DRIVER, NetworkContainer, NetworkInfo, NetworkPeer, NetworkScope, NetworkService,
    NetworkTask,
};
pub use network_create::{NetworkConnect, NetworkCreate, NetworkCreated};
pub use node::{
    ManagerStatus, NodeDescription, NodeEndpoint, NodeInfo, NodeRemove, NodeSpec, NodeState,
    NodeStatus, NodeUpdate, NodeUpdated, Reachability,
};
pub use service::{
    EndpointSpec, ServiceCreate, ServiceCreated, ServiceEndpoint, ServiceInfo, ServiceNetwork,
    ServicePort, ServiceSpec, ServiceStatus, ServiceTask, ServiceUpdate, ServiceVersion,
    TaskAttach, VirtualIp,
};
pub use stats::{ControlCount, DropCount, Stats, WalkCount};
pub use status::{AttachKind, AuditSummary, Balancing, MapUse, MissingFeature, Mode, Status};
pub use swarm::{
    Addresses, GossipKeys, JoinWay, RootCa, SwarmInit, SwarmInitialized, SwarmJoin, SwarmJoined,
    SwarmLeave, SwarmUpdate,
};
pub use token::JoinToken;
