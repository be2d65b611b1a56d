//! Encryption on the underlay.

use serde::{Deserialize, Serialize};

/// What is encrypted between this node and the others.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct EncryptionStatus {
    /// Whether this kernel can encrypt.
    pub available: bool,
    /// Why it cannot, or what went wrong last.
    pub trouble: Option<String>,
    /// Encrypted networks of the swarm.
    pub networks: u64,
    /// Generation of the keys that this node seals with.
    pub generation: Option<u32>,
    /// Nodes with which it exchanges encrypted packets.
    pub partners: u64,
    /// Those with which both sides use keys of that generation.
    pub settled: u64,
    /// States in the kernel.
    pub states: u64,
    /// Policies in the kernel.
    pub policies: u64,
    /// States and policies that were repaired since the agent started.
    pub repaired_total: u64,
}
