//! The state as the machine that consensus drives.

use crate::cluster::{
    consensus::{SnapshotError, StateMachine},
    state::{Command, Refusal, Reply, State},
};

impl StateMachine for State {
    type Command = Command;
    type Reply = Result<Reply, Refusal>;

    fn apply(&mut self, index: u64, command: Command) -> Self::Reply {
        Self::apply(self, index, command)
    }

    fn snapshot(&self) -> Result<Vec<u8>, SnapshotError> {
        Ok(serde_json::to_vec(self)?)
    }

    fn restore(snapshot: &[u8]) -> Result<Self, SnapshotError> {
        Ok(serde_json::from_slice(snapshot)?)
    }
}
