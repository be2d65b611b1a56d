//! Messages from other managers.

use openraft::error::RaftError;

use super::{
    Call, Consensus, ReceiveError, StateMachine,
    manager::Engine,
    message::{AppendRequest, BallotRequest, SnapshotRequest, SnapshotResponse, decode, encode},
    types::{Raft, RaftId, Vote},
};
use crate::model::NodeId;

impl<S: StateMachine> Consensus<S> {
    /// Answers a message that the manager `from` sent with its `Transport`. The caller has made sure that
    /// it is from there, and lets no message in that is longer than 4 MiB.
    pub async fn receive(
        &self,
        from: NodeId,
        call: Call,
        request: &[u8],
    ) -> Result<Vec<u8>, ReceiveError> {
        let Engine::Running(raft) = self.inner.engine.borrow().clone() else {
            return Err(ReceiveError::Stopped);
        };
        match call {
            Call::Append => {
                let (epoch, request): (_, AppendRequest) = decode(request)?;
                self.admit(from, epoch, &request.vote, true).await?;
                answer(epoch, &raft.append_entries(request).await.map_err(stopped)?)
            }
            Call::Vote => {
                let (epoch, request): (_, BallotRequest) = decode(request)?;
                self.admit(from, epoch, &request.vote, false).await?;
                answer(epoch, &raft.vote(request).await.map_err(stopped)?)
            }
            Call::Snapshot => {
                let (epoch, request): (_, SnapshotRequest) = decode(request)?;
                self.admit(from, epoch, &request.vote, true).await?;
                answer(epoch, &install(&raft, request).await?)
            }
        }
    }

    /// Whether a message may be looked at: it is of this swarm, and the sender speaks for itself.
    async fn admit(
        &self,
        from: NodeId,
        epoch: u64,
        vote: &Vote,
        leads: bool,
    ) -> Result<(), ReceiveError> {
        if vote.leader_id().voted_for() != Some(RaftId::from(from)) {
            return Err(ReceiveError::Impostor);
        }
        match self.inner.epoch.get() {
            Some(known) if known == epoch => Ok(()),
            None if leads && epoch != 0 => {
                let learnt = self.inner.epoch.learn(epoch).await;
                learnt.map_err(|_store_fault| ReceiveError::Stopped)
            }
            Some(_) | None => Err(ReceiveError::OtherCluster),
        }
    }
}

async fn install(raft: &Raft, request: SnapshotRequest) -> Result<SnapshotResponse, ReceiveError> {
    match raft.install_snapshot(request).await {
        Ok(response) => Ok(Ok(response)),
        Err(RaftError::APIError(mismatch)) => Ok(Err(mismatch)),
        Err(RaftError::Fatal(_)) => Err(ReceiveError::Stopped),
    }
}

fn answer<T: serde::Serialize>(epoch: u64, response: &T) -> Result<Vec<u8>, ReceiveError> {
    encode(epoch, response).map_err(|_no_byte_form| ReceiveError::Malformed)
}

fn stopped(_ended: RaftError<RaftId>) -> ReceiveError {
    ReceiveError::Stopped
}
