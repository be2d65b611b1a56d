//! What the rest of the cluster's code needs of consensus, as a trait.

use std::net::SocketAddr;

use tokio::sync::watch;

use super::{ProposeError, StateMachine};
use crate::model::NodeId;

/// The manager that leads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Leader {
    /// The manager.
    pub id: NodeId,
    /// Where it answers.
    pub address: SocketAddr,
}

/// A log of commands that all managers obey in the same order.
pub trait ReplicatedLog: Send + Sync + 'static {
    /// What obeys.
    type Machine: StateMachine;

    /// Writes a command and returns its index and what the machine answered, when a majority of the
    /// managers has it on disk. Only the leader can; it gives up after `Timing::request`.
    fn propose(
        &self,
        command: <Self::Machine as StateMachine>::Command,
    ) -> impl Future<Output = Result<(u64, <Self::Machine as StateMachine>::Reply), ProposeError>> + Send;

    /// Looks at a state that has every command that was answered before the call, whichever manager
    /// answered it. Only the leader can; it gives up after `Timing::request`.
    fn read<R: Send>(
        &self,
        look: impl FnOnce(&Self::Machine) -> R + Send,
    ) -> impl Future<Output = Result<R, ProposeError>> + Send;

    /// Looks at this manager's state as it is, which may lag behind the others'. `look` holds up the log,
    /// so it must be short.
    fn with_state<R>(&self, look: impl FnOnce(&Self::Machine) -> R) -> R;

    /// The index up to which this manager's state has obeyed the log; zero before the first command.
    fn applied(&self) -> watch::Receiver<u64>;

    /// Who leads, as far as this manager knows. None while there is no leader, and on a leader that lost
    /// touch with the majority.
    fn leader(&self) -> watch::Receiver<Option<Leader>>;
}
