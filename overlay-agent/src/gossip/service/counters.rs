//! What the gossip of a node has seen.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::gossip::{
    core::Counters,
    transport::{DatagramCounters, StreamCounters, Traffic},
};

/// Everything since the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct GossipCounters {
    /// UDP.
    pub datagrams: DatagramCounters,
    /// TCP.
    pub streams: StreamCounters,
    /// What was said.
    pub core: Counters,
}

/// The counters, where every handle can read them.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    traffic: Arc<Traffic>,
    core: Arc<Mutex<Counters>>,
}

impl Tally {
    pub(super) fn new(traffic: Arc<Traffic>) -> Self {
        Self {
            traffic,
            core: Arc::default(),
        }
    }

    pub(super) fn set_core(&self, counters: Counters) {
        *self.core() = counters;
    }

    pub(super) fn read(&self) -> GossipCounters {
        GossipCounters {
            datagrams: *self.traffic.datagrams(),
            streams: *self.traffic.streams(),
            core: *self.core(),
        }
    }

    fn core(&self) -> MutexGuard<'_, Counters> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
