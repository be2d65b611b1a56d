//! A small state machine.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cluster::consensus::{SnapshotError, StateMachine};

/// Values by name, each with the index of the command that wrote it.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Table {
    pub(in super::super) rows: BTreeMap<String, (u64, String)>,
    pub(in super::super) obeyed: u64,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(in super::super) enum Command {
    Set(String, String),
    Remove(String),
}

/// What was there before.
pub(in super::super) type Reply = Option<String>;

impl StateMachine for Table {
    type Command = Command;
    type Reply = Reply;

    fn apply(&mut self, index: u64, command: Command) -> Reply {
        self.obeyed += 1;
        let before = match command {
            Command::Set(name, value) => self.rows.insert(name, (index, value)),
            Command::Remove(name) => self.rows.remove(&name),
        };
        before.map(|(_, value)| value)
    }

    fn snapshot(&self) -> Result<Vec<u8>, SnapshotError> {
        Ok(serde_json::to_vec(self)?)
    }

    fn restore(snapshot: &[u8]) -> Result<Self, SnapshotError> {
        Ok(serde_json::from_slice(snapshot)?)
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the tests read better without `&` everywhere"
)]
pub(in super::super) fn set(name: impl ToString, value: impl ToString) -> Command {
    Command::Set(name.to_string(), value.to_string())
}
