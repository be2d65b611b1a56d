//! What the data plane knows of services: virtual addresses, rings, backends.

use serde::{Deserialize, Serialize};

use super::{PeerId, Place, RingSpan};

/// Slots of a ring that are written at once.
pub const SLOTS: usize = 32;

/// So many slots of the rings' array; 0: none.
pub type Slots = [u32; SLOTS];

/// A backend's number in the tables, given by the agent; never 0, never used for another one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub struct BackendId(pub u32);

/// A task as the data plane knows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct BackendEntry {
    /// Its address.
    pub place: Place,
    /// The node that has it; `None`: this one.
    pub peer: Option<PeerId>,
    /// Number of the service.
    pub service: u32,
}

/// What is behind a virtual address.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct VipEntry {
    /// Backends for new flows.
    pub ring: RingSpan,
    /// Number of the service.
    pub service: u32,
}
