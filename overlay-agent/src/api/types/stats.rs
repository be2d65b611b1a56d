//! Counters of the data plane, and of the ports of the control plane.

use serde::{Deserialize, Serialize};

use super::NamesCount;

/// Every counter, summed over the CPUs, since the maps were made.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Packets that went on, by walk.
    pub walks: Vec<WalkCount>,
    /// Packets that were dropped, by reason, ascending by number; reasons that never struck too.
    pub drops: Vec<DropCount>,
    /// Events that did not fit the ring buffer.
    pub events_lost: u64,
    /// What became of questions for names; `None` where they are switched off.
    #[serde(default)]
    pub names: Option<NamesCount>,
    /// What came to the ports of the control plane since the agent took part in its swarm; events that
    /// never happened too. Empty outside a swarm.
    #[serde(default)]
    pub control: Vec<ControlCount>,
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

/// Something that happened on a port of the control plane.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ControlCount {
    /// The port by what it is for: `gossip/udp`, `gossip/tcp`, `managers/tcp`.
    pub port: String,
    /// What happened.
    pub event: String,
    /// How often.
    pub count: u64,
}
