//! What became of queries, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers since the agent started.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Figures {
    /// Datagrams and messages from containers.
    pub queries: u64,
    /// Answered from what is known here, "no such name" included.
    pub answered: u64,
    /// Passed on to other resolvers.
    pub forwarded: u64,
    /// Of those passed on: answered by nobody in time.
    pub unanswered: u64,
    /// Of those to pass on: not passed on, because too many were.
    pub overrun: u64,
    /// Refused: of nobody's container, or forbidden.
    pub refused: u64,
    /// No DNS, or none that is understood.
    pub malformed: u64,
    /// Answers that did not fit a datagram and were cut.
    pub truncated: u64,
    /// Answers that could not be sent, and connections for which there was no room.
    pub dropped: u64,
}

/// The numbers as they grow.
#[derive(Debug, Default)]
pub struct Counters {
    pub(super) queries: Counter,
    pub(super) answered: Counter,
    pub(super) forwarded: Counter,
    pub(super) unanswered: Counter,
    pub(super) overrun: Counter,
    pub(super) refused: Counter,
    pub(super) malformed: Counter,
    pub(super) truncated: Counter,
    pub(super) dropped: Counter,
}

/// One number.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    /// The numbers at this moment.
    pub fn figures(&self) -> Figures {
        Figures {
            queries: self.queries.read(),
            answered: self.answered.read(),
            forwarded: self.forwarded.read(),
            unanswered: self.unanswered.read(),
            overrun: self.overrun.read(),
            refused: self.refused.read(),
            malformed: self.malformed.read(),
            truncated: self.truncated.read(),
            dropped: self.dropped.read(),
        }
    }
}
