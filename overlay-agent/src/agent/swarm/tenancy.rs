//! Tasks follow their service: into networks that it gets, out of those that it loses, and away when it
//! is removed.
//!
//! Input: the managers' view, the endpoints of this node, time. Output: endpoints attached, drained and detached.
//! Ends with the node's part in the swarm.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{sync::watch, task::JoinSet, time::MissedTickBehavior};
use tracing::{debug, error, info, warn};

use crate::{
    agent::{
        arrival::attach_leased,
        audit::ask,
        drain::drain,
        owner::{Command, Membership},
        plane::Plane,
    },
    api::{ApiError, types::AttachRequest},
    model::{Attachment, ClusterView, NamespaceId, ServiceId, Vni},
};

/// Time between two looks for what could not be done, or came meanwhile.
const LOOK: Duration = Duration::from_secs(5);

/// A task that came this many seconds ago is surely in all networks that it was attached to.
const SETTLED: u64 = 5;

/// What tasks of this node have to do.
#[derive(Debug, Default, Eq, PartialEq)]
struct Moves {
    /// Endpoints that go, and why.
    leave: Vec<(Arc<Attachment>, String)>,
    /// Endpoints beside which the same task gets one more, and the network.
    join: Vec<(Arc<Attachment>, String)>,
}

/// What leads from the endpoints that are there to those that the view wants. `now` is in seconds since
/// 1970.
fn moves(view: &ClusterView, endpoints: &BTreeMap<String, Arc<Attachment>>, now: u64) -> Moves {
    let mut moves = Moves::default();
    let mut following: BTreeMap<(ServiceId, NamespaceId), Vec<&Arc<Attachment>>> = BTreeMap::new();
    for endpoint in endpoints.values() {
        let Some(id) = endpoint.service else {
            continue;
        };
        let reason = match view.services.get(&id) {
            None => "its service was removed".to_owned(),
            Some(service) if !service.networks.contains_key(&endpoint.vni) => {
                format!("service {} left the network", service.name)
            }
            Some(_) => {
                if endpoint.follows_service {
                    let task = (id, endpoint.namespace);
                    following.entry(task).or_default().push(endpoint);
                }
                continue;
            }
        };
        moves.leave.push((Arc::clone(endpoint), reason));
    }
    // A task whose last network went is found by what it leaves.
    for (endpoint, _) in moves.leave.iter().filter(|(gone, _)| gone.follows_service) {
        if let Some(id) = endpoint.service {
            let task = (id, endpoint.namespace);
            following.entry(task).or_default();
        }
    }
    let mut unsettled: BTreeSet<(ServiceId, NamespaceId)> = BTreeSet::new();
    for ((id, namespace), present) in following {
        let Some(service) = view.services.get(&id) else {
            continue;
        };
        let leaving = moves.leave.iter().map(|(endpoint, _)| endpoint);
        let leaving = leaving.filter(|one| one.service == Some(id) && one.namespace == namespace);
        let known: Vec<&Arc<Attachment>> = present.iter().copied().chain(leaving).collect();
        let is_settled = known
            .iter()
            // The clock may have gone back since.
            .all(|endpoint| {
                now < endpoint.created || endpoint.created.saturating_add(SETTLED) <= now
            });
        if !is_settled {
            unsettled.insert((id, namespace));
            continue;
        }
        let Some(first) = known.first() else {
            continue;
        };
        let here: BTreeSet<Vni> = present.iter().map(|endpoint| endpoint.vni).collect();
        let missing = service.networks.keys().filter(|vni| !here.contains(vni));
        for network in missing.filter_map(|vni| view.networks.get(vni)) {
            let network = network.network.name.clone();
            moves.join.push((Arc::clone(first), network));
        }
    }
    // It would be gone before it could follow.
    moves
        .leave
        .retain(|(endpoint, _)| task_of(endpoint).is_none_or(|task| !unsettled.contains(&task)));
    moves
}

/// What follows its service as one.
fn task_of(endpoint: &Attachment) -> Option<(ServiceId, NamespaceId)> {
    let service = endpoint.service.filter(|_| endpoint.follows_service)?;
    Some((service, endpoint.namespace))
}

/// Has tasks follow their services, until the managers' word comes no more.
pub(super) async fn follow(plane: Arc<Plane>, view: watch::Receiver<Arc<ClusterView>>) {
    Tenancy { plane, view }.run().await;
}

struct Tenancy {
    plane: Arc<Plane>,
    view: watch::Receiver<Arc<ClusterView>>,
}

impl Tenancy {
    async fn run(mut self) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What failed is told once.
        let mut failed: BTreeSet<(String, String)> = BTreeSet::new();
        // Each ends what it has begun first; nothing waits for that.
        let mut leaving: JoinSet<String> = JoinSet::new();
        let mut going: BTreeSet<String> = BTreeSet::new();
        loop {
            tokio::select! {
                changed = self.view.changed() => if changed.is_err() { return },
                Some(gone) = leaving.join_next() => match gone {
                    Ok(id) => {
                        going.remove(&id);
                    }
                    Err(error) => error!(%error, "BUG: leaving a network ended early"),
                },
                _ = look.tick() => {}
            }
            let view = self.view.borrow_and_update().clone();
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let endpoints = self.plane.shared.directory().all();
            let moves = moves(&view, &endpoints, now.unwrap_or_default().as_secs());
            // In new networks first, and out of the old ones only then: a task is never without one that it
            // could have had.
            let mut stays: BTreeSet<(ServiceId, NamespaceId)> = BTreeSet::new();
            for (beside, network) in moves.join {
                let key = (beside.id.clone(), network.clone());
                match self.join(&beside, network).await {
                    Ok(()) => {
                        failed.remove(&key);
                    }
                    Err(error) => {
                        stays.extend(task_of(&beside));
                        let network = key.1.clone();
                        if failed.insert(key) {
                            warn!(%error, endpoint = beside.name, network, "could not follow its service; tries again");
                        }
                    }
                }
            }
            for (endpoint, reason) in moves.leave {
                if task_of(&endpoint).is_some_and(|task| stays.contains(&task)) {
                    continue;
                }
                if going.insert(endpoint.id.clone()) {
                    let (plane, view) = (Arc::clone(&self.plane), Arc::clone(&view));
                    leaving.spawn(async move {
                        leave(&plane, &view, &endpoint, &reason).await;
                        endpoint.id.clone()
                    });
                }
            }
        }
    }

    async fn join(&self, beside: &Attachment, network: String) -> Result<(), ApiError> {
        let (Some(swarm), Some(service)) = (&self.plane.swarm, beside.service) else {
            return Ok(());
        };
        let request = AttachRequest {
            netns: beside.netns.clone(),
            network,
            name: beside.name.clone(),
            aliases: beside.aliases.clone(),
            ..AttachRequest::default()
        };
        let membership = Membership {
            service,
            follows: true,
        };
        let made = attach_leased(&self.plane, swarm, &request, Some(membership)).await?;
        if made.namespace == beside.namespace {
            info!(
                endpoint = made.name,
                network = made.network,
                "follows its service"
            );
            return Ok(());
        }
        // The path belongs to another namespace by now.
        let id = made.id.clone();
        ask(&self.plane.commands, |answer| {
            Command::Detach(id, None, answer)
        })
        .await??;
        Err(ApiError::conflict(format!(
            "the network namespace of endpoint {} is gone",
            beside.name
        )))
    }
}

/// Takes an endpoint away; what its service still has is drained first. Nobody can reach a service that is gone.
async fn leave(plane: &Plane, view: &ClusterView, endpoint: &Arc<Attachment>, reason: &str) {
    let service = endpoint.service;
    if service.is_some_and(|service| view.services.contains_key(&service))
        && let Err(error) = drain(plane, view, std::slice::from_ref(endpoint)).await
    {
        debug!(%error, endpoint = endpoint.name, "could not be drained");
    }
    let id = endpoint.id.clone();
    let command = |answer| Command::Detach(id, None, answer);
    match ask(&plane.commands, command).await {
        Ok(Ok(_)) => {
            info!(
                endpoint = endpoint.name,
                network = endpoint.network,
                reason,
                "detached"
            );
        }
        Ok(Err(error)) => {
            debug!(%error, endpoint = endpoint.name, "could not be detached; tries again");
        }
        Err(error) => debug!(%error, "the node is stopping"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        agent::testing::{attachment, blue},
        model::{ClusterNetwork, ClusterService, EndpointMode, Network, NetworkId},
    };

    const NOW: u64 = 1000;

    fn red() -> Vni {
        Vni::try_from(u32::from(blue()) + 1).unwrap()
    }

    fn network(name: &str, vni: Vni) -> ClusterNetwork {
        ClusterNetwork {
            id: NetworkId::from_random(u32::from(vni).into()),
            network: Network {
                name: name.to_owned(),
                vni,
                subnets: Vec::new(),
                gateways: Vec::new(),
                mtu: None,
            },
            ranges: Vec::new(),
            attachable: false,
            internal: false,
            encrypted: false,
            ingress: false,
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
            created: 0,
        }
    }

    /// Networks `blue` and `red`, and service 1 on some of them.
    fn view(networks: &[Vni]) -> ClusterView {
        let id = ServiceId::from_random(1);
        let service = ClusterService {
            id,
            name: "web".to_owned(),
            networks: networks.iter().map(|vni| (*vni, Vec::new())).collect(),
            mode: EndpointMode::Vip,
            ports: BTreeSet::new(),
            direct_return: false,
            drain_s: 10,
            health: None,
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
            created: 0,
            updated: 0,
            version: 1,
        };
        ClusterView {
            networks: [("blue", blue()), ("red", red())]
                .map(|(name, vni)| (vni, network(name, vni)))
                .into(),
            services: [(id, service)].into(),
            ..ClusterView::default()
        }
    }

    fn task(number: u8, follows: bool) -> Attachment {
        Attachment {
            service: Some(ServiceId::from_random(1)),
            follows_service: follows,
            ..attachment(number)
        }
    }

    fn found(view: &ClusterView, endpoints: &[Attachment]) -> (Vec<String>, Vec<String>) {
        let all = endpoints.iter().cloned();
        let all = all.map(|one| (one.id.clone(), Arc::new(one))).collect();
        let Moves { leave, join } = moves(view, &all, NOW);
        let leave = leave
            .into_iter()
            .map(|(one, _)| format!("{} {}", one.name, one.vni));
        let join = join
            .into_iter()
            .map(|(one, network)| format!("{} {network}", one.name));
        (leave.collect(), join.collect())
    }

    #[test]
    fn nothing_moves_where_all_is_well() {
        let stranger = attachment(2);

        let moved = found(&view(&[blue()]), &[task(1, true), stranger]);

        assert_eq!(moved, (vec![], vec![]));
    }

    #[test]
    fn tasks_follow_into_new_networks_unless_they_chose_theirs() {
        let both = view(&[blue(), red()]);

        let (leave, join) = found(&both, &[task(1, true), task(2, false)]);

        assert!(leave.is_empty());
        assert_eq!(join, ["c1 red"]);
    }

    #[test]
    fn a_task_that_is_being_attached_is_left_alone() {
        let new = [Attachment {
            created: NOW - 1,
            ..task(1, true)
        }];

        assert_eq!(found(&view(&[blue(), red()]), &new), (vec![], vec![]));
        assert_eq!(found(&view(&[red()]), &new), (vec![], vec![]));
    }

    #[test]
    fn a_service_that_moves_takes_its_tasks_along() {
        let (leave, join) = found(&view(&[red()]), &[task(1, true), task(2, false)]);

        assert_eq!(leave, [format!("c1 {}", blue()), format!("c2 {}", blue())]);
        assert_eq!(join, ["c1 red"]);
    }

    #[test]
    fn tasks_of_a_removed_service_go() {
        let none = ClusterView {
            services: BTreeMap::new(),
            ..view(&[])
        };

        let (leave, join) = found(&none, &[task(1, true), task(2, false), attachment(3)]);

        assert_eq!((leave.len(), join.len()), (2, 0));
    }
}
