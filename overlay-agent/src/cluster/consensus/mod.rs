//! Consensus: a log that a majority of managers has on disk before anyone acts on it, and the state that
//! follows from it. openraft decides, redb keeps.
//!
//! `Consensus` is a manager's part in it. It owns one task, the supervisor, which runs openraft, tells who
//! leads, and starts openraft again after the store failed. openraft has tasks of its own; they end
//! with it. Messages of other managers come in by `Consensus::receive` and leave by a `Transport`.

mod error;
mod log;
mod machine;
mod manager;
mod membership;
mod memory_log;
mod message;
mod network;
mod options;
mod propose;
mod receive;
mod store;
mod supervisor;
#[cfg(test)]
mod tests;
mod transport;
mod types;

pub use error::{
    MembershipError, OpenError, ProposeError, ReceiveError, StoreError, TransportError,
};
pub use log::{Leader, ReplicatedLog};
pub use machine::{SnapshotError, StateMachine};
pub use manager::{Consensus, Start};
pub use memory_log::MemoryLog;
pub use options::{Compaction, Options, Timing};
pub use transport::{Call, Transport};
