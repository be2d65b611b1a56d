//! One manager: the agreed state, the certificates that follow from it, and what the service on 2377 asks
//! of both.
//!
//! [`Manager`] stands behind the service, [`Link`] carries consensus to the others, and
//! [`tend`] does what the leader has to do by itself.

mod ask;
mod begin;
mod link;
mod machine;
mod managers;
mod tend;
mod trust;

use std::{collections::BTreeSet, fmt};

pub use ask::{Answer, Ask};
pub use begin::{BeginError, Beginning, NewCluster, begin, rotated_token};
pub use link::Link;
pub use tend::tend;
use tokio::sync::watch;
pub use trust::TrustError;

use super::{
    consensus::{Consensus, ProposeError},
    pki::Clock,
    service::{ErrorKind, ServiceError},
    state::{Refusal, RefusalKind, State},
};
use crate::model::NodeId;

/// Nodes that do not answer, as the gossip says.
pub type Down = watch::Receiver<BTreeSet<NodeId>>;

/// A manager. Clones are the same one.
#[derive(Clone)]
pub struct Manager {
    consensus: Consensus<State>,
    clock: Clock,
    down: Down,
}

impl Manager {
    /// A manager over its part of the consensus.
    pub fn new(consensus: Consensus<State>, clock: Clock, down: Down) -> Self {
        Self {
            consensus,
            clock,
            down,
        }
    }

    /// Its part of the consensus.
    pub fn consensus(&self) -> &Consensus<State> {
        &self.consensus
    }

    fn down(&self) -> BTreeSet<NodeId> {
        self.down.borrow().clone()
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager")
            .field("consensus", &self.consensus)
            .finish_non_exhaustive()
    }
}

/// What a refusal of the state means to whoever asked the service.
fn refused(refusal: &Refusal) -> ServiceError {
    let kind = match refusal.kind() {
        RefusalKind::BadRequest => ErrorKind::Malformed,
        RefusalKind::Forbidden => ErrorKind::Forbidden,
        RefusalKind::NotFound => ErrorKind::NotFound,
        RefusalKind::Conflict => ErrorKind::Conflict,
    };
    ServiceError::new(kind, refusal.to_string()).with_help(refusal.help())
}

/// Why nothing was decided.
fn undecided(error: &ProposeError) -> ServiceError {
    match error {
        ProposeError::NotLeader { leader } => {
            ServiceError::not_leader(leader.map(|(_, address)| address))
        }
        ProposeError::NoQuorum { .. } | ProposeError::Stopped => {
            ServiceError::unavailable(error.to_string())
        }
        ProposeError::Storage(_) | ProposeError::Unwritable { .. } => ServiceError::internal(error),
    }
}

/// The system's randomness. Never the same again.
pub(super) fn random_bits() -> u128 {
    rand::random()
}

/// A source of random numbers for the client's pauses.
pub fn jitter() -> super::client::Jitter {
    super::client::Jitter::new(rand::random)
}

#[cfg(test)]
mod tests;
