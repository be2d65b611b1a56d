//! Verbs of services, as the fake agent does them: tasks are its endpoints that name a service.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    FakeBackend,
    cluster::{CREATED, Cluster, Membership},
};
use crate::{
    api::{
        ApiError, Backend as _, ServiceBackend, refusals,
        types::{
            AttachRequest, EndpointInfo, NetworkInfo, ServiceCreate, ServiceCreated, ServiceInfo,
            ServiceStatus, ServiceTask, ServiceUpdate, TaskAttach,
        },
    },
    model::{
        ClusterNetwork, ClusterService, ClusterView, EndpointMode, Network, ServiceId, TaskState,
        Vni,
    },
};

/// The identifier of the service that was made `n`-th.
pub(crate) fn service_id(n: usize) -> ServiceId {
    let text = format!("e{n}5k8m2p9q1r4s6t7u0v2w4x6");
    format!("{text:0<25}").parse().unwrap()
}

impl Cluster {
    fn serve(&mut self, wish: ServiceCreate) -> Result<ServiceId, ApiError> {
        if self.services.iter().any(|other| other.name == wish.name) {
            return Err(ApiError::conflict(format!(
                "name conflicts with an existing object: service {} already exists",
                wish.name
            )));
        }
        let made = self.services.len();
        let id = service_id(made);
        let networks = wish
            .networks
            .iter()
            .map(|name| self.vip(name, wish.mode, made));
        let networks = networks.collect::<Result<_, _>>()?;
        self.services.push(ClusterService {
            id,
            name: wish.name,
            networks,
            mode: wish.mode,
            ports: wish.ports.iter().map(|port| port.at(30_000)).collect(),
            direct_return: wish.options.contains_key("dsr"),
            drain_s: wish.drain_s,
            health: wish.health,
            labels: wish.labels,
            options: wish.options,
            created: CREATED,
            updated: CREATED,
            version: 1,
        });
        Ok(id)
    }

    fn vip(
        &self,
        network: &str,
        mode: EndpointMode,
        n: usize,
    ) -> Result<(Vni, Vec<IpAddr>), ApiError> {
        let mut networks = self.networks.iter();
        let found = networks.find(|known| known.name == network);
        let found = found.ok_or_else(|| refusals::no_network(network))?;
        let addresses = match mode {
            EndpointMode::Vip => found.subnets[0].hosts().nth(200 + n).into_iter().collect(),
            EndpointMode::Dnsrr => Vec::new(),
        };
        Ok((found.vni, addresses))
    }

    fn service_at(&self, name: &str) -> Result<usize, ApiError> {
        let is_named = |service: &ClusterService| {
            service.name == name || service.id.to_string().starts_with(name)
        };
        let found = self.services.iter().position(is_named);
        found.ok_or_else(|| refusals::no_service(name))
    }

    fn tell(&self, service: &ClusterService, tasks: u64) -> ServiceInfo {
        let networks = self
            .networks
            .iter()
            .map(|network| (network.vni, known(network)));
        let view = ClusterView {
            networks: networks.collect(),
            ..ClusterView::default()
        };
        let status = ServiceStatus {
            running_tasks: tasks,
            desired_tasks: tasks,
        };
        ServiceInfo::new(service, &view, status)
    }
}

/// A network as all nodes know it.
fn known(info: &NetworkInfo) -> ClusterNetwork {
    ClusterNetwork {
        id: info.id.unwrap(),
        network: Network {
            name: info.name.clone(),
            vni: info.vni,
            subnets: info.subnets.clone(),
            gateways: info.gateways.clone(),
            mtu: None,
        },
        ranges: Vec::new(),
        attachable: info.attachable,
        internal: info.internal,
        encrypted: info.encrypted,
        ingress: info.ingress,
        labels: BTreeMap::new(),
        options: BTreeMap::new(),
        created: CREATED,
    }
}

impl FakeBackend {
    fn tasks_of(&self, service: &ClusterService) -> Vec<ServiceTask> {
        let endpoints = self.lock();
        let own = endpoints
            .iter()
            .filter(|one| one.service == Some(service.id));
        let mut tasks: BTreeMap<String, ServiceTask> = BTreeMap::new();
        for endpoint in own {
            let task = tasks.entry(endpoint.name.clone());
            let task = task.or_insert_with(|| ServiceTask {
                id: endpoint.id.clone(),
                name: endpoint.name.clone(),
                service: service.name.clone(),
                node: "a".to_owned(),
                node_answers: true,
                networks: Vec::new(),
                addresses: Vec::new(),
                state: TaskState::Running,
                ports: Vec::new(),
            });
            task.networks.push(endpoint.network.clone());
            task.addresses.extend(endpoint.addresses());
        }
        tasks.into_values().collect()
    }

    /// The networks of a service as any node knows it.
    fn networks_of(&self, name: &str) -> Result<(ServiceId, Vec<String>), ApiError> {
        let membership = self.membership();
        let Membership::Manager(cluster) = &*membership else {
            return Err(refusals::no_service(name));
        };
        let service = &cluster.services[cluster.service_at(name)?];
        let on = |vni: &Vni| service.networks.contains_key(vni);
        let networks = cluster.networks.iter().filter(|known| on(&known.vni));
        let networks = networks.map(|known| known.name.clone()).collect();
        Ok((service.id, networks))
    }

    /// The service that a request to attach names, if it is on that network.
    pub(super) fn service_of(
        &self,
        request: &AttachRequest,
    ) -> Result<Option<ServiceId>, ApiError> {
        let Some(name) = &request.service else {
            return Ok(None);
        };
        let (id, networks) = self.networks_of(name)?;
        if networks.contains(&request.network) {
            Ok(Some(id))
        } else {
            Err(refusals::not_on_network(name, &request.network))
        }
    }
}

impl ServiceBackend for FakeBackend {
    async fn services(&self) -> Result<Vec<ServiceInfo>, ApiError> {
        self.managing(|cluster| {
            let all = cluster.services.iter();
            let told = all.map(|one| cluster.tell(one, self.tasks_of(one).len() as u64));
            Ok(told.collect())
        })
    }

    async fn service(&self, name: String) -> Result<ServiceInfo, ApiError> {
        self.managing(|cluster| {
            let service = &cluster.services[cluster.service_at(&name)?];
            Ok(cluster.tell(service, self.tasks_of(service).len() as u64))
        })
    }

    async fn service_create(&self, request: ServiceCreate) -> Result<ServiceCreated, ApiError> {
        let warnings = Vec::new();
        let id = self.managing(|cluster| cluster.serve(request))?;
        Ok(ServiceCreated { id, warnings })
    }

    async fn service_update(
        &self,
        name: String,
        request: ServiceUpdate,
    ) -> Result<ServiceInfo, ApiError> {
        self.managing(|cluster| {
            let at = cluster.service_at(&name)?;
            let mut service = cluster.services[at].clone();
            service.mode = request.mode.unwrap_or(service.mode);
            for network in &request.add_networks {
                let (vni, addresses) = cluster.vip(network, service.mode, at)?;
                service.networks.insert(vni, addresses);
            }
            for network in &request.remove_networks {
                let (vni, _) = cluster.vip(network, service.mode, at)?;
                service.networks.remove(&vni);
            }
            let gone: BTreeSet<u16> = request.remove_ports.iter().map(|one| one.target).collect();
            service.ports.retain(|port| !gone.contains(&port.target));
            let new = request.add_ports.iter().map(|port| port.at(30_000));
            service.ports.extend(new);
            service.labels.extend(request.add_labels);
            service
                .labels
                .retain(|label, _| !request.remove_labels.contains(label));
            service.health = match request.health {
                Some(health) => Some(health),
                None => service.health.filter(|_| !request.no_health),
            };
            service.drain_s = request.drain_s.unwrap_or(service.drain_s);
            service.options.extend(request.options);
            service.version += 1;
            cluster.services[at] = service;
            Ok(cluster.tell(&cluster.services[at], 0))
        })
    }

    async fn service_remove(&self, name: String) -> Result<ServiceInfo, ApiError> {
        self.managing(|cluster| {
            let at = cluster.service_at(&name)?;
            let service = cluster.services.remove(at);
            self.lock()
                .retain(|endpoint| endpoint.service != Some(service.id));
            Ok(cluster.tell(&service, 0))
        })
    }

    async fn service_tasks(&self, name: String) -> Result<Vec<ServiceTask>, ApiError> {
        self.managing(|cluster| {
            let service = &cluster.services[cluster.service_at(&name)?];
            Ok(self.tasks_of(service))
        })
    }

    async fn task_attach(
        &self,
        service: String,
        request: TaskAttach,
    ) -> Result<Vec<EndpointInfo>, ApiError> {
        let (_, networks) = self.networks_of(&service)?;
        let mut made = Vec::new();
        for network in networks {
            let wish = AttachRequest {
                netns: request.netns.clone(),
                network,
                name: request.name.clone(),
                service: Some(service.clone()),
                aliases: request.aliases.clone(),
                ports: request.ports.clone(),
                ..AttachRequest::default()
            };
            made.push(self.attach(wish).await?);
        }
        Ok(made)
    }
}
