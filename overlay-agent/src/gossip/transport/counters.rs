//! What came, what went, and what was refused.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::gossip::seal::Refusals;

/// Datagrams since the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct DatagramCounters {
    /// Authentic ones from members.
    pub received: u64,
    /// Bytes that came in, refused ones included.
    pub received_bytes: u64,
    /// Sent ones.
    pub sent: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Authentic ones that were dropped because too many waited.
    pub overflowed: u64,
    /// Not sent: too many waited, there was no key, or the kernel refused.
    pub unsent: u64,
    /// Errors of the socket while receiving.
    pub receive_errors: u64,
    /// What was not let in.
    pub refused: Refusals,
}

/// Streams since the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct StreamCounters {
    /// Authentic ones that members opened.
    pub accepted: u64,
    /// Authentic ones that this node opened.
    pub opened: u64,
    /// Bytes of authentic chunks that came in, before they were sealed.
    pub received_bytes: u64,
    /// Bytes sent, before sealing.
    pub sent_bytes: u64,
    /// Turned away because too many were open.
    pub crowded: u64,
    /// Given up because the other side was too slow.
    pub timed_out: u64,
    /// Given up because the other side sent too much.
    pub too_much: u64,
    /// Could not be opened, or broke.
    pub broken: u64,
    /// Chunks and hellos that were not let in; each ended its stream.
    pub refused: Refusals,
}

/// Both kinds, shared by the tasks of a transport.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    datagrams: Mutex<DatagramCounters>,
    streams: Mutex<StreamCounters>,
}

impl Traffic {
    pub(crate) fn datagrams(&self) -> MutexGuard<'_, DatagramCounters> {
        self.datagrams
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn streams(&self) -> MutexGuard<'_, StreamCounters> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
