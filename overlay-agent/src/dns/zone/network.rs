//! The names of one network.

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;

use super::{Endpoint, Service, Sharded};
use crate::model::{EndpointMode, ServiceId};

/// How the tasks of a service are called, whatever its mode: Docker's word.
const TASKS: &str = "tasks.";

/// What is known of a network itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NetworkFacts {
    /// Its name.
    pub name: String,
    /// Its subnets.
    pub subnets: Vec<IpNet>,
    /// Whether it has no way out.
    pub is_internal: bool,
    /// Whether it is the one of published ports, whose names are looked for last.
    pub is_ingress: bool,
}

/// Who says that an endpoint has an address: the own node's word counts more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// This node, of its own endpoints.
    Here,
    /// Another node.
    Elsewhere,
}

/// What the two sides say of one address.
#[derive(Clone, Debug, Default)]
struct Slot {
    here: Option<Arc<Endpoint>>,
    elsewhere: Option<Arc<Endpoint>>,
}

impl Slot {
    fn winner(&self) -> Option<&Arc<Endpoint>> {
        self.here.as_ref().or(self.elsewhere.as_ref())
    }
}

/// The names and addresses of one network.
#[derive(Clone, Debug, Default)]
pub(crate) struct NetworkNames {
    /// None until the network itself is known: then nobody gets an answer.
    pub(super) facts: Option<Arc<NetworkFacts>>,
    slots: Sharded<IpAddr, Slot>,
    /// Addresses by lower-case name.
    names: Sharded<Arc<str>, Vec<IpAddr>>,
    /// Addresses of live tasks.
    tasks: Sharded<ServiceId, Vec<IpAddr>>,
    /// By lower-case name; two names may differ in case alone.
    services: Sharded<Arc<str>, Vec<Arc<Service>>>,
    vips: Sharded<IpAddr, Arc<Service>>,
}

/// What the name of a service leads to: as a whole, or to its tasks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) service: &'a Service,
    /// None: the service as a whole, at its virtual addresses.
    pub(crate) tasks: Option<&'a [IpAddr]>,
}

impl<'a> Target<'a> {
    /// The addresses that it stands for.
    pub(crate) fn addresses(self) -> &'a [IpAddr] {
        self.tasks.unwrap_or(&self.service.vips)
    }
}

impl NetworkNames {
    /// Whether nothing is known of it.
    pub(super) fn is_empty(&self) -> bool {
        self.facts.is_none() && self.slots.len() == 0 && self.services.len() == 0
    }

    /// The network's name as it is written.
    pub(crate) fn name(&self) -> &str {
        self.facts.as_ref().map_or("", |facts| &facts.name)
    }

    /// Whether it has this name, given in lower case.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name)
    }

    pub(crate) fn facts(&self) -> Option<&NetworkFacts> {
        self.facts.as_deref()
    }

    /// How many addresses have a name.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Takes over what a side says of an address.
    pub(super) fn set(&mut self, address: IpAddr, side: Side, endpoint: Option<Arc<Endpoint>>) {
        let mut slot = self.slots.get(&address).cloned().unwrap_or_default();
        let before = slot.winner().cloned();
        match side {
            Side::Here => slot.here = endpoint,
            Side::Elsewhere => slot.elsewhere = endpoint,
        }
        let after = slot.winner().cloned();
        self.slots
            .set(address, Some(slot).filter(|slot| slot.winner().is_some()));
        if before == after {
            return;
        }
        let keys = |endpoint: &Option<Arc<Endpoint>>| match endpoint {
            Some(endpoint) => endpoint.keys.clone(),
            None => Vec::new(),
        };
        let (old, new) = (keys(&before), keys(&after));
        for key in old.iter().filter(|key| !new.contains(key)) {
            self.names.take(key, &address);
        }
        for key in new.iter().filter(|key| !old.contains(key)) {
            self.names.add(Arc::clone(key), address);
        }
        let live = |endpoint: Option<Arc<Endpoint>>| endpoint.and_then(|endpoint| endpoint.live);
        let (old, new) = (live(before), live(after));
        if old == new {
            return;
        }
        if let Some(service) = old {
            self.tasks.take(&service, &address);
        }
        if let Some(service) = new {
            self.tasks.add(service, address);
        }
    }

    /// Takes over a service of this network; one with the same identifier was taken out before.
    pub(super) fn add_service(&mut self, service: &Arc<Service>) {
        let mut homonyms = self.services.get(&service.key).cloned().unwrap_or_default();
        homonyms.push(Arc::clone(service));
        self.services.set(Arc::clone(&service.key), Some(homonyms));
        for vip in &service.vips {
            self.vips.set(*vip, Some(Arc::clone(service)));
        }
    }

    /// Takes a service out.
    pub(super) fn remove_service(&mut self, service: &Service) {
        let mut homonyms = self.services.get(&service.key).cloned().unwrap_or_default();
        homonyms.retain(|other| other.id != service.id);
        let homonyms = Some(homonyms).filter(|homonyms| !homonyms.is_empty());
        self.services.set(Arc::clone(&service.key), homonyms);
        for vip in &service.vips {
            let is_its = |other: &Arc<Service>| other.id == service.id;
            if self.vips.get(vip).is_some_and(is_its) {
                self.vips.set(*vip, None);
            }
        }
    }

    /// The addresses that a lower-case name leads to; `None` if there is no such name.
    pub(crate) fn addresses(&self, name: &str) -> Option<Vec<IpAddr>> {
        let named = self.names.get(name);
        let targets = self.targets(name);
        if named.is_none() && targets.is_empty() {
            return None;
        }
        let mut addresses = named.cloned().unwrap_or_default();
        for target in targets {
            addresses.extend(target.addresses());
        }
        addresses.sort_unstable();
        addresses.dedup();
        Some(addresses)
    }

    /// The services that a lower-case name leads to.
    pub(crate) fn targets(&self, name: &str) -> Vec<Target<'_>> {
        let by_name = self.services.get(name).into_iter().flatten();
        let mut targets: Vec<Target<'_>> = by_name
            .map(|service| Target {
                service,
                tasks: match service.mode {
                    EndpointMode::Vip => None,
                    EndpointMode::Dnsrr => Some(self.tasks_of(service)),
                },
            })
            .collect();
        let of_tasks = name.strip_prefix(TASKS);
        let services = of_tasks.and_then(|name| self.services.get(name));
        targets.extend(services.into_iter().flatten().map(|service| Target {
            service,
            tasks: Some(self.tasks_of(service)),
        }));
        targets
    }

    fn tasks_of(&self, service: &Service) -> &[IpAddr] {
        self.tasks.get(&service.id).map_or(&[], Vec::as_slice)
    }

    /// The endpoint with this address.
    pub(crate) fn endpoint(&self, address: IpAddr) -> Option<&Endpoint> {
        Some(self.slots.get(&address)?.winner()?)
    }

    /// The service with this virtual address.
    pub(crate) fn service_at(&self, address: IpAddr) -> Option<&Service> {
        self.vips.get(&address).map(|service| &**service)
    }

    /// Whether one endpoint alone is called so.
    pub(crate) fn is_unique(&self, key: &str) -> bool {
        let addresses = self.names.get(key).into_iter().flatten();
        let mut holders = addresses.filter_map(|address| self.endpoint(*address));
        match holders.next() {
            Some(first) => holders.all(|other| other.id == first.id),
            None => true,
        }
    }

    /// Whether an address can only be one of this network.
    pub(crate) fn covers(&self, address: IpAddr) -> bool {
        let subnets = self.facts.iter().flat_map(|facts| &facts.subnets);
        let mut subnets = subnets.filter(|subnet| subnet.contains(&address));
        subnets.next().is_some()
    }
}
