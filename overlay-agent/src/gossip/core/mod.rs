//! The gossip as one state machine: bytes, timers and wishes in, [`Effect`]s out. It has no socket and
//! no clock; `now` is the time since any fixed moment and never goes back.
//!
//! See [`Gossip`] for what comes in, [`Effect`] and [`Event`] for what comes out.
//!
//! An exchange speaks in turns, so neither side ever waits for the other to read: write what
//! `next_frame` gives until it gives `None`; stop if `Exchange::is_over`; else read one frame, give it
//! to `handle_frame`, and start again. The stream has to keep frames apart.

mod admission;
mod effect;
mod error;
mod exchange;
mod fingerprint;
mod following;
mod gossip;
mod identity;
mod ledger;
mod membership;
mod outcome;
mod queue;
mod repair;
mod settings;
#[cfg(test)]
mod sim;
mod spread;
mod stream;
#[cfg(test)]
mod stream_tests;
mod sync;
mod table;
mod telling;
mod timer;
mod topic;
mod value;
mod watch;
mod wire;

pub use effect::{Changes, Counters, Effect, Event};
pub use error::{ClaimError, Refused};
pub use exchange::Exchange;
pub use gossip::Gossip;
pub use settings::{Pace, Settings};
pub use timer::Timer;

/// Largest frame of an exchange, bytes before encryption.
pub const FRAME: usize = 60_000;
