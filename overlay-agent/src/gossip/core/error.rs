//! What can go wrong.

use crate::model::{NodeId, Vni};

/// Bytes from the network were not used. Nothing has changed, and a counter tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// The managers do not know the sender.
    #[error("{node} is no node of this cluster")]
    Stranger {
        /// The sender.
        node: NodeId,
    },
    /// Another version of the protocol.
    #[error(
        "version {version} of the gossip is not spoken here; run the same release on all nodes"
    )]
    Version {
        /// What was sent.
        version: u8,
    },
    /// No message.
    #[error("the bytes are no message of the gossip")]
    Malformed,
    /// A well-formed frame at the wrong moment of an exchange.
    #[error("the other side broke the order of an exchange")]
    OutOfTurn,
}

/// A claim that cannot be told to others.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ClaimError {
    /// Too long for a datagram.
    #[error(
        "name and identifier of an endpoint in network {vni} take {bytes} bytes, more than {limit}; \
         choose a shorter name"
    )]
    TooLong {
        /// The network.
        vni: Vni,
        /// What it takes.
        bytes: usize,
        /// What there is.
        limit: usize,
    },
    /// Another node holds the address with a claim that wins.
    #[error("{winner} has this address")]
    Taken {
        /// Who has it.
        winner: NodeId,
    },
}
