//! Counters of the data plane.

use serde::{Deserialize, Serialize};

/// Every counter, summed over the CPUs, since the maps were made.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Packets that went on, by walk.
    pub walks: Vec<WalkCount>,
    /// Packets that were dropped, by reason, ascending by number; reasons that never struck too.
    pub drops: Vec<DropCount>,
    /// Events that did not fit the ring buffer.
    pub events_lost: u64,
    /// Flows that had to leave a full table since the agent started.
    #[serde(default)]
    pub flows_evicted: u64,
}

/// Packets that took one way.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct WalkCount {
    /// The walk's name.
    pub walk: String,
    /// Packets; an aggregate of several segments counts once.
    pub packets: u64,
    /// Bytes, Ethernet header included.
    pub bytes: u64,
}

/// Packets dropped for one reason.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DropCount {
    /// The reason's name.
    pub reason: String,
    /// The reason's number.
    pub number: u32,
    /// Packets.
    pub packets: u64,
    /// Bytes, Ethernet header included.
    pub bytes: u64,
    /// What it means and what to look at.
    pub hint: String,
}
