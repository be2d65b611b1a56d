//! Encryption between this node and the others: who needs whom, what they say to each other, and the task that keeps
//! the kernel true to it.

mod partners;
mod task;

use std::sync::Arc;

pub(super) use task::{Inputs, keep};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    agent::Error,
    api::{ApiError, types::Repair},
    model::{ClusterView, Vni, chain},
    netlink::Namespace,
    xfrm::{self, XfrmSocket},
};

/// Asks the task that encrypts.
#[derive(Clone, Debug)]
pub(in crate::agent) struct Encryption {
    pub(super) questions: mpsc::Sender<Question>,
    pub(super) view: watch::Receiver<Arc<ClusterView>>,
}

/// What it is asked.
#[derive(Debug)]
pub(super) enum Question {
    /// Whether packets of encrypted networks can be encrypted, and are stopped where they are not.
    Ready(oneshot::Sender<Result<(), ApiError>>),
    /// Compare and repair.
    Audit(oneshot::Sender<Vec<Repair>>),
}

impl Encryption {
    /// Whether an endpoint may come to this network as far as encryption goes. When this returns `Ok`, nothing of an
    /// encrypted network leaves this node in the clear.
    pub(in crate::agent) async fn ready(&self, vni: Vni) -> Result<(), ApiError> {
        let is_encrypted = {
            let view = self.view.borrow();
            let network = view.networks.get(&vni);
            network.is_some_and(|network| network.encrypted)
        };
        if !is_encrypted {
            return Ok(());
        }
        let (answer, answered) = oneshot::channel();
        let sent = self.questions.send(Question::Ready(answer)).await;
        sent.map_err(|_closed| crate::api::refusals::not_in_swarm())?;
        let answered = answered.await;
        answered.map_err(|_closed| crate::api::refusals::not_in_swarm())?
    }

    /// Compares the kernel's states and policies with what they should be, and repairs them.
    pub(in crate::agent) async fn audit(&self) -> Vec<Repair> {
        let (answer, answered) = oneshot::channel();
        if self.questions.send(Question::Audit(answer)).await.is_err() {
            return Vec::new();
        }
        answered.await.unwrap_or_default()
    }
}

/// Whether this kernel can encrypt, tried in a namespace of its own.
fn probe() -> Result<(), String> {
    let namespace = Namespace::create().map_err(|error| chain(&error))?;
    let tried = namespace.run(xfrm::probe).map_err(|error| chain(&error))?;
    tried.map_err(|error| chain(&error))
}

/// Takes every state and policy of ours out of the calling thread's namespace. Returns how many there were.
pub(in crate::agent) fn remove_xfrm() -> Result<usize, Error> {
    let mut kernel = match XfrmSocket::open() {
        Ok(kernel) => kernel,
        // A kernel without xfrm holds nothing of it.
        Err(error) => {
            tracing::debug!(%error, "no xfrm");
            return Ok(0);
        }
    };
    xfrm::clear(&mut kernel).map_err(|source| Error::Xfrm { source })
}
