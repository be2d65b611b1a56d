//! A log of one in memory, to test what stands on it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{Leader, ProposeError, ReplicatedLog, StateMachine};

/// Obeys at once, unless it was told to refuse.
#[derive(Debug)]
pub struct MemoryLog<S> {
    inner: Mutex<Inner<S>>,
    applied: watch::Sender<u64>,
    leader: watch::Sender<Option<Leader>>,
}

#[derive(Debug)]
struct Inner<S> {
    state: S,
    refusal: Option<ProposeError>,
}

impl<S: StateMachine> MemoryLog<S> {
    /// An empty log, led by `leader`, which is this manager.
    pub fn new(leader: Leader) -> Self {
        Self {
            inner: Mutex::new(Inner {
                state: S::default(),
                refusal: None,
            }),
            applied: watch::Sender::new(0),
            leader: watch::Sender::new(Some(leader)),
        }
    }

    /// Answers every write and read with this from now on; none makes it obey again.
    pub fn refuse(&self, refusal: Option<ProposeError>) {
        self.lock().refusal = refusal;
    }

    /// Says that another leads, or none.
    pub fn set_leader(&self, leader: Option<Leader>) {
        self.leader.send_replace(leader);
    }

    fn lock(&self) -> MutexGuard<'_, Inner<S>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn obey(&self, command: S::Command) -> Result<(u64, S::Reply), ProposeError> {
        let mut inner = self.lock();
        if let Some(refusal) = &inner.refusal {
            return Err(refusal.clone());
        }
        let index = *self.applied.borrow() + 1;
        let reply = inner.state.apply(index, command);
        drop(inner);
        self.applied.send_replace(index);
        Ok((index, reply))
    }

    fn look<R>(&self, look: impl FnOnce(&S) -> R) -> Result<R, ProposeError> {
        let inner = self.lock();
        match &inner.refusal {
            Some(refusal) => Err(refusal.clone()),
            None => Ok(look(&inner.state)),
        }
    }
}

impl<S: StateMachine> ReplicatedLog for MemoryLog<S> {
    type Machine = S;

    fn propose(
        &self,
        command: S::Command,
    ) -> impl Future<Output = Result<(u64, S::Reply), ProposeError>> + Send {
        std::future::ready(self.obey(command))
    }

    fn read<R: Send>(
        &self,
        look: impl FnOnce(&S) -> R + Send,
    ) -> impl Future<Output = Result<R, ProposeError>> + Send {
        std::future::ready(self.look(look))
    }

    fn with_state<R>(&self, look: impl FnOnce(&S) -> R) -> R {
        look(&self.lock().state)
    }

    fn applied(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
    }

    fn leader(&self) -> watch::Receiver<Option<Leader>> {
        self.leader.subscribe()
    }
}
