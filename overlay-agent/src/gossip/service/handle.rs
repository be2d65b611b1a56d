//! How the rest of the agent talks to the gossip.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use tokio::sync::{mpsc, oneshot, watch};
use tracing::debug;

use super::{
    command::Command,
    counters::{GossipCounters, Tally},
};
use crate::{
    gossip::core::{Changes, ClaimError},
    model::{Claim, KeyRing, NodeId, Observed, Vni},
};

/// Speaks to a running gossip. Every call waits until the gossip has done it.
#[derive(Clone, Debug)]
pub struct GossipHandle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) states: watch::Receiver<BTreeMap<NodeId, NodeState>>,
    pub(super) tally: Tally,
    pub(super) address: SocketAddr,
}

/// What another node has said that is none of the gossip's business, and who it was.
pub type Aside = (NodeId, Vec<u8>);

/// The gossip has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the gossip has ended: the node left its cluster, or the agent is stopping")]
pub struct Stopped;

/// A claim was not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ClaimRefused {
    /// It cannot be told to others, or another node has the address.
    #[error(transparent)]
    Refused(#[from] ClaimError),
    /// Nobody is there to take it.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Whether another node answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum NodeState {
    /// It does.
    Up,
    /// It does not.
    Failed,
    /// It said that it goes.
    Left,
}

/// News for the rest of the agent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Update {
    /// What is different in [`Observed`] since the last time. News that nobody has taken yet are put
    /// together, so a slow reader finds few large changes instead of many small ones.
    Changed(Changes),
    /// A claim of this node lost its address and has been withdrawn.
    Lost {
        /// The lost claim.
        claim: Claim,
        /// Who has the address.
        winner: NodeId,
        /// Position of the winning claim in the managers' log.
        index: u64,
    },
}

/// A stay in a network for the sake of a question. Dropping it ends it.
#[derive(Debug)]
pub struct Visit {
    vni: Vni,
    is_new: bool,
    commands: mpsc::Sender<Command>,
}

impl Visit {
    /// Whether what is claimed in the network has to be learned first.
    pub fn is_new(&self) -> bool {
        self.is_new
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if self.commands.try_send(Command::EndVisit(self.vni)).is_err() {
            debug!(network = %self.vni, "the visit lasts: the gossip is busy, or has ended");
        }
    }
}

impl GossipHandle {
    /// Tells the others of an address of this node, and takes part in its network.
    pub async fn claim(&self, claim: Claim) -> Result<(), ClaimRefused> {
        Ok(self.ask(|reply| Command::Claim(claim, reply)).await??)
    }

    /// Tells the others that this node no longer has an address. False if it had no claim on it.
    pub async fn withdraw(&self, vni: Vni, address: IpAddr) -> Result<bool, Stopped> {
        self.ask(|reply| Command::Withdraw(vni, address, reply))
            .await
    }

    /// Takes part in a network: learns what is claimed in it.
    pub async fn attend(&self, vni: Vni) -> Result<(), Stopped> {
        self.ask(|reply| Command::Attend(vni, reply)).await
    }

    /// No longer takes part in a network.
    pub async fn leave_network(&self, vni: Vni) -> Result<(), Stopped> {
        self.ask(|reply| Command::LeaveNetwork(vni, reply)).await
    }

    /// Takes part in a network for as long as the visit is kept, if it does not anyway.
    pub async fn visit(&self, vni: Vni) -> Result<Visit, Stopped> {
        let is_new = self.ask(|reply| Command::Visit(vni, reply)).await?;
        Ok(Visit {
            vni,
            is_new,
            commands: self.commands.clone(),
        })
    }

    /// Lets in exactly these nodes, which the managers know. Nothing that another says is taken
    /// once this returns.
    pub async fn set_members(&self, members: BTreeMap<NodeId, SocketAddr>) -> Result<(), Stopped> {
        self.ask(|reply| Command::SetMembers(members, reply)).await
    }

    /// Accepts exactly these keys, and seals with the primary one.
    pub async fn set_keys(&self, keys: KeyRing) -> Result<(), Stopped> {
        self.ask(|reply| Command::SetKeys(keys, reply)).await
    }

    /// Looks after exactly these nodes closely.
    pub async fn watch(&self, nodes: BTreeSet<NodeId>) -> Result<(), Stopped> {
        self.ask(|reply| Command::Watch(nodes, reply)).await
    }

    /// Which nodes take part in a network, as far as is known here. Complete on a node that does.
    pub async fn attendees(&self, vni: Vni) -> Result<BTreeSet<NodeId>, Stopped> {
        self.ask(|reply| Command::Attendees(vni, reply)).await
    }

    /// All that is known of the others now. A copy of every claim: for questions, not for following.
    pub async fn observed(&self) -> Result<Observed, Stopped> {
        self.ask(Command::Observe).await
    }

    /// Which of the others have an endpoint of this name in a network, as far as is known here.
    pub async fn named(&self, vni: Vni, name: String) -> Result<BTreeSet<NodeId>, Stopped> {
        self.ask(|reply| Command::Named(vni, name, reply)).await
    }

    /// How many addresses of the others' endpoints are known.
    pub async fn claims_known(&self) -> Result<u64, Stopped> {
        self.ask(Command::CountClaims).await
    }

    /// Tells one node something that is none of the gossip's business. It may be lost.
    pub async fn say(&self, to: NodeId, words: Vec<u8>) -> Result<(), Stopped> {
        self.ask(|reply| Command::Say(to, words, reply)).await
    }

    /// Hands over what others say so from now on. What finds no room is lost.
    pub async fn listen(&self, asides: mpsc::Sender<Aside>) -> Result<(), Stopped> {
        self.ask(|reply| Command::Listen(asides, reply)).await
    }

    /// Tells the others that this node goes, and ends the gossip.
    pub async fn leave(&self) -> Result<(), Stopped> {
        self.ask(Command::Leave).await
    }

    /// Which of the other nodes answer.
    pub fn states(&self) -> watch::Receiver<BTreeMap<NodeId, NodeState>> {
        self.states.clone()
    }

    /// What came, went and was refused.
    pub fn counters(&self) -> GossipCounters {
        self.tally.read()
    }

    /// Where this node listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(command(reply))
            .await
            .map_err(|_ended| Stopped)?;
        answer.await.map_err(|_ended| Stopped)
    }
}
