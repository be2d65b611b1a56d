//! Plain values that the rest of the agent passes around, one noun per file. No I/O, no decisions.

mod cluster;
mod desired;
mod endpoint;
mod identity;
mod key_ring;
mod mac;
mod member;
mod name;
mod network;
mod node;
mod service;
pub mod subnet;
mod tables;
mod underlay;

pub use cluster::{Claim, ClusterNetwork, ClusterView, Lease, Observed, Roots};
pub use desired::{Desired, Exact};
pub use endpoint::{Attachment, NamespaceId};
pub use identity::{ClusterId, IdError, NetworkId, NodeId, RequestId, ServiceId};
pub use key_ring::{KeyRing, RingKey};
pub use mac::{MacAddress, ParseMacError};
pub use member::{Availability, Member, Role};
pub use name::is_name;
pub use network::{Network, Vni, VniError};
pub use node::{Attach, Encap, Node, RemoteEndpoint};
pub use service::{
    ClusterService, EndpointMode, HealthCheck, HealthProbe, Protocol, PublishMode, PublishedPort,
    TaskClaim, TaskState,
};
pub use tables::{
    EndpointEntry, InterfaceEntry, LocalTables, NAMESPACE_NETWORKS, NamespaceEntry, NetworkEntry,
    PeerEntry, PeerId, Place, RemoteTables, RouteEntry,
};
pub use underlay::Way;
