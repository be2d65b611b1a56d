//! Who votes.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use openraft::{
    ChangeMembers,
    error::{ChangeMembershipError, ClientWriteError, RaftError},
};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::{
    Consensus, MembershipError, ProposeError, StateMachine,
    propose::Attempt,
    types::{Peer, Raft, RaftId},
};
use crate::model::NodeId;

type Change = ChangeMembers<RaftId, Peer>;

impl<S: StateMachine> Consensus<S> {
    /// Makes `id` a voter, after it copied the log; that it is one already is no error, and its address
    /// becomes this one. Only the leader can. When it fails the others go on as before.
    pub async fn add_voter(&self, id: NodeId, address: SocketAddr) -> Result<(), MembershipError> {
        let _one_at_a_time = self.inner.changing.lock().await;
        let (raft_id, peer) = (RaftId::from(id), Peer::at(address));
        let node = BTreeMap::from([(raft_id, peer)]);
        self.change(Change::SetNodes(node), true).await?;
        if let Err(error) = self.wait_for_copy(raft_id).await {
            if !self.is_voter(id) {
                let removal = Change::RemoveNodes(BTreeSet::from([raft_id]));
                if let Err(error) = self.change(removal, false).await {
                    warn!(%error, %id, "a manager that did not come up could not be taken out again");
                }
            }
            return Err(if let ProposeError::NoQuorum { .. } = error {
                MembershipError::NotCaughtUp { id, address }
            } else {
                error.into()
            });
        }
        self.change(Change::AddVoterIds(BTreeSet::from([raft_id])), true)
            .await
    }

    /// Takes `id` out; that it is no voter is no error. Only the leader can, and a leader that takes itself
    /// out hands over when it is done. Whether enough of the others are alive is the caller's question.
    pub async fn remove_voter(&self, id: NodeId) -> Result<(), MembershipError> {
        let _one_at_a_time = self.inner.changing.lock().await;
        let voters = self.voters();
        let raft_id = BTreeSet::from([RaftId::from(id)]);
        if !voters.iter().any(|(voter, _)| *voter == id) {
            return self.change(Change::RemoveNodes(raft_id), false).await;
        }
        if voters.len() == 1 {
            return Err(MembershipError::LastVoter { id });
        }
        self.change(Change::RemoveVoters(raft_id), false).await
    }

    fn is_voter(&self, id: NodeId) -> bool {
        self.voters().iter().any(|(voter, _)| *voter == id)
    }

    async fn change(&self, change: Change, retain: bool) -> Result<(), MembershipError> {
        let deadline = Instant::now() + self.inner.options.timing.request;
        let attempt = |raft: Raft| {
            let change = change.clone();
            async move {
                match raft.change_membership(change, retain).await {
                    Ok(_) => Attempt::Done(Ok(())),
                    Err(RaftError::APIError(ClientWriteError::ForwardToLeader(to))) => {
                        Attempt::forward(&to)
                    }
                    Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(refusal))) => {
                        match refusal {
                            ChangeMembershipError::InProgress(_) => Attempt::Again,
                            ChangeMembershipError::EmptyMembership(_)
                            | ChangeMembershipError::LearnerNotFound(_) => {
                                Attempt::Done(Err(MembershipError::Busy))
                            }
                        }
                    }
                    Err(RaftError::Fatal(fatal)) => Attempt::Fatal(Box::new(fatal)),
                }
            }
        };
        self.as_leader(deadline, attempt).await?
    }

    /// Waits until `id` has nearly all of the log.
    async fn wait_for_copy(&self, id: RaftId) -> Result<(), ProposeError> {
        let deadline = Instant::now() + self.inner.options.timing.catch_up;
        self.as_leader(deadline, |raft| async move {
            let mut metrics = raft.metrics();
            let target = metrics.borrow().last_log_index;
            let copied = metrics.wait_for(|metrics| {
                let Some(replication) = &metrics.replication else {
                    return true;
                };
                let matched = replication.get(&id).copied().flatten();
                matched.map(|matched| matched.index) >= target || id == metrics.id
            });
            match timeout_at(deadline, copied).await {
                Ok(Ok(metrics)) if metrics.replication.is_some() => Attempt::Done(()),
                // It leads no longer, or ended: the next round finds out.
                Ok(_) | Err(_) => Attempt::Again,
            }
        })
        .await
    }
}
