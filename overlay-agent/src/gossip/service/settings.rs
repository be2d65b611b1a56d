//! What the gossip of a node is told at its start.

use std::{collections::BTreeMap, net::SocketAddr};

use crate::{
    gossip::{Limits, Pace, host},
    model::{Claim, KeyRing, NodeId},
};

/// Who this node is, and how it gossips.
#[derive(Clone, Debug)]
pub struct GossipSettings {
    /// The cluster's identifier. Clusters that share a secret by accident still don't meet.
    pub cluster: String,
    /// This node.
    pub node: NodeId,
    /// Where this node listens, UDP and TCP. Port 0 is any free one.
    pub listen: SocketAddr,
    /// Where the others reach it. Port 0 is the one that it listens on.
    pub advertise: SocketAddr,
    /// Names this run; greater than that of every earlier one. See [`next_epoch`].
    pub epoch: u64,
    /// Sizes and intervals.
    pub pace: Pace,
    /// What others may ask of this node.
    pub limits: Limits,
}

/// What a node knows of its cluster when the gossip starts.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The accepted keys. Without any, nothing is sent or taken until there are.
    pub keys: KeyRing,
    /// Every node and where it gossips, as the managers say.
    pub members: BTreeMap<NodeId, SocketAddr>,
    /// This node's claims.
    pub claims: Vec<Claim>,
}

/// The name of a new run: milliseconds since 1970, or one more than that of the last run where the
/// clock went back.
pub fn next_epoch(last: Option<u64>) -> u64 {
    host::unix_ms().max(last.map_or(0, |last| last.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_a_greater_epoch_than_the_last_whatever_the_clock_says() {
        let now = next_epoch(None);

        assert!(now > 1_700_000_000_000);
        assert!(next_epoch(Some(now - 1_000_000)) >= now);
        assert_eq!(next_epoch(Some(now * 2)), now * 2 + 1);
    }
}
