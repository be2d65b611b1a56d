//! How managers reach each other; whoever owns the sockets implements it.

use std::net::SocketAddr;

use super::TransportError;
use crate::model::NodeId;

/// What a manager asks another.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Call {
    /// Store these entries; without entries a heartbeat.
    Append,
    /// Vote for me.
    Vote,
    /// Take this piece of a snapshot. At most a little over 1 MiB.
    Snapshot,
}

impl Call {
    /// Every call.
    pub const ALL: [Self; 3] = [Self::Append, Self::Vote, Self::Snapshot];

    /// A word for paths and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Vote => "vote",
            Self::Snapshot => "snapshot",
        }
    }
}

/// Carries messages to other managers.
pub trait Transport: Send + Sync + 'static {
    /// Sends `request` to the manager `to`, whose `Consensus::receive` answers, and returns the answer.
    ///
    /// The caller drops the future when it has waited long enough. A lost message is no harm, a doubled
    /// or late one neither. The other end must prove that it is `to`.
    fn send(
        &self,
        to: NodeId,
        address: SocketAddr,
        call: Call,
        request: Vec<u8>,
    ) -> impl Future<Output = Result<Vec<u8>, TransportError>> + Send;
}
