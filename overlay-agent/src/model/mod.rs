//! Plain values that the rest of the agent passes around, one noun per file. No I/O, no decisions.

mod desired;
mod endpoint;
mod mac;
mod network;
mod node;
mod tables;
mod underlay;

pub use desired::Desired;
pub use endpoint::{Attachment, NamespaceId};
pub use mac::{MacAddress, ParseMacError};
pub use network::{Network, Vni, VniError};
pub use node::{Attach, Encap, Node, RemoteEndpoint};
pub use tables::{
    EndpointEntry, InterfaceEntry, LocalTables, NetworkEntry, PeerEntry, PeerId, Place,
    RemoteTables, RouteEntry,
};
pub use underlay::Way;
