//! What streams are about.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::Vni;

/// A table: each node has one stream of changes in each that it takes part in.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub(super) enum Topic {
    /// Which node attends which network. Every node takes part.
    Attendance,
    /// The claims in one network.
    Network(Vni),
}

/// Names a row of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub(super) enum Key {
    /// A claimed address.
    Address(IpAddr),
    /// An attended network.
    Network(Vni),
}

impl Key {
    /// Whether streams of this topic have such rows.
    pub(super) fn fits(self, topic: Topic) -> bool {
        match (topic, self) {
            (Topic::Attendance, Self::Network(_)) | (Topic::Network(_), Self::Address(_)) => true,
            (Topic::Attendance, Self::Address(_)) | (Topic::Network(_), Self::Network(_)) => false,
        }
    }

    /// Encoded, bytes, at most.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Address(IpAddr::V4(_)) => 6,
            Self::Address(IpAddr::V6(_)) => 18,
            Self::Network(_) => 5,
        }
    }
}
