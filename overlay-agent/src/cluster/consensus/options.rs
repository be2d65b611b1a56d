//! Where a manager keeps its log, who it is, and how patient it is.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use openraft::{Config, SnapshotPolicy};

use super::OpenError;
use crate::model::NodeId;

/// Bytes of a snapshot that go in one message.
const SNAPSHOT_CHUNK: u64 = 1024 * 1024;

/// Entries that go in one message.
const ENTRIES_PER_MESSAGE: u64 = 256;

/// How a manager takes part.
#[derive(Clone, Debug)]
pub struct Options {
    /// The store is `managers.redb` in it.
    pub data_dir: PathBuf,
    /// This manager.
    pub id: NodeId,
    /// Where the other managers reach it.
    pub address: SocketAddr,
    /// How long it waits for what.
    pub timing: Timing,
    /// When the log is cut.
    pub compaction: Compaction,
}

/// How long a manager waits. All managers should have the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timing {
    /// A leader that is silent for one and a half of these makes no one nervous yet. Also the time that
    /// a manager has to store what the leader sends.
    pub heartbeat: Duration,
    /// After a leader is silent for `election_max`, its followers wait at least this long…
    pub election_min: Duration,
    /// …and at most this long before they stand for election.
    pub election_max: Duration,
    /// A write or a read that has not gone through by then is given up.
    pub request: Duration,
    /// A new voter has this long to copy the log.
    pub catch_up: Duration,
}

impl Default for Timing {
    /// A dead leader is replaced after 1.2 to 1.8 s.
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(150),
            election_min: Duration::from_millis(400),
            election_max: Duration::from_millis(800),
            request: Duration::from_secs(5),
            catch_up: Duration::from_secs(30),
        }
    }
}

/// When the log is replaced by a snapshot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Compaction {
    /// Entries between two snapshots.
    pub every: u64,
    /// Entries before a snapshot that are kept for managers that lag a little.
    pub keep: u64,
}

impl Default for Compaction {
    fn default() -> Self {
        Self {
            every: 2000,
            keep: 500,
        }
    }
}

impl Options {
    pub(super) fn raft(&self) -> Result<Config, OpenError> {
        let milliseconds = |duration: Duration| duration.as_millis() as u64;
        let Self {
            timing, compaction, ..
        } = self;
        Config {
            cluster_name: "overlay".to_owned(),
            heartbeat_interval: milliseconds(timing.heartbeat),
            election_timeout_min: milliseconds(timing.election_min),
            election_timeout_max: milliseconds(timing.election_max),
            install_snapshot_timeout: milliseconds(timing.request),
            max_payload_entries: ENTRIES_PER_MESSAGE,
            snapshot_max_chunk_size: SNAPSHOT_CHUNK,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(compaction.every),
            max_in_snapshot_log_to_keep: compaction.keep,
            replication_lag_threshold: 2 * compaction.every.max(compaction.keep),
            ..Config::default()
        }
        .validate()
        .map_err(|source| OpenError::Timing {
            source: Box::new(source),
        })
    }
}
