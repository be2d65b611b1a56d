//! Why the managers could not do what was asked.

use std::{io, net::SocketAddr, path::PathBuf};

use crate::model::NodeId;

/// A failure of a manager's file. None of them harms what was acknowledged before.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such file.
    #[error("{} is missing: this node is no manager, or its data directory was changed", .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// There is a file already.
    #[error("{} exists: this node is a manager already; leave the swarm first", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Another process has it open.
    #[error("{} is open in another process; stop the other agent or give this one its own --data-dir", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file system is full. Nothing of the write was kept.
    #[error("no space left for {}: free some on its file system; the manager goes on by itself then", .path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The file is not what was written.
    #[error(
        "{} is damaged ({reason}): restore it from a backup, or move it away and join this node again as a manager", .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// Another version of the program wrote it.
    #[error("{} has format {found}, and this version reads {readable}: use the version that wrote it, or a newer one", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The format found.
        found: String,
        /// The only format understood.
        readable: u32,
    },
    /// It is another node's.
    #[error("{} belongs to node {owner}: a manager's file must not be copied to another node", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The node that wrote it.
        owner: NodeId,
    },
    /// The system refused.
    #[error("could not {operation} {}: {reason}", .path.display())]
    Io {
        /// What was attempted, as a verb phrase.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A snapshot is too big, or the state has no byte form.
    #[error("could not {operation} the snapshot in {}: {reason}", .path.display())]
    Snapshot {
        /// What was attempted.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A command in the log is not understood.
    #[error(
        "entry {index} of the managers' log is not understood ({reason}): a newer version wrote it; upgrade this manager"
    )]
    Command {
        /// Its place.
        index: u64,
        /// What the decoder says.
        reason: String,
    },
}

/// Why a manager could not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Durations that make no sense.
    #[error(
        "the managers' timing makes no sense: the heartbeat must be shorter than the election timeout"
    )]
    Timing {
        /// Which.
        source: Box<openraft::ConfigError>,
    },
    /// The store has a cluster already.
    #[error("this node is part of a swarm already; use \"swarm leave\" to leave it and try again")]
    Initialised,
    /// It did not come up in time.
    #[error("the manager did not become the leader of its own swarm in time")]
    NoLeader,
    /// It stopped while it came up.
    #[error("the manager stopped while it was starting")]
    Stopped,
}

/// Why a write or a linearizable read did not go through.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProposeError {
    /// Another manager leads; nothing was written. Ask it instead.
    #[error("this node is not the leader of the swarm{}", at(.leader.as_ref()))]
    NotLeader {
        /// The leader, if it is known.
        leader: Option<(NodeId, SocketAddr)>,
    },
    /// Too few managers answered in time.
    #[error(
        "The swarm does not have a leader. It's possible that too few managers are online. \
         Make sure more than half of the managers are online.{}", maybe(*.unknown)
    )]
    NoQuorum {
        /// The write may still be made when the managers are back.
        unknown: bool,
    },
    /// This manager is shutting down. A write may or may not have been made.
    #[error("this manager is shutting down")]
    Stopped,
    /// This manager's store failed. A write may have been made unless the error says otherwise.
    #[error("this manager cannot store anything")]
    Storage(#[source] StoreError),
    /// The command has no JSON form, or (then it was obeyed) its reply.
    #[error("BUG: {what} has no JSON form: {reason}")]
    Unwritable {
        /// The command or the reply.
        what: &'static str,
        /// What the encoder says.
        reason: String,
    },
}

fn at(leader: Option<&(NodeId, SocketAddr)>) -> String {
    leader.map_or_else(String::new, |(id, address)| {
        format!("; {id} at {address} is")
    })
}

fn maybe(unknown: bool) -> &'static str {
    if unknown {
        " The change may still be made when they are."
    } else {
        ""
    }
}

/// Why the set of managers could not be changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MembershipError {
    /// As for any write.
    #[error(transparent)]
    Propose(#[from] ProposeError),
    /// The new manager did not copy the log in time. It was taken out again.
    #[error(
        "manager {id} at {address} could not be reached or did not copy the log in time; check that this address answers from the other managers, and try again"
    )]
    NotCaughtUp {
        /// The new manager.
        id: NodeId,
        /// Where it was looked for.
        address: SocketAddr,
    },
    /// Without it the swarm would have no manager.
    #[error("{id} is the last manager of the swarm")]
    LastVoter {
        /// It.
        id: NodeId,
    },
    /// Another change is under way.
    #[error("another change of the managers is under way; try again")]
    Busy,
}

/// Why a message of another manager was not answered.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The bytes are no message, or of a version that this one does not speak.
    #[error("the message is malformed or of another version")]
    Malformed,
    /// It says it comes from another node than it does.
    #[error("the message claims to come from another manager")]
    Impostor,
    /// It is of another swarm, or from before `--force-new-cluster`.
    #[error("the message is of another swarm, or from before the swarm was made anew")]
    OtherCluster,
    /// This manager cannot answer now.
    #[error("this manager is not running")]
    Stopped,
}

/// Why a message did not reach another manager or no answer came back.
#[derive(Debug, thiserror::Error)]
#[error("could not reach {to} at {address}")]
pub struct TransportError {
    /// The manager.
    pub to: NodeId,
    /// Its address.
    pub address: SocketAddr,
    /// What the layer below says.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl StoreError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "of all other kinds there is one thing to say"
    )]
    pub(super) fn io(
        operation: &'static str,
        path: &std::path::Path,
    ) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |error| match error.kind() {
            io::ErrorKind::NotFound => Self::Missing { path: path.clone() },
            io::ErrorKind::AlreadyExists => Self::Exists { path: path.clone() },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full { path: path.clone() }
            }
            _ => Self::Io {
                operation,
                path: path.clone(),
                reason: error.to_string(),
            },
        }
    }
}
