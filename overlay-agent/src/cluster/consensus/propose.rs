//! Writes and linearizable reads.

use std::fmt;

use openraft::error::{CheckIsLeaderError, ClientWriteError, Fatal, ForwardToLeader, RaftError};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    Consensus, Leader, ProposeError, ReplicatedLog, StateMachine,
    manager::Engine,
    supervisor::{leader, leads},
    types::{CommandBytes, Outcome, Peer, Raft, RaftId},
};

/// What became of an attempt to act as the leader.
pub(super) enum Attempt<R> {
    Done(R),
    /// Nothing happened, and it may go through in a while.
    Again,
    Elsewhere(RaftId, Peer),
    Fatal(Box<Fatal<RaftId>>),
}

impl<R> Attempt<R> {
    pub(super) fn forward(to: &ForwardToLeader<RaftId, Peer>) -> Self {
        match (to.leader_id, to.leader_node) {
            (Some(id), Some(peer)) => Self::Elsewhere(id, peer),
            (None, _) | (_, None) => Self::Again,
        }
    }
}

impl<S: StateMachine> Consensus<S> {
    /// Does something that only the leader can. While nobody leads it waits, until `deadline`.
    pub(super) async fn as_leader<R, F: Future<Output = Attempt<R>>>(
        &self,
        deadline: Instant,
        mut attempt: impl FnMut(Raft) -> F,
    ) -> Result<R, ProposeError> {
        let mut engine = self.inner.engine.subscribe();
        let lease = self.inner.options.timing.election_max;
        loop {
            let raft = running(&mut engine)?;
            let mut metrics = raft.metrics();
            let seen = metrics.borrow_and_update().clone();
            let mut pause = None;
            if leads(&seen, lease) {
                pause = Some(self.inner.options.timing.heartbeat);
                match timeout_at(deadline, attempt(raft)).await {
                    Ok(Attempt::Done(result)) => return Ok(result),
                    Ok(Attempt::Again) => {}
                    Ok(Attempt::Elsewhere(id, _)) if id == self.inner.options.id.into() => {}
                    Ok(Attempt::Elsewhere(id, peer)) => return Err(led_by(id, peer)),
                    Ok(Attempt::Fatal(fatal)) => {
                        return Err(self.end(&mut engine, deadline, &fatal).await);
                    }
                    Err(_) => return Err(ProposeError::NoQuorum { unknown: true }),
                }
            } else if let Some(Leader { id, address }) = leader(&seen, lease)
                && id != self.inner.options.id
            {
                return Err(ProposeError::NotLeader {
                    leader: Some((id, address)),
                });
            }
            if let Some(pause) = pause {
                // A peer that refuses at once must not be asked again at once.
                sleep_until(deadline.min(Instant::now() + pause)).await;
                if Instant::now() < deadline {
                    continue;
                }
            }
            tokio::select! {
                biased;
                () = sleep_until(deadline) => return Err(ProposeError::NoQuorum { unknown: false }),
                _ended = engine.changed() => {}
                changed = metrics.changed() => if changed.is_err() {
                    // It ended; the supervisor will say why.
                    tokio::select! {
                        () = sleep_until(deadline) => {}
                        _ended = engine.changed() => {}
                    }
                }
            }
        }
    }

    /// Why openraft ended under a request.
    async fn end(
        &self,
        engine: &mut watch::Receiver<Engine>,
        deadline: Instant,
        fatal: &Fatal<RaftId>,
    ) -> ProposeError {
        let ended = engine.wait_for(|engine| !matches!(engine, Engine::Running(_)));
        match timeout_at(deadline, ended).await {
            Ok(Ok(engine)) => match &*engine {
                Engine::Failed(fault) => ProposeError::Storage(fault.clone()),
                Engine::Running(_) | Engine::Stopped => ProposeError::Stopped,
            },
            Ok(Err(_)) => ProposeError::Stopped,
            Err(_) => ProposeError::Storage(self.inner.fault_behind(fatal)),
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.inner.options.timing.request
    }

    async fn write(&self, command: CommandBytes) -> Result<(u64, Outcome), ProposeError> {
        self.as_leader(self.deadline(), |raft| {
            let command = command.clone();
            async move {
                match raft.client_write(command).await {
                    Ok(written) => Attempt::Done((written.log_id.index, written.data)),
                    Err(RaftError::APIError(ClientWriteError::ForwardToLeader(to))) => {
                        Attempt::forward(&to)
                    }
                    Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(_))) => {
                        Attempt::Again
                    }
                    Err(RaftError::Fatal(fatal)) => Attempt::Fatal(Box::new(fatal)),
                }
            }
        })
        .await
    }
}

fn running(engine: &mut watch::Receiver<Engine>) -> Result<Raft, ProposeError> {
    match &*engine.borrow_and_update() {
        Engine::Running(raft) => Ok(raft.clone()),
        Engine::Failed(fault) => Err(ProposeError::Storage(fault.clone())),
        Engine::Stopped => Err(ProposeError::Stopped),
    }
}

fn led_by(id: RaftId, peer: Peer) -> ProposeError {
    ProposeError::NotLeader {
        leader: Some((id.into(), peer.address)),
    }
}

fn unwritable(what: &'static str, reason: &dyn fmt::Display) -> ProposeError {
    ProposeError::Unwritable {
        what,
        reason: reason.to_string(),
    }
}

impl<S: StateMachine> ReplicatedLog for Consensus<S> {
    type Machine = S;

    async fn propose(&self, command: S::Command) -> Result<(u64, S::Reply), ProposeError> {
        let bytes =
            serde_json::to_vec(&command).map_err(|error| unwritable("the command", &error))?;
        let (index, outcome) = self.write(CommandBytes(bytes)).await?;
        let reply = match outcome {
            Outcome::Reply(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| unwritable("the reply", &error))?
            }
            Outcome::Nothing => return Err(unwritable("the reply", &"there is none")),
            Outcome::Unwritable(reason) => return Err(unwritable("the reply", &reason)),
        };
        Ok((index, reply))
    }

    async fn read<R: Send>(&self, look: impl FnOnce(&S) -> R + Send) -> Result<R, ProposeError> {
        self.as_leader(self.deadline(), |raft| async move {
            match raft.ensure_linearizable().await {
                Ok(_) => Attempt::Done(()),
                Err(RaftError::APIError(CheckIsLeaderError::ForwardToLeader(to))) => {
                    Attempt::forward(&to)
                }
                Err(RaftError::APIError(CheckIsLeaderError::QuorumNotEnough(_))) => Attempt::Again,
                Err(RaftError::Fatal(fatal)) => Attempt::Fatal(Box::new(fatal)),
            }
        })
        .await
        .map_err(|error| {
            if let ProposeError::NoQuorum { .. } = error {
                // A read leaves nothing behind.
                ProposeError::NoQuorum { unknown: false }
            } else {
                error
            }
        })?;
        Ok(self.inner.machine.with(look))
    }

    fn with_state<R>(&self, look: impl FnOnce(&S) -> R) -> R {
        self.inner.machine.with(look)
    }

    fn applied(&self) -> watch::Receiver<u64> {
        self.inner.machine.applied()
    }

    fn leader(&self) -> watch::Receiver<Option<Leader>> {
        self.inner.leader.subscribe()
    }
}
