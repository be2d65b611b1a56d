//! What every name means at one moment, and what changes it.
//!
//! A zone is a value: a copy costs a list of its networks, and is what queries are answered from; the
//! original goes on changing, a few kilobytes at a time. Not here: who asks, and how a question is put.

mod network;
mod sharded;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    net::IpAddr,
    sync::Arc,
};

pub use network::{NetworkFacts, Side};
pub(crate) use network::{NetworkNames, Target};
use sharded::Sharded;

use crate::model::{
    Claim, ClusterService, ClusterView, EndpointMode, Place, Protocol, ServiceId, TaskState, Vni,
};

/// Digits of a container's identifier by which Docker lets it be called.
const ID_DIGITS: usize = 12;

/// What one endpoint is called.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// Its name as it was given.
    pub(crate) name: Arc<str>,
    /// The first digits of its identifier.
    pub(crate) id: Arc<str>,
    /// Everything by which it is found: lower case, ascending.
    pub(crate) keys: Vec<Arc<str>>,
    /// The service that it serves at this moment.
    pub(crate) live: Option<ServiceId>,
}

impl Endpoint {
    /// What an endpoint with this name, identifier and these other names is called; `live` is the service
    /// that it serves.
    pub fn new(name: &str, id: &str, aliases: &[String], live: Option<ServiceId>) -> Self {
        let id: String = id.chars().take(ID_DIGITS).collect();
        let id: Arc<str> = id.to_ascii_lowercase().into();
        let given = aliases.iter().map(String::as_str).chain([name]);
        let mut keys: Vec<Arc<str>> = given.map(|name| name.to_ascii_lowercase().into()).collect();
        keys.push(Arc::clone(&id));
        keys.retain(|key| !key.is_empty());
        keys.sort_unstable();
        keys.dedup();
        Self {
            name: name.into(),
            id,
            keys,
            live,
        }
    }
}

impl From<&Claim> for Endpoint {
    fn from(claim: &Claim) -> Self {
        let is_live = |state| match state {
            TaskState::Running => true,
            TaskState::Starting | TaskState::Unhealthy | TaskState::Draining => false,
        };
        let live = claim.task.filter(|task| is_live(task.state));
        let live = live.map(|task| task.service);
        Self::new(&claim.name, &claim.endpoint, &claim.aliases, live)
    }
}

/// A service in one network.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Service {
    pub(crate) id: ServiceId,
    /// Its name as it was given.
    pub(crate) name: Arc<str>,
    key: Arc<str>,
    mode: EndpointMode,
    /// Its virtual addresses there.
    vips: Vec<IpAddr>,
    /// The tasks' ports that are published.
    pub(crate) ports: BTreeSet<(Protocol, u16)>,
}

impl Service {
    fn new(service: &ClusterService, vips: &[IpAddr]) -> Self {
        let published = service.ports.iter();
        Self {
            id: service.id,
            name: service.name.as_str().into(),
            key: service.name.to_ascii_lowercase().into(),
            mode: service.mode,
            vips: vips.to_vec(),
            ports: published.map(|port| (port.protocol, port.target)).collect(),
        }
    }
}

/// Every name of every network that this node knows of.
#[derive(Clone, Debug, Default)]
pub struct Zone {
    networks: BTreeMap<Vni, Arc<NetworkNames>>,
    /// Where the services come from.
    view: Arc<ClusterView>,
}

impl Zone {
    /// Takes over which networks there are. What is known of the addresses in one that is there no more
    /// stays, but nobody is told.
    pub fn set_networks(&mut self, networks: &BTreeMap<Vni, NetworkFacts>) {
        for (vni, facts) in networks {
            let is_known = |known: &Arc<NetworkNames>| known.facts() == Some(facts);
            if !self.networks.get(vni).is_some_and(is_known) {
                self.network(*vni).facts = Some(Arc::new(facts.clone()));
            }
        }
        let known: Vec<Vni> = self.networks.keys().copied().collect();
        for vni in known {
            if !networks.contains_key(&vni) {
                self.network(vni).facts = None;
                self.drop_if_empty(vni);
            }
        }
    }

    /// Takes over which networks and services the managers know.
    pub fn set_view(&mut self, view: &Arc<ClusterView>) {
        let networks = view.networks.iter().map(|(vni, known)| {
            let facts = NetworkFacts {
                name: known.network.name.clone(),
                subnets: known.network.subnets.clone(),
                is_internal: known.internal,
                is_ingress: known.ingress,
            };
            (*vni, facts)
        });
        self.set_networks(&networks.collect());
        let before = mem::replace(&mut self.view, Arc::clone(view));
        if before.services != view.services {
            self.follow_services(&before.services, &view.services);
        }
    }

    fn follow_services(
        &mut self,
        before: &BTreeMap<ServiceId, ClusterService>,
        after: &BTreeMap<ServiceId, ClusterService>,
    ) {
        let gone = before.iter().filter(|(id, old)| after.get(id) != Some(old));
        for (_, old) in gone {
            for (vni, vips) in &old.networks {
                self.network(*vni).remove_service(&Service::new(old, vips));
                self.drop_if_empty(*vni);
            }
        }
        let come = after.iter().filter(|(id, new)| before.get(id) != Some(new));
        for (_, new) in come {
            for (vni, vips) in &new.networks {
                let service = Arc::new(Service::new(new, vips));
                self.network(*vni).add_service(&service);
            }
        }
    }

    /// Takes over what a side says of an address; `None`: nothing any more.
    pub fn set_endpoint(&mut self, place: Place, side: Side, endpoint: Option<Endpoint>) {
        let endpoint = endpoint.map(Arc::new);
        self.network(place.vni).set(place.address, side, endpoint);
        self.drop_if_empty(place.vni);
    }

    /// The names of a network; none if there is no such network.
    pub(crate) fn names(&self, vni: Vni) -> Option<&NetworkNames> {
        let names = self.networks.get(&vni)?;
        names.facts().is_some().then_some(names)
    }

    /// How many addresses have names.
    pub fn addresses(&self) -> usize {
        self.networks.values().map(|names| names.len()).sum()
    }

    fn network(&mut self, vni: Vni) -> &mut NetworkNames {
        Arc::make_mut(self.networks.entry(vni).or_default())
    }

    fn drop_if_empty(&mut self, vni: Vni) {
        if self
            .networks
            .get(&vni)
            .is_some_and(|names| names.is_empty())
        {
            self.networks.remove(&vni);
        }
    }
}
