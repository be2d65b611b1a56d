//! Keeps openraft running: it ends for good at the first failure of the store.

use std::{sync::Arc, time::Duration};

use openraft::ServerState;
use tokio::time::sleep;
use tracing::{error, info};

use super::{
    Leader, OpenError, StateMachine, StoreError, Transport,
    manager::{Engine, Inner},
    types::{Metrics, Raft},
};

/// Between two attempts to use a store that failed.
const RETRY: Duration = Duration::from_secs(1);

enum End {
    Told,
    Failed(StoreError),
}

/// Watches over `raft` and its successors until it is told to stop.
pub(super) async fn supervise<S: StateMachine, T: Transport>(
    inner: Arc<Inner<S>>,
    transport: Arc<T>,
    mut raft: Raft,
) {
    loop {
        let end = watch_over(&inner, &raft).await;
        if raft.shutdown().await.is_err() {
            error!("openraft ended with a panic");
        }
        inner.leader.send_replace(None);
        let End::Failed(fault) = end else { break };
        error!(%fault, "the managers' store failed; trying again until it works");
        inner.engine.send_replace(Engine::Failed(fault));
        match recover(&inner, &transport).await {
            Some(successor) => raft = successor,
            None => break,
        }
        info!("the managers' store works again");
        inner.engine.send_replace(Engine::Running(raft.clone()));
    }
    inner.engine.send_replace(Engine::Stopped);
    let store = Arc::clone(&inner.store);
    if tokio::task::spawn_blocking(move || store.close())
        .await
        .is_err()
    {
        error!("the managers' store could not be closed in order");
    }
}

async fn watch_over<S: StateMachine>(inner: &Inner<S>, raft: &Raft) -> End {
    let mut metrics = raft.metrics();
    loop {
        let seen = metrics.borrow_and_update().clone();
        if let Err(fatal) = &seen.running_state {
            return End::Failed(inner.fault_behind(fatal));
        }
        let leader = leader(&seen, inner.options.timing.election_max);
        inner.leader.send_if_modified(|known| {
            let changed = *known != leader;
            *known = leader;
            changed
        });
        tokio::select! {
            () = inner.stop.cancelled() => return End::Told,
            changed = metrics.changed() => if changed.is_err() {
                return End::Failed(inner.fault_behind(&"openraft ended"));
            },
        }
    }
}

/// Who leads, by what openraft last said.
pub(super) fn leader(metrics: &Metrics, lease: Duration) -> Option<Leader> {
    let id = metrics.current_leader?;
    let membership = metrics.membership_config.membership();
    let address = membership.get_node(&id)?.address;
    if id == metrics.id && !leads(metrics, lease) {
        return None;
    }
    Some(Leader {
        id: id.into(),
        address,
    })
}

/// Whether this manager leads and heard from a majority lately.
pub(super) fn leads(metrics: &Metrics, lease: Duration) -> bool {
    let alone = metrics.membership_config.membership().voter_ids().count() == 1;
    let silence = metrics.millis_since_quorum_ack.unwrap_or_default();
    metrics.state == ServerState::Leader && (alone || Duration::from_millis(silence) <= 2 * lease)
}

async fn recover<S: StateMachine, T: Transport>(
    inner: &Inner<S>,
    transport: &Arc<T>,
) -> Option<Raft> {
    loop {
        tokio::select! {
            () = inner.stop.cancelled() => return None,
            () = sleep(RETRY) => {}
        }
        let store = Arc::clone(&inner.store);
        let reopened = tokio::task::spawn_blocking(move || store.reopen()).await;
        let fault = match reopened {
            Ok(Ok(())) => match inner.run(transport).await {
                Ok(raft) => return Some(raft),
                Err(OpenError::Store(fault)) => fault,
                Err(error) => inner.fault_behind(&error),
            },
            Ok(Err(fault)) => fault,
            Err(panic) => inner.fault_behind(&panic),
        };
        inner.engine.send_replace(Engine::Failed(fault));
    }
}
