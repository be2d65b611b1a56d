//! Why a packet would arrive or not.

use serde::{Deserialize, Serialize};

/// How a step ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepVerdict {
    /// The packet passes.
    Ok,
    /// The packet ends here.
    Stop,
    /// Worth knowing; decides nothing.
    Note,
}

/// One decision of the data plane.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What is decided, a few words.
    pub step: String,
    /// How it ends.
    pub verdict: StepVerdict,
    /// What was found, and where it stops also the way out.
    pub detail: String,
}

/// A packet's way, read from the maps.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The sender: `name (address)`, or the address alone.
    pub source: String,
    /// The receiver, likewise.
    pub destination: String,
    /// The network's name.
    pub network: String,
    /// Whether the packet arrives as far as this node can tell.
    pub arrives: bool,
    /// Every decision up to the one that stops it.
    pub steps: Vec<Step>,
}
