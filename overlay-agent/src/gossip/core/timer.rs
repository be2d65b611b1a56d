//! Moments at which the gossip wants to be called.

use super::identity::Life;

/// Opaque to whoever keeps the clock.
#[derive(Clone, Debug)]
pub struct Timer(pub(super) Alarm);

/// What is due.
#[derive(Clone, Debug)]
pub(super) enum Alarm {
    /// One of the membership protocol, of the given instance of it.
    Membership {
        /// Timers of an instance that was given up are void.
        instance: u32,
        /// Its own.
        timer: foca::Timer<Life>,
    },
    /// Declare a suspect failed that has not said otherwise.
    Doubt {
        /// The suspect.
        life: Life,
        /// What it would have to exceed.
        incarnation: u16,
    },
    /// One of the gossip's own, of which each runs once at most.
    Own(Duty),
}

/// What the gossip does from time to time.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(super) enum Duty {
    /// Send own claims that were collected.
    Flush,
    /// Pass on what is queued.
    Gossip,
    /// Compare digests with somebody.
    Probe,
    /// Try nodes that do not answer, and find the silent.
    Reconnect,
    /// Look after nodes that are watched.
    Watch,
    /// Exchange everything with somebody.
    Exchange,
    /// Ask for what is missing.
    Repair,
    /// Forget old withdrawals.
    Reap,
}
