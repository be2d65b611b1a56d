//! Whether tasks of this node can take flows, as their services want it found out.
//!
//! Input: the checks that are wanted, which change with endpoints and services; time. Output: states of
//! endpoints that changed. Ends when nobody wants checks any more. Each endpoint has a task of its own,
//! which goes with its check.

mod probe;
mod verdict;

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
    time::{MissedTickBehavior, interval},
};
use tracing::{info, trace};
use verdict::Verdict;

use super::swarm::News;
use crate::model::{HealthCheck, NamespaceId, TaskState};

/// A check of one endpoint.
#[derive(Clone, Debug)]
pub(super) struct Check {
    /// Where its network namespace was found.
    pub(super) netns: PathBuf,
    /// The namespace itself.
    pub(super) namespace: NamespaceId,
    /// The address that is tried.
    pub(super) address: IpAddr,
    /// What the service wants.
    pub(super) health: HealthCheck,
    /// What is known so far.
    pub(super) begins: TaskState,
}

impl Check {
    /// Whether another check tries the same: then it goes on.
    fn is_like(&self, other: &Self) -> bool {
        let key = |check: &Self| (check.namespace, check.address);
        key(self) == key(other) && self.health == other.health
    }
}

/// The checks that are wanted, by endpoint.
pub(super) type Checks = BTreeMap<String, Check>;

/// Checks until nobody wants checks any more.
pub(super) async fn check(mut wanted: watch::Receiver<Checks>, news: mpsc::UnboundedSender<News>) {
    let mut running: BTreeMap<String, (Check, AbortHandle)> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    loop {
        let checks = wanted.borrow_and_update().clone();
        running.retain(|id, (check, task)| {
            let stays = checks.get(id).is_some_and(|wanted| wanted.is_like(check));
            if !stays {
                task.abort();
            }
            stays
        });
        for (id, check) in checks {
            if running.contains_key(&id) {
                continue;
            }
            let task = tasks.spawn(check_one(id.clone(), check.clone(), news.clone()));
            running.insert(id, (check, task));
        }
        loop {
            tokio::select! {
                changed = wanted.changed() => match changed {
                    Ok(()) => break,
                    Err(_closed) => return,
                },
                Some(_ended) = tasks.join_next() => {}
            }
        }
    }
}

async fn check_one(endpoint: String, check: Check, news: mpsc::UnboundedSender<News>) {
    let check = Arc::new(check);
    let every = Duration::from_millis(check.health.interval_ms.max(1).into());
    let mut verdict = Verdict::new(check.begins, check.health.retries);
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let outcome = probe::probe(&check).await;
        if let Err(reason) = &outcome {
            trace!(endpoint, reason, "a check failed");
        }
        let Some(state) = verdict.observe(outcome.is_ok()) else {
            continue;
        };
        info!(endpoint, ?state, "what its check says has changed");
        if news.send(News::Checked(endpoint.clone(), state)).is_err() {
            return;
        }
    }
}
