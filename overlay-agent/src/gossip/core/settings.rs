//! What a node's gossip is told once.

use std::{net::SocketAddr, time::Duration};

use crate::model::NodeId;

/// How a node takes part.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This node.
    pub node: NodeId,
    /// Where the others reach it.
    pub address: SocketAddr,
    /// Names this run of the agent. Greater than that of every earlier run: milliseconds since 1970,
    /// or the one kept on disk plus one where the clock went back.
    pub epoch: u64,
    /// Seed of all random choices.
    pub seed: u64,
    /// How large and how often.
    pub pace: Pace,
}

/// Sizes and intervals, the same on every node.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Largest datagram, bytes before encryption; at least 700, so that every row fits one.
    pub datagram: usize,
    /// How long own claims are collected before they are sent together.
    pub flush: Duration,
    /// Between two rounds in which queued changes are passed on.
    pub gossip: Duration,
    /// How many nodes each round reaches.
    pub fanout: usize,
    /// Up to so many attending nodes are told of an own change directly.
    pub direct: usize,
    /// Between two comparisons of table digests with a random node.
    pub probe: Duration,
    /// Between two questions to a node that is watched.
    pub watch: Duration,
    /// Between two attempts to reach nodes that do not answer.
    pub reconnect: Duration,
    /// Between two full exchanges with a random node.
    pub exchange: Duration,
    /// How long a gap in a stream may close by itself before it is asked for.
    pub repair: Duration,
    /// How long withdrawn rows are remembered.
    pub tombstone: Duration,
    /// How long a node may stay unheard of before it counts as failed.
    pub silence: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            datagram: 1200,
            flush: Duration::from_millis(10),
            gossip: Duration::from_millis(100),
            fanout: 3,
            direct: 32,
            probe: Duration::from_secs(1),
            watch: Duration::from_millis(500),
            reconnect: Duration::from_millis(500),
            exchange: Duration::from_secs(30),
            repair: Duration::from_millis(150),
            tombstone: Duration::from_mins(30),
            silence: Duration::from_secs(20),
        }
    }
}
