//! What the managers agree on: a machine that every manager feeds the same commands in the same order.

use std::{error::Error as StdError, fmt::Debug};

use serde::{Serialize, de::DeserializeOwned};

/// A state that follows from its commands alone: no clock, no randomness, no input but the command.
pub trait StateMachine: Default + Send + Sync + Sized + 'static {
    /// What changes it. Goes into the log as JSON, so that a newer version can read what an older one
    /// wrote; a map's keys must therefore be strings or numbers.
    type Command: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static;

    /// What a command answers; a refusal is an answer too. Goes through JSON as well.
    type Reply: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static;

    /// Obeys a command. `index` is its place in the log: it grows, with gaps, and is never used twice.
    fn apply(&mut self, index: u64, command: Self::Command) -> Self::Reply;

    /// The whole state as bytes.
    fn snapshot(&self) -> Result<Vec<u8>, SnapshotError>;

    /// The state that `snapshot` wrote. An error leaves the present state as it is.
    fn restore(snapshot: &[u8]) -> Result<Self, SnapshotError>;
}

/// Why a state could not be written or read as bytes.
pub type SnapshotError = Box<dyn StdError + Send + Sync>;
