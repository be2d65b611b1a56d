//! Which tasks this node balances for which service: what the managers decided, joined with the claims
//! of tasks and with who answers.
//!
//! Every change marks the services that it concerns, and only they are looked at again.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{Cluster, former::Former};
use crate::model::{
    Attachment, Balanced, Claim, ClusterService, ClusterView, NodeId, Place, PublishMode,
    PublishedPort, ServiceChange, ServiceId, Task, TaskState, Vni,
};

/// What is known of tasks, besides the claims themselves.
#[derive(Clone, Debug, Default)]
pub(super) struct Services {
    /// Where tasks of other nodes are, by service.
    others: BTreeMap<ServiceId, BTreeSet<Place>>,
    /// Tasks of this node.
    own: BTreeMap<Place, OwnTask>,
    /// Nodes that may be failing: no new flows go there.
    suspects: BTreeSet<NodeId>,
    /// Addresses in networks that services have left.
    former: Former,
    /// Services that may look different.
    touched: BTreeSet<ServiceId>,
}

/// What is done about nodes that may be failing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Suspects {
    AreClosed,
    AreOpen,
}

/// One address of a task of this node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OwnTask {
    service: ServiceId,
    life: u64,
    state: TaskState,
}

impl OwnTask {
    /// The part of an endpoint in its service; nothing if it has none.
    pub fn of(endpoint: &Attachment, state: TaskState) -> Option<Self> {
        let service = endpoint.service?;
        let life = life(&endpoint.id);
        Some(Self {
            service,
            life,
            state,
        })
    }
}

impl Cluster {
    /// Takes over the tasks of this node.
    pub fn set_own_tasks(&mut self, own: BTreeMap<Place, OwnTask>) {
        let services = &mut self.services;
        let before = std::mem::replace(&mut services.own, own);
        let own = &services.own;
        let gone = before
            .iter()
            .filter(|(place, task)| own.get(place) != Some(task));
        let come = own
            .iter()
            .filter(|(place, task)| before.get(place) != Some(task));
        services
            .touched
            .extend(gone.chain(come).map(|(_, task)| task.service));
    }

    /// Takes over which nodes may be failing.
    pub fn set_suspects(&mut self, suspects: BTreeSet<NodeId>) {
        if self.services.suspects != suspects {
            let turned = &self.services.suspects ^ &suspects;
            self.touch_tasks_of(&turned);
            self.services.suspects = suspects;
        }
    }

    /// The services that look different since the last call; at the first, all.
    pub fn take_services(&mut self) -> Vec<ServiceChange> {
        let touched = std::mem::take(&mut self.services.touched);
        for id in &touched {
            let networks = self.services.networks_of_tasks(*id);
            let former = &mut self.services.former;
            former.keep(*id, |vni| networks.contains(&vni));
        }
        let changed = touched.into_iter();
        changed.map(|id| (id, self.balanced(id))).collect()
    }

    /// Networks whose claims are wanted although they need not exist here: tasks behind published ports
    /// are there, and every node answers at those.
    pub fn published(&self) -> BTreeSet<Vni> {
        let services = self.view.services.values();
        let published = services.filter(|service| service.ports.iter().any(is_ingress));
        let networks = published.filter_map(|service| self.port_network(service));
        networks
            .filter(|vni| self.view.networks.contains_key(vni))
            .collect()
    }

    /// Other nodes that have tasks of services which this node balances.
    pub fn servers(&self) -> BTreeSet<NodeId> {
        let places = self.services.others.iter().filter(|(id, _)| {
            let service = self.view.services.get(id);
            service.is_some_and(|service| self.concerns(service))
        });
        let places = places.flat_map(|(_, places)| places);
        places
            .filter_map(|place| self.claimant(*place))
            .map(|(node, _)| node)
            .filter(|node| !self.observed.failed.contains(node))
            .collect()
    }

    /// The network by which the others send what came to a published port.
    pub fn ingress(&self) -> Option<Vni> {
        let mut networks = self.view.networks.values();
        let ingress = networks.find(|network| network.ingress);
        ingress.map(|network| network.network.vni)
    }

    fn concerns(&self, service: &ClusterService) -> bool {
        let is_here = |vni| self.present.contains(vni);
        !service.ports.is_empty() || service.networks.keys().any(is_here)
    }

    /// A service as this node balances it; `None`: not at all.
    fn balanced(&self, id: ServiceId) -> Option<Balanced> {
        let service = self.view.services.get(&id)?;
        let port_network = self.port_network(service);
        let mut vips = self.vips(service);
        let former = self.services.former.of(id);
        vips.extend(former.filter(|place| self.present.contains(&place.vni)));
        let mut balanced = Balanced {
            vips,
            ports: BTreeSet::new(),
            port_network,
            is_direct_return: service.direct_return,
            is_encrypted: self.is_mesh_encrypted(port_network),
            tasks: BTreeMap::new(),
        };
        let own = self.services.own.iter();
        let own = own.filter(|(_, task)| task.service == id);
        let local: BTreeMap<Place, Task> = own.map(|(place, task)| (*place, task.seen())).collect();
        let ports = service.ports.iter();
        balanced.ports = ports
            .filter(|port| is_ingress(port) || !local.is_empty())
            .copied()
            .collect();
        if balanced.vips.is_empty() && balanced.ports.is_empty() {
            return None;
        }
        let has_vip = |vni| balanced.vips.iter().any(|vip| vip.vni == vni);
        let is_published = |vni| !balanced.ports.is_empty() && port_network == Some(vni);
        let all = |suspects| {
            let others = self.services.others.get(&id).into_iter().flatten();
            let others =
                others.filter_map(|place| Some((*place, self.remote_task(*place, suspects)?)));
            let local = local.iter().map(|(place, task)| (*place, *task));
            let tasks = local.chain(others);
            let tasks = tasks.filter(|(place, _)| has_vip(place.vni) || is_published(place.vni));
            let tasks = tasks.map(|(place, task)| {
                // In a network that the service has left, its tasks only end what they have begun.
                let is_open = task.is_open && service.networks.contains_key(&place.vni);
                (place, Task { is_open, ..task })
            });
            tasks.collect::<BTreeMap<Place, Task>>()
        };
        let mut tasks = all(Suspects::AreClosed);
        if !tasks.values().any(|task| task.is_open) {
            // A node that may be failing is better than none.
            tasks = all(Suspects::AreOpen);
        }
        balanced.tasks = tasks;
        Some(balanced)
    }

    /// Virtual addresses of networks that exist here.
    fn vips(&self, service: &ClusterService) -> BTreeSet<Place> {
        let networks = service.networks.iter();
        let here = networks.filter(|(vni, _)| self.present.contains(vni));
        let places = here.flat_map(|(vni, addresses)| {
            let place = |address: &_| Place {
                vni: *vni,
                address: *address,
            };
            addresses.iter().map(place)
        });
        places.collect()
    }

    /// One network of several, the same on every node: the one for this alone only if there is no
    /// other.
    fn port_network(&self, service: &ClusterService) -> Option<Vni> {
        let ingress = self.ingress();
        let mut networks = service.networks.keys().copied();
        let other = networks.find(|vni| Some(*vni) != ingress);
        other.or_else(|| service.networks.keys().next().copied())
    }

    /// Whether nodes encrypt what they send each other of ports behind which tasks of this network are.
    fn is_mesh_encrypted(&self, port_network: Option<Vni>) -> bool {
        let mut networks = [port_network, self.ingress()].into_iter().flatten();
        networks.any(|vni| {
            let network = self.view.networks.get(&vni);
            network.is_some_and(|network| network.encrypted)
        })
    }

    fn remote_task(&self, place: Place, suspects: Suspects) -> Option<Task> {
        let (node, claim) = self.claimant(place)?;
        let task = claim.task?;
        if node == self.this || self.observed.failed.contains(&node) {
            return None;
        }
        let is_suspect = suspects == Suspects::AreClosed && self.services.suspects.contains(&node);
        Some(Task {
            node: Some(*self.addresses.get(&node)?),
            life: life(&claim.endpoint),
            is_open: task.state == TaskState::Running && !is_suspect,
        })
    }

    /// Marks every service.
    pub(super) fn touch_all(&mut self) {
        let all = self.view.services.keys().copied();
        self.services.touched.extend(all);
    }

    /// Marks the services that the managers changed.
    pub(super) fn touch_changed(&mut self, before: &ClusterView) {
        if self.ingress() != ingress_of(before) {
            self.touch_all();
        }
        let losers = self.services.former.follow(before, &self.view);
        self.services.touched.extend(losers);
        let (was, is) = (&before.services, &self.view.services);
        let gone = was.keys().filter(|id| !is.contains_key(id));
        let new = is
            .iter()
            .filter(|(id, service)| was.get(id) != Some(service))
            .map(|(id, _)| id);
        self.services.touched.extend(gone.chain(new).copied());
    }

    /// Marks the services of these networks.
    pub(super) fn touch_networks(&mut self, networks: &BTreeSet<Vni>) {
        let services = self.view.services.values();
        let touched =
            services.filter(|service| service.networks.keys().any(|vni| networks.contains(vni)));
        self.services
            .touched
            .extend(touched.map(|service| service.id));
    }

    /// Marks the services that have tasks on these nodes.
    pub(super) fn touch_tasks_of(&mut self, nodes: &BTreeSet<NodeId>) {
        let claims = self.observed.claims.values();
        let tasks = claims.filter(|(node, _)| nodes.contains(node));
        let services = tasks.filter_map(|(_, claim)| Some(claim.task?.service));
        self.services.touched.extend(services);
    }

    /// Takes over who has an address from now on, before the claims do.
    pub(super) fn touch_claimed(&mut self, place: Place, winner: Option<&(NodeId, Claim)>) {
        let before = self.claimant(place);
        let before = before.map(|(node, claim)| (node, claim.task, life(&claim.endpoint)));
        let after = winner.map(|(node, claim)| (*node, claim.task, life(&claim.endpoint)));
        if before == after {
            return;
        }
        let service = |known: Option<(NodeId, Option<crate::model::TaskClaim>, u64)>| {
            known.and_then(|(_, task, _)| Some(task?.service))
        };
        if let Some(service) = service(before) {
            let places = self.services.others.entry(service).or_default();
            places.remove(&place);
            if places.is_empty() {
                self.services.others.remove(&service);
            }
            self.services.touched.insert(service);
        }
        if let Some(service) = service(after) {
            let places = self.services.others.entry(service).or_default();
            places.insert(place);
            self.services.touched.insert(service);
        }
    }

    /// Finds all tasks among the claims again.
    pub(super) fn index_tasks(&mut self) {
        let before = std::mem::take(&mut self.services.others);
        self.services.touched.extend(before.into_keys());
        for ((vni, address), (_, claim)) in &self.observed.claims {
            let Some(task) = claim.task else { continue };
            let place = Place {
                vni: *vni,
                address: *address,
            };
            let places = self.services.others.entry(task.service).or_default();
            places.insert(place);
            self.services.touched.insert(task.service);
        }
    }
}

impl Services {
    fn networks_of_tasks(&self, id: ServiceId) -> BTreeSet<Vni> {
        let others = self.others.get(&id).into_iter().flatten();
        let own = self.own.iter().filter(|(_, task)| task.service == id);
        let places = others.chain(own.map(|(place, _)| place));
        places.map(|place| place.vni).collect()
    }
}

impl OwnTask {
    fn seen(&self) -> Task {
        Task {
            node: None,
            life: self.life,
            is_open: self.state == TaskState::Running,
        }
    }
}

fn ingress_of(view: &ClusterView) -> Option<Vni> {
    let mut networks = view.networks.values();
    let ingress = networks.find(|network| network.ingress);
    ingress.map(|network| network.network.vni)
}

fn is_ingress(port: &PublishedPort) -> bool {
    match port.mode {
        PublishMode::Ingress => true,
        PublishMode::Host => false,
    }
}

/// Tells endpoints apart that have one address, one after the other. Compared inside this process only.
fn life(endpoint: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    endpoint.hash(&mut hasher);
    hasher.finish()
}
