//! Plain values that the rest of the agent passes around, one noun per file. No I/O, no decisions.

mod backend;
mod balanced;
pub(crate) mod base36;
mod causes;
mod cluster;
mod desired;
mod endpoint;
#[cfg(test)]
pub(crate) mod fuzz;
mod identity;
mod key_ring;
mod mac;
mod mark;
mod member;
mod name;
mod network;
mod node;
mod port_wish;
mod published;
mod service;
pub mod subnet;
mod tables;
mod transit;
mod underlay;

pub use backend::{BackendEntry, BackendId, SLOTS, Slots, VipEntry};
pub use balanced::{Balanced, ServiceChange, Task};
pub(crate) use causes::chain;
pub use cluster::{Claim, ClusterNetwork, ClusterView, Lease, Observed, Roots};
pub use desired::{Desired, Exact};
pub use endpoint::{Attachment, NamespaceId};
pub use identity::{ClusterId, IdError, NetworkId, NodeId, RequestId, ServiceId};
pub use key_ring::{KeyRing, RingKey};
pub use mac::{MacAddress, ParseMacError};
pub use mark::EncryptionMark;
pub use member::{Availability, Member, Role};
pub use name::is_name;
pub use network::{Network, Vni, VniError};
pub use node::{Attach, Encap, Node, RemoteEndpoint};
pub use port_wish::PortWish;
pub use published::{FIRST_LOCAL_NUMBER, MASQUERADE_PORTS, PortEntry, PortKey, RingSpan};
pub use service::{
    ClusterService, EndpointMode, HealthCheck, HealthProbe, Protocol, PublishMode, PublishedPort,
    TaskClaim, TaskState,
};
pub use tables::{
    EndpointEntry, InterfaceEntry, LocalTables, NAMESPACE_NETWORKS, NamespaceEntry, NetworkEntry,
    NodeEntry, PeerEntry, PeerId, Place, RemoteTables, RouteEntry,
};
pub use transit::{TransitPools, last_transit_position, transit_address, transit_position};
pub use underlay::Way;
