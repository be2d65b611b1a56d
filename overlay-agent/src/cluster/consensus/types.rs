//! What openraft is made for here: identifiers, addresses, and commands that it does not look into.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
};

use serde::{Deserialize, Serialize};

use super::store::SnapshotBuffer;
use crate::model::NodeId;

openraft::declare_raft_types!(
    /// The parameters of openraft.
    pub(super) TypeConfig:
        D = CommandBytes,
        R = Outcome,
        NodeId = RaftId,
        Node = Peer,
        SnapshotData = SnapshotBuffer,
);

pub(super) type Raft = openraft::Raft<TypeConfig>;
pub(super) type Entry = openraft::Entry<TypeConfig>;
pub(super) type LogId = openraft::LogId<RaftId>;
pub(super) type Vote = openraft::Vote<RaftId>;
pub(super) type Membership = openraft::Membership<RaftId, Peer>;
pub(super) type StoredMembership = openraft::StoredMembership<RaftId, Peer>;
pub(super) type SnapshotMeta = openraft::SnapshotMeta<RaftId, Peer>;
pub(super) type Metrics = openraft::RaftMetrics<RaftId, Peer>;
pub(super) type StorageError = openraft::StorageError<RaftId>;

/// A node identifier as openraft wants it: with a default, and as a number on the wire.
#[derive(Clone, Copy, Default, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub(super) struct RaftId(u128);

impl From<NodeId> for RaftId {
    fn from(id: NodeId) -> Self {
        Self(id.bits())
    }
}

impl From<RaftId> for NodeId {
    fn from(id: RaftId) -> Self {
        Self::from_random(id.0)
    }
}

#[cfg(test)]
impl From<u64> for RaftId {
    fn from(number: u64) -> Self {
        Self(number.into())
    }
}

impl fmt::Display for RaftId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        NodeId::from(*self).fmt(f)
    }
}

impl fmt::Debug for RaftId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a manager is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
}

impl Peer {
    pub(super) fn at(address: SocketAddr) -> Self {
        Self { address }
    }
}

impl Default for Peer {
    fn default() -> Self {
        Self {
            address: (Ipv4Addr::UNSPECIFIED, 0).into(),
        }
    }
}

/// A command as JSON. It may hold keys, so it is never printed.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct CommandBytes(pub(super) Vec<u8>);

impl fmt::Debug for CommandBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "command of {} bytes", self.0.len())
    }
}

/// What applying an entry gave.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// The entry was openraft's own.
    Nothing,
    /// The machine's reply as JSON.
    Reply(Vec<u8>),
    /// The machine obeyed, but its reply has no JSON form.
    Unwritable(String),
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Reply(bytes) => write!(f, "reply of {} bytes", bytes.len()),
            Self::Unwritable(why) => write!(f, "unwritable reply: {why}"),
        }
    }
}
