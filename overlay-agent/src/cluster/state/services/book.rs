//! All services, by each of their names, and what they have of the nodes' ports.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ServiceRefusal;
use crate::model::{ClusterService, PublishMode, PublishedPort, ServiceId, Vni};

/// All services.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Services {
    records: BTreeMap<ServiceId, ClusterService>,
    /// In small letters: names in DNS have no case.
    by_name: BTreeMap<String, ServiceId>,
}

impl Services {
    pub(in super::super) fn iter(&self) -> impl Iterator<Item = &ClusterService> {
        self.records.values()
    }

    pub(in super::super) fn get(&self, id: ServiceId) -> Option<&ClusterService> {
        self.records.get(&id)
    }

    pub(super) fn by_name(&self, name: &str) -> Option<&ClusterService> {
        self.get(*self.by_name.get(&name.to_ascii_lowercase())?)
    }

    pub(super) fn by_id(&self, id: ServiceId) -> Result<&ClusterService, ServiceRefusal> {
        self.get(id).ok_or_else(|| no_service(id.to_string()))
    }

    /// The service of this identifier, else of this name, else the only one whose identifier begins
    /// so.
    pub(in super::super) fn find(&self, text: &str) -> Result<&ClusterService, ServiceRefusal> {
        let by_id = text.parse().ok().and_then(|id| self.get(id));
        if let Some(service) = by_id.or_else(|| self.by_name(text)) {
            return Ok(service);
        }
        let begins_so = |service: &&ClusterService| {
            !text.is_empty() && service.id.to_string().starts_with(text)
        };
        let candidates: Vec<&ClusterService> = self.iter().filter(begins_so).collect();
        match candidates.as_slice() {
            [only] => Ok(only),
            [] => Err(no_service(text.to_owned())),
            several => Err(ServiceRefusal::Ambiguous {
                service: text.to_owned(),
                count: several.len(),
            }),
        }
    }

    /// A service that is on a network.
    pub(in super::super) fn on(&self, vni: Vni) -> Option<&ClusterService> {
        self.iter()
            .find(|service| service.networks.contains_key(&vni))
    }

    /// A service that cannot do without the ingress network.
    pub(in super::super) fn depending_on_ingress(&self, ingress: Vni) -> Option<&ClusterService> {
        let publishes = |service: &&ClusterService| {
            let mut ports = service.ports.iter();
            ports.any(|port| port.mode == PublishMode::Ingress)
        };
        self.iter().find(publishes).or_else(|| self.on(ingress))
    }

    /// Another service with which a port cannot be shared. As in Docker, a port may be published by
    /// several services in host mode: which of them has tasks on which node is not known here.
    pub(super) fn in_the_way(
        &self,
        service: ServiceId,
        port: &PublishedPort,
    ) -> Option<(&ClusterService, &PublishedPort)> {
        let others = self.iter().filter(|other| other.id != service);
        let theirs = others.flat_map(|other| other.ports.iter().map(move |port| (other, port)));
        let mut met = theirs.filter(|(_, theirs)| {
            let ingress = PublishMode::Ingress;
            (port.mode == ingress || theirs.mode == ingress) && port.meets(theirs)
        });
        met.next()
    }

    pub(super) fn insert(&mut self, service: ClusterService) {
        let name = service.name.to_ascii_lowercase();
        self.by_name.insert(name, service.id);
        self.records.insert(service.id, service);
    }

    pub(super) fn remove(&mut self, id: ServiceId) -> Option<ClusterService> {
        let service = self.records.remove(&id)?;
        self.by_name.remove(&service.name.to_ascii_lowercase());
        Some(service)
    }
}

fn no_service(service: String) -> ServiceRefusal {
    ServiceRefusal::NotFound { service }
}
