//! Verbs of services.

use std::{
    collections::{BTreeMap, BTreeSet},
    slice,
    sync::Arc,
};

use super::{AgentBackend, roster};
use crate::{
    agent::{
        audit::ask,
        owner::{Command, Membership},
        swarm::{Access, refused},
    },
    api::{
        ApiError, ServiceBackend, refusals,
        types::{
            AttachRequest, EndpointInfo, ServiceCreate, ServiceCreated, ServiceInfo, ServicePort,
            ServiceStatus, ServiceTask, ServiceUpdate, TaskAttach,
        },
    },
    cluster::{
        consensus::ReplicatedLog as _,
        state::{Change, CreateService, HealthEdit, PortPattern, Reply, ServiceEdit},
    },
    gossip,
    model::{
        Claim, ClusterService, ClusterView, NetworkId, NodeId, PortWish, PublishMode, ServiceId,
        TaskState, Vni,
    },
};

impl AgentBackend {
    /// The service that a manager means by a name.
    fn find_service(access: &Access, name: &str) -> Result<ServiceId, ApiError> {
        let manager = access.manager.as_ref();
        let manager = manager.ok_or_else(refusals::not_a_manager)?;
        manager.consensus().with_state(|state| {
            let found = state.find_service(name);
            found
                .map(|service| service.id)
                .map_err(|refusal| refused(&refusal))
        })
    }

    /// What the managers said of a service last.
    fn told_service(access: &Access, id: ServiceId) -> Result<ServiceInfo, ApiError> {
        let view = access.view.borrow();
        let service = view.services.get(&id);
        let service = service.ok_or_else(|| refusals::no_service(&id.to_string()))?;
        Ok(ServiceInfo::new(service, &view, ServiceStatus::default()))
    }

    /// The tasks of services, by service, and each service's own by name and node.
    async fn tasks(
        &self,
        access: &Access,
        services: &[ClusterService],
    ) -> Result<BTreeMap<ServiceId, Vec<ServiceTask>>, ApiError> {
        let plane = self.plane()?;
        let networks: BTreeSet<Vni> = services
            .iter()
            .flat_map(|service| service.networks.keys().copied())
            .collect();
        let claims = roster::claims_in(access, &plane.shared, &networks).await;
        let view = access.view.borrow().clone();
        let states = access.gossip.states().borrow().clone();
        let answers = |node: NodeId| {
            node == access.kept.node || states.get(&node) == Some(&gossip::NodeState::Up)
        };
        let told = services.iter().map(|service| {
            let tasks = gathered(service, &view, &claims, answers);
            (service.id, tasks)
        });
        Ok(told.collect())
    }
}

impl ServiceBackend for AgentBackend {
    async fn services(&self) -> Result<Vec<ServiceInfo>, ApiError> {
        let access = self.manager_of_services()?;
        let view = access.view.borrow().clone();
        let mut services: Vec<ClusterService> = view.services.values().cloned().collect();
        services.sort_by(|a, b| a.name.cmp(&b.name));
        let tasks = self.tasks(&access, &services).await?;
        let told = services.iter().map(|service| {
            let tasks = tasks.get(&service.id).map(Vec::as_slice);
            ServiceInfo::new(service, &view, counted(tasks.unwrap_or_default()))
        });
        Ok(told.collect())
    }

    async fn service(&self, name: String) -> Result<ServiceInfo, ApiError> {
        let access = self.manager_of_services()?;
        let id = Self::find_service(&access, &name)?;
        let view = access.view.borrow().clone();
        let service = view.services.get(&id);
        let service = service.ok_or_else(|| refusals::no_service(&name))?;
        let tasks = self.tasks(&access, slice::from_ref(service)).await?;
        let tasks = tasks.get(&id).map(Vec::as_slice);
        Ok(ServiceInfo::new(
            service,
            &view,
            counted(tasks.unwrap_or_default()),
        ))
    }

    async fn service_create(&self, request: ServiceCreate) -> Result<ServiceCreated, ApiError> {
        let access = self.manager_of_services()?;
        let wish = CreateService {
            id: ServiceId::from_random(rand::random()),
            networks: network_ids(&access, &request.networks)?,
            name: request.name,
            mode: request.mode,
            ports: request.ports,
            drain_s: request.drain_s,
            health: request.health,
            labels: request.labels,
            options: request.options,
        };
        match access
            .managers
            .change(Change::CreateService(Box::new(wish)))
            .await?
        {
            Reply::Service { id } => Ok(ServiceCreated {
                id,
                warnings: Vec::new(),
            }),
            Reply::Done | Reply::Network { .. } | Reply::Leases(_) | Reply::Reaped(_) => Err(
                ApiError::unavailable("the managers answered without a service"),
            ),
        }
    }

    async fn service_update(
        &self,
        name: String,
        request: ServiceUpdate,
    ) -> Result<ServiceInfo, ApiError> {
        let access = self.manager_of_services()?;
        let service = Self::find_service(&access, &name)?;
        let edit = ServiceEdit {
            add_networks: network_ids(&access, &request.add_networks)?,
            remove_networks: network_ids(&access, &request.remove_networks)?,
            add_ports: request.add_ports,
            remove_ports: request.remove_ports.iter().map(pattern).collect(),
            add_labels: request.add_labels,
            remove_labels: request.remove_labels,
            mode: request.mode,
            health: match (request.no_health, request.health) {
                (true, _) => HealthEdit::Remove,
                (false, Some(health)) => HealthEdit::Set(health),
                (false, None) => HealthEdit::Keep,
            },
            drain_s: request.drain_s,
            options: request.options,
        };
        let edit = Box::new(edit);
        access
            .managers
            .change(Change::UpdateService { service, edit })
            .await?;
        Self::told_service(&access, service)
    }

    async fn service_remove(&self, name: String) -> Result<ServiceInfo, ApiError> {
        let access = self.manager_of_services()?;
        let service = Self::find_service(&access, &name)?;
        let info = Self::told_service(&access, service)?;
        access
            .managers
            .change(Change::RemoveService { service })
            .await?;
        Ok(info)
    }

    async fn service_tasks(&self, name: String) -> Result<Vec<ServiceTask>, ApiError> {
        let access = self.manager_of_services()?;
        let id = Self::find_service(&access, &name)?;
        let service = access.view.borrow().services.get(&id).cloned();
        let service = service.ok_or_else(|| refusals::no_service(&name))?;
        let mut tasks = self.tasks(&access, &[service]).await?;
        Ok(tasks.remove(&id).unwrap_or_default())
    }

    async fn task_attach(
        &self,
        service: String,
        request: TaskAttach,
    ) -> Result<Vec<EndpointInfo>, ApiError> {
        let access = self.access()?;
        let view = access.view.borrow().clone();
        let found = view.service(&service);
        let found = found.ok_or_else(|| refusals::no_service(&service))?;
        let networks = found.networks.keys();
        let networks = networks.filter_map(|vni| view.networks.get(vni));
        let networks: Vec<String> = networks
            .map(|network| network.network.name.clone())
            .collect();
        let membership = Membership {
            service: found.id,
            follows: true,
        };
        let mut made: Vec<EndpointInfo> = Vec::with_capacity(networks.len());
        for network in networks {
            let wish = AttachRequest {
                netns: request.netns.clone(),
                network,
                name: request.name.clone(),
                aliases: request.aliases.clone(),
                // Its node answers for it once, by its first endpoint.
                ports: if made.is_empty() {
                    request.ports.clone()
                } else {
                    Vec::new()
                },
                ..AttachRequest::default()
            };
            match self.attach_as(wish, Some(membership)).await {
                Ok(endpoint) => made.push(endpoint),
                Err(error) => {
                    self.take_back(&made).await;
                    return Err(error);
                }
            }
        }
        Ok(made)
    }
}

impl AgentBackend {
    fn manager_of_services(&self) -> Result<Arc<Access>, ApiError> {
        let life = self.life.as_ref().ok_or_else(refusals::not_in_swarm)?;
        life.manager_access()
    }

    /// Takes away what was made of something that failed.
    async fn take_back(&self, made: &[EndpointInfo]) {
        let Ok(plane) = self.plane() else {
            return;
        };
        for endpoint in made {
            let id = endpoint.id.clone();
            let command = |answer| Command::Detach(id, None, answer);
            match ask(&plane.commands, command).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, endpoint = endpoint.name, "half of a task is left");
                }
                Err(_stopping) => return,
            }
        }
    }
}

/// The networks of these names, identifiers or beginnings of them.
fn network_ids(access: &Access, names: &[String]) -> Result<Vec<NetworkId>, ApiError> {
    let found = names
        .iter()
        .map(|name| roster::find_network(access, name).map(|network| network.id));
    found.collect()
}

fn pattern(wish: &PortWish) -> PortPattern {
    PortPattern {
        target: wish.target,
        protocol: wish.protocol,
        mode: wish.mode,
        published: wish.published,
    }
}

/// The tasks of a service: what one node claims under one name is one.
fn gathered(
    service: &ClusterService,
    view: &ClusterView,
    claims: &[(NodeId, Claim)],
    answers: impl Fn(NodeId) -> bool,
) -> Vec<ServiceTask> {
    let host_ports: Vec<ServicePort> = service
        .ports
        .iter()
        .filter(|port| port.mode == PublishMode::Host)
        .map(|port| ServicePort::from(*port))
        .collect();
    let mut found: BTreeMap<(String, NodeId), ServiceTask> = BTreeMap::new();
    for (node, claim) in claims {
        let Some(part) = claim.task.filter(|part| part.service == service.id) else {
            continue;
        };
        let member = view.members.get(node);
        let key = (claim.name.clone(), *node);
        let task = found.entry(key).or_insert_with(|| ServiceTask {
            id: claim.endpoint.clone(),
            name: claim.name.clone(),
            service: service.name.clone(),
            node: member.map_or_else(|| node.to_string(), |member| member.hostname.clone()),
            node_answers: answers(*node),
            networks: Vec::new(),
            addresses: Vec::new(),
            state: part.state,
            ports: host_ports.clone(),
        });
        task.state = less_ready(task.state, part.state);
        let network = view.networks.get(&claim.vni);
        let network = network.map_or_else(
            || claim.vni.to_string(),
            |network| network.network.name.clone(),
        );
        if !task.networks.contains(&network) {
            task.networks.push(network);
        }
        task.addresses.push(claim.address);
    }
    found.into_values().collect()
}

/// A task is as ready as the least ready of its endpoints.
fn less_ready(one: TaskState, other: TaskState) -> TaskState {
    let rank = |state: TaskState| match state {
        TaskState::Running => 0,
        TaskState::Starting => 1,
        TaskState::Unhealthy => 2,
        TaskState::Draining => 3,
    };
    if rank(other) > rank(one) { other } else { one }
}

fn counted(tasks: &[ServiceTask]) -> ServiceStatus {
    let takes_flows = |task: &&ServiceTask| task.state == TaskState::Running && task.node_answers;
    ServiceStatus {
        running_tasks: tasks.iter().filter(takes_flows).count() as u64,
        desired_tasks: tasks.len() as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EndpointMode, TaskClaim};

    fn claim(name: &str, address: &str, vni: u32, state: TaskState) -> Claim {
        Claim {
            vni: vni.try_into().unwrap(),
            address: address.parse().unwrap(),
            name: name.to_owned(),
            endpoint: format!("{name}-{vni}"),
            mac: None,
            aliases: Vec::new(),
            task: Some(TaskClaim {
                service: ServiceId::from_random(1),
                state,
            }),
            index: 0,
        }
    }

    fn web() -> ClusterService {
        ClusterService {
            id: ServiceId::from_random(1),
            name: "web".to_owned(),
            networks: BTreeMap::new(),
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
        }
    }

    #[test]
    fn the_endpoints_of_one_container_are_one_task() {
        let (here, there) = (NodeId::from_random(1), NodeId::from_random(2));
        let running = TaskState::Running;
        let mut stranger = claim("other", "10.1.0.9", 4097, running);
        stranger.task = None;
        let claims = [
            (here, claim("web-1", "10.1.0.5", 4097, running)),
            (here, claim("web-1", "10.2.0.5", 4098, TaskState::Starting)),
            (there, claim("web-1", "10.1.0.6", 4097, running)),
            (there, claim("web-2", "10.1.0.7", 4097, running)),
            (here, stranger),
        ];

        let tasks = gathered(&web(), &ClusterView::default(), &claims, |node| {
            node == there
        });

        assert_eq!(tasks.len(), 3);
        assert_eq!(tasks[0].networks, ["4097", "4098"]);
        assert_eq!(tasks[0].addresses.len(), 2);
        assert_eq!(tasks[0].state, TaskState::Starting);
        let ServiceStatus {
            running_tasks,
            desired_tasks,
        } = counted(&tasks);
        assert_eq!((running_tasks, desired_tasks), (2, 3));
    }
}
