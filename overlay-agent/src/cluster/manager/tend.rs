//! What the leader does by itself: who votes follows from who is a manager, and what is due by the clock
//! is proposed.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info, warn};

use super::{Manager, random_bits};
use crate::{
    cluster::{
        consensus::ReplicatedLog as _,
        state::{Change, Chore, CreateNetwork, Schedule, Secret, State},
    },
    model::{NetworkId, NodeId, Role},
};

/// Time between two looks when nothing happens.
const TICK: Duration = Duration::from_secs(5);

/// Keys move on every 12 hours if nobody chose another time; those that a removed node knows are retired after a minute; addresses of
/// nodes that left come back after an hour, which is longer than others remember their endpoints.
pub(super) const SCHEDULE: Schedule = Schedule {
    rotate_keys: 12 * 3600,
    retire_keys: 60,
    reap: 3600,
};

/// Tends the cluster while this manager leads. Ends when consensus does.
pub async fn tend(manager: Manager) {
    let mut applied = manager.consensus.applied();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            changed = applied.changed() => if changed.is_err() { return },
        }
        let leader = *manager.consensus.leader().borrow();
        if leader.is_some_and(|leader| leader.id == manager.consensus.id()) {
            manager.settle_voters().await;
            manager.do_chores().await;
        }
    }
}

impl Manager {
    async fn settle_voters(&self) {
        let managers = self.consensus.with_state(managers);
        if managers.is_empty() {
            // The cluster is about to begin.
            return;
        }
        let voters: BTreeMap<NodeId, SocketAddr> = self.consensus.voters().into_iter().collect();
        for (node, address) in &managers {
            if voters.get(node) == Some(address) {
                continue;
            }
            match self.consensus.add_voter(*node, *address).await {
                Ok(()) => info!(%node, "votes from now on"),
                Err(error) => debug!(%error, %node, "does not vote yet"),
            }
        }
        for node in voters.keys().filter(|node| !managers.contains_key(node)) {
            match self.consensus.remove_voter(*node).await {
                Ok(()) => info!(%node, "votes no longer"),
                Err(error) => warn!(%error, %node, "votes still"),
            }
        }
    }

    async fn do_chores(&self) {
        let now = self.clock.now();
        let chores = self
            .consensus
            .with_state(|state| state.chores(now, &SCHEDULE));
        for chore in chores {
            let change = match chore {
                Chore::RotateKeys => Change::RotateKeys {
                    secret: Secret::new(rand::random()),
                },
                Chore::RetireKeys { oldest } => Change::RetireKeys { oldest },
                Chore::FinishAuthorityRotation => Change::FinishAuthorityRotation { force: false },
                Chore::CreateIngress => {
                    let id = NetworkId::from_random(random_bits());
                    Change::CreateNetwork(Box::new(CreateNetwork::ingress(id)))
                }
                Chore::Reap { after } => Change::Reap { after },
            };
            match self.propose(random_bits(), change).await {
                Ok(_) if chore == Chore::FinishAuthorityRotation => {
                    info!("only the new root CA is trusted from now on");
                }
                Ok(_) => debug!(?chore, "done"),
                Err(error) => debug!(%error, ?chore, "could not be done; later again"),
            }
        }
    }
}

/// Every manager that takes part, and where it answers.
fn managers(state: &State) -> BTreeMap<NodeId, SocketAddr> {
    let nodes = state.nodes().filter(|node| node.is_present());
    nodes
        .filter(|node| node.member.role == Role::Manager)
        .map(|node| (node.member.id, node.member.control))
        .collect()
}
