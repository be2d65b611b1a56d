//! A manager's file: the log, its vote, and the newest snapshot, in one redb database.
//!
//! A commit is in two phases: a page of the newest commit that cannot be read is then known for damage, and
//! never taken for a commit that was cut short. So an opened store has everything that was acknowledged.

mod database;
mod epoch;
mod force;
mod log;
mod machine;
mod medium;
mod snapshot_buffer;
mod tables;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(super) use self::testing::Disk;
pub(super) use self::{
    database::Store,
    epoch::Epoch,
    log::LogStore,
    machine::{Machine, MachineStore},
    medium::{FileMedium, Medium},
    snapshot_buffer::SnapshotBuffer,
};
