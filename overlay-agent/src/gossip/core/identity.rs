//! A node as the membership protocol sees it.

use std::net::SocketAddr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::NodeId;

/// One life of a node. A node that was declared down comes back with a greater generation.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct Life {
    /// The node.
    #[serde(with = "short")]
    pub(super) node: NodeId,
    /// Where it gossips.
    pub(super) address: SocketAddr,
    /// The epoch of its start, plus one for each time that it was wrongly declared down.
    pub(super) generation: u64,
}

impl foca::Identity for Life {
    type Addr = NodeId;

    fn renew(&self) -> Option<Self> {
        Some(Self {
            generation: self.generation.checked_add(1)?,
            ..*self
        })
    }

    fn addr(&self) -> NodeId {
        self.node
    }

    fn win_addr_conflict(&self, other: &Self) -> bool {
        (self.generation, self.address) > (other.generation, other.address)
    }
}

/// A node identifier as 16 bytes; its text would take 26.
pub(super) mod short {
    use super::{Deserialize, Deserializer, NodeId, Serialize, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        node: &NodeId,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        node.bits().to_be_bytes().serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<NodeId, D::Error> {
        <[u8; 16]>::deserialize(deserializer)
            .map(|bytes| NodeId::from_random(u128::from_be_bytes(bytes)))
    }
}
