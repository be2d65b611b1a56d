//! What was not as it should be.

use std::collections::BTreeSet;

use super::{Hook, Inspect, Key, PortError, Program, Table, Tables};

/// What the kernel should hold at some moment; cheap to copy.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Entries of the tables.
    pub tables: Tables,
    /// Attached programs.
    pub hooks: BTreeSet<Hook>,
}

/// Where the kernel looked different from what was expected. Only suspects: entries may have been
/// written between the copy and the look, so each is looked at again before it is repaired.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Survey {
    /// Objects that were looked at.
    pub checked: u64,
    /// Entries that are missing, different or not wanted.
    pub entries: BTreeSet<Key>,
    /// Tables with entries that mean nothing.
    pub nonsense: BTreeSet<Table>,
    /// Hooks that are not in place.
    pub hooks: BTreeSet<Hook>,
}

impl Survey {
    /// Compares what is with what should be.
    pub fn take(inspect: &impl Inspect, expected: &Expected) -> Result<Self, PortError> {
        let mut survey = Self::default();
        for table in Table::ALL {
            survey.compare(inspect, &expected.tables, table)?;
        }
        for hook in &expected.hooks {
            survey.checked += 1;
            if !inspect.is_attached(*hook)? {
                survey.hooks.insert(*hook);
            }
        }
        Ok(survey)
    }

    fn compare(
        &mut self,
        inspect: &impl Inspect,
        expected: &Tables,
        table: Table,
    ) -> Result<(), PortError> {
        let mut matching = 0;
        let nonsense = inspect.rows(table, &mut |row| {
            self.checked += 1;
            if expected.get(&row.key()) == Some(row) {
                matching += 1;
            } else {
                self.entries.insert(row.key());
            }
        })?;
        if nonsense > 0 {
            self.nonsense.insert(table);
        }
        if matching < expected.len(table) {
            let mut missing: BTreeSet<Key> = expected.rows(table).map(|row| row.key()).collect();
            inspect.rows(table, &mut |row| {
                missing.remove(&row.key());
            })?;
            self.entries.extend(missing);
        }
        Ok(())
    }
}

/// What kind of thing had drifted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DriftKind {
    /// An entry of a table.
    Entry(Table),
    /// A program's attachment.
    Hook(Program),
    /// The vxlan device.
    Tunnel,
    /// The gateway's devices, addresses and routes.
    Gateway,
    /// The rules by which the host lets containers out.
    Rules,
    /// An endpoint whose interface or namespace is gone, or whose host end was switched off.
    Endpoint,
}

/// What was done about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// It was missing.
    Added,
    /// It was different.
    Changed,
    /// It should not have been there.
    Removed,
}

/// One repair.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Repair {
    /// What kind of thing it was.
    pub kind: DriftKind,
    /// Which one.
    pub object: String,
    /// What was done.
    pub action: Action,
}
