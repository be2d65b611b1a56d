//! Services: a name, virtual addresses in networks, and ports of the nodes. Tasks are not known here:
//! nodes tell each other which they have.

mod book;
mod check;
mod ports;
mod refusal;
mod wish;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

pub(super) use self::book::Services;
pub use self::{
    refusal::ServiceRefusal,
    wish::{CreateService, HealthEdit, PortPattern, ServiceEdit},
};
use super::{Cluster, Refusal, Reply, entry::Entry, history::Touch};
use crate::model::{
    ClusterService, EndpointMode, NetworkId, PublishMode, PublishedPort, ServiceId, Vni,
};

impl Cluster {
    pub(super) fn create_service(
        &mut self,
        entry: &mut Entry,
        wish: CreateService,
    ) -> Result<Reply, Refusal> {
        check::name(&wish.name)?;
        if self.services.by_name(&wish.name).is_some() {
            return Err(ServiceRefusal::Exists { name: wish.name }.into());
        }
        if let Some(other) = self.services.get(wish.id) {
            return Err(ServiceRefusal::IdTaken {
                id: wish.id,
                other: other.name.clone(),
            }
            .into());
        }
        check::labels(&wish.labels)?;
        let direct_return = check::direct_return(&wish.options)?;
        wish.health.as_ref().map(check::health).transpose()?;
        let networks = self.networks_of(&wish.networks)?;
        let ports = self.ports_of(wish.id, &BTreeSet::new(), &wish.ports, wish.mode)?;
        self.check_ingress(&ports)?;
        let networks = self.give_vips(networks, wish.mode)?;
        let id = wish.id;
        self.services.insert(ClusterService {
            id,
            name: wish.name,
            networks,
            mode: wish.mode,
            ports,
            direct_return,
            drain_s: wish.drain_s,
            health: wish.health,
            labels: wish.labels,
            options: wish.options,
            created: entry.at,
            updated: entry.at,
            version: 1,
        });
        entry.touch([Touch::Service(id)]);
        Ok(Reply::Service { id })
    }

    pub(super) fn update_service(
        &mut self,
        entry: &mut Entry,
        id: ServiceId,
        edit: ServiceEdit,
    ) -> Result<(), Refusal> {
        let before = self.services.by_id(id)?.clone();
        let mut after = before.clone();
        edit_labels(&mut after, edit.add_labels, &edit.remove_labels)?;
        after.options.extend(edit.options);
        after.direct_return = check::direct_return(&after.options)?;
        match edit.health {
            HealthEdit::Keep => {}
            HealthEdit::Remove => after.health = None,
            HealthEdit::Set(health) => {
                check::health(&health)?;
                after.health = Some(health);
            }
        }
        after.drain_s = edit.drain_s.unwrap_or(after.drain_s);
        after.mode = edit.mode.unwrap_or(after.mode);
        for pattern in edit.remove_ports {
            ports::remove(&after.name, &mut after.ports, pattern)?;
        }
        after.ports = self.ports_of(id, &after.ports, &edit.add_ports, after.mode)?;
        self.check_ingress(&after.ports)?;
        let networks = self.networks_after(&before, &edit.add_networks, &edit.remove_networks)?;
        after.networks = self.move_vips(&before, &networks, after.mode)?;
        after.updated = entry.at;
        after.version += 1;
        self.services.insert(after);
        entry.touch([Touch::Service(id)]);
        Ok(())
    }

    pub(super) fn remove_service(
        &mut self,
        entry: &mut Entry,
        id: ServiceId,
    ) -> Result<(), Refusal> {
        self.services.by_id(id)?;
        if let Some(service) = self.services.remove(id) {
            self.take_vips_back(&service.networks);
        }
        entry.touch([Touch::Service(id)]);
        Ok(())
    }

    /// The networks of a service that asks for these.
    fn networks_of(&self, wished: &[NetworkId]) -> Result<BTreeSet<Vni>, Refusal> {
        let mut networks = BTreeSet::new();
        for id in wished {
            let (vni, name) = self.network_for_services(*id)?;
            if !networks.insert(vni) {
                return Err(ServiceRefusal::NetworkTwice {
                    network: name.to_owned(),
                }
                .into());
            }
        }
        self.or_ingress(networks)
    }

    /// The networks of a service after some came and went.
    fn networks_after(
        &self,
        service: &ClusterService,
        add: &[NetworkId],
        remove: &[NetworkId],
    ) -> Result<BTreeSet<Vni>, Refusal> {
        let present = service.networks.keys().copied();
        let ingress = self.networks.ingress();
        let mut networks: BTreeSet<Vni> = present.filter(|vni| Some(*vni) != ingress).collect();
        for id in remove {
            let (vni, name) = self.network_for_services(*id)?;
            if !networks.remove(&vni) {
                return Err(ServiceRefusal::NotOnNetwork {
                    service: service.name.clone(),
                    network: name.to_owned(),
                }
                .into());
            }
        }
        for id in add {
            let (vni, name) = self.network_for_services(*id)?;
            if !networks.insert(vni) {
                return Err(ServiceRefusal::NetworkTwice {
                    network: name.to_owned(),
                }
                .into());
            }
        }
        self.or_ingress(networks)
    }

    /// A network that services can be put on by name.
    fn network_for_services(&self, id: NetworkId) -> Result<(Vni, &str), Refusal> {
        let record = self.networks.by_id(id).ok_or_else(|| Refusal::NoNetwork {
            network: id.to_string(),
        })?;
        let network = &record.network.network;
        if record.network.ingress {
            return Err(ServiceRefusal::IngressByHand {
                network: network.name.clone(),
            }
            .into());
        }
        Ok((network.vni, &network.name))
    }

    /// A service without a network is on the ingress network.
    fn or_ingress(&self, networks: BTreeSet<Vni>) -> Result<BTreeSet<Vni>, Refusal> {
        if !networks.is_empty() {
            return Ok(networks);
        }
        let ingress = self.networks.ingress().ok_or(ServiceRefusal::NoIngress)?;
        Ok([ingress].into())
    }

    /// What comes to ports of all nodes is carried by the ingress network.
    fn check_ingress(&self, ports: &BTreeSet<PublishedPort>) -> Result<(), Refusal> {
        let needs = ports.iter().any(|port| port.mode == PublishMode::Ingress);
        if needs && self.networks.ingress().is_none() {
            return Err(ServiceRefusal::NoIngress.into());
        }
        Ok(())
    }

    /// Reserves virtual addresses in networks, all of them or none.
    fn give_vips(
        &mut self,
        networks: impl IntoIterator<Item = Vni>,
        mode: EndpointMode,
    ) -> Result<BTreeMap<Vni, Vec<IpAddr>>, Refusal> {
        let mut given: BTreeMap<Vni, Vec<IpAddr>> = BTreeMap::new();
        for vni in networks {
            let reserved = match (mode, self.networks.get_mut(vni)) {
                (EndpointMode::Vip, Some(record)) => record
                    .leases
                    .reserve_in_each_family()
                    .map_err(|family| Refusal::AddressesExhausted {
                        network: record.network.network.name.clone(),
                        family: family.name().to_owned(),
                    }),
                (EndpointMode::Dnsrr, _) | (_, None) => Ok(Vec::new()),
            };
            match reserved {
                Ok(addresses) => {
                    given.insert(vni, addresses);
                }
                Err(refusal) => {
                    self.take_vips_back(&given);
                    return Err(refusal);
                }
            }
        }
        Ok(given)
    }

    /// The virtual addresses of a service that goes to other networks or another mode: those that it
    /// has stay.
    fn move_vips(
        &mut self,
        before: &ClusterService,
        networks: &BTreeSet<Vni>,
        mode: EndpointMode,
    ) -> Result<BTreeMap<Vni, Vec<IpAddr>>, Refusal> {
        let is_kept = |vni: &Vni| mode == before.mode && networks.contains(vni);
        let (kept, lost): (BTreeMap<_, _>, BTreeMap<_, _>) = before
            .networks
            .clone()
            .into_iter()
            .partition(|(vni, _)| is_kept(vni));
        let new: Vec<Vni> = networks
            .iter()
            .copied()
            .filter(|vni| !kept.contains_key(vni))
            .collect();
        let mut all = self.give_vips(new, mode)?;
        self.take_vips_back(&lost);
        all.extend(kept);
        Ok(all)
    }

    fn take_vips_back(&mut self, networks: &BTreeMap<Vni, Vec<IpAddr>>) {
        for (vni, addresses) in networks {
            if let Some(record) = self.networks.get_mut(*vni) {
                for address in addresses {
                    record.leases.release(*address);
                }
            }
        }
    }

    /// The service whose virtual address this is.
    pub(super) fn holder_of_vip(services: &Services, vni: Vni, address: IpAddr) -> Option<&str> {
        let has = |service: &&ClusterService| {
            let vips = service.networks.get(&vni);
            vips.is_some_and(|vips| vips.contains(&address))
        };
        services
            .iter()
            .find(has)
            .map(|service| service.name.as_str())
    }
}

fn edit_labels(
    service: &mut ClusterService,
    add: BTreeMap<String, String>,
    remove: &BTreeSet<String>,
) -> Result<(), Refusal> {
    check::labels(&add)?;
    for label in remove {
        if service.labels.remove(label).is_none() {
            return Err(ServiceRefusal::NoLabel {
                service: service.name.clone(),
                label: label.clone(),
            }
            .into());
        }
    }
    service.labels.extend(add);
    Ok(())
}
