//! What an audit found.

use serde::{Deserialize, Serialize};

/// One comparison of the kernel with the desired state.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct AuditReport {
    /// Objects compared: map entries, links, programs.
    pub checked: u64,
    /// What was not as it should be and has been repaired.
    pub repaired: Vec<Repair>,
    /// How long it took, milliseconds.
    pub duration_ms: u64,
}

/// One repair.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Repair {
    /// What it was: a map's name, `link`, `program`, `vxlan`, ….
    pub kind: String,
    /// Which one.
    pub object: String,
    /// What was done: `added`, `changed`, `removed`, ….
    pub action: String,
}
