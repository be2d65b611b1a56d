//! Networks: how they come, are found and go.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{
    Cluster, CreateNetwork, Family, Refusal, Reply, definition, entry::Entry, history::Touch,
    leases::LeaseBook,
};
use crate::model::{ClusterNetwork, NetworkId, Vni, is_name};

/// The name of the network that carries what comes to published ports.
pub(super) const INGRESS: &str = "ingress";

/// Names with a meaning of their own in Docker.
const PREDEFINED: [&str; 4] = ["bridge", "default", "host", "none"];

/// The first VNI that a network gets without asking, as in Docker.
const FIRST_VNI: u32 = 4096;

/// A network and who has which addresses of it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct NetworkRecord {
    pub(super) network: ClusterNetwork,
    pub(super) leases: LeaseBook,
}

/// All networks, by each of their names.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct Networks {
    records: BTreeMap<Vni, NetworkRecord>,
    by_id: BTreeMap<NetworkId, Vni>,
    by_name: BTreeMap<String, Vni>,
}

impl Networks {
    pub(super) fn iter(&self) -> impl Iterator<Item = (Vni, &NetworkRecord)> {
        self.records.iter().map(|(vni, record)| (*vni, record))
    }

    pub(super) fn records_mut(&mut self) -> impl Iterator<Item = &mut NetworkRecord> {
        self.records.values_mut()
    }

    pub(super) fn get(&self, vni: Vni) -> Option<&NetworkRecord> {
        self.records.get(&vni)
    }

    pub(super) fn get_mut(&mut self, vni: Vni) -> Option<&mut NetworkRecord> {
        self.records.get_mut(&vni)
    }

    /// The one that carries what comes to published ports.
    pub(super) fn ingress(&self) -> Option<Vni> {
        let mut all = self.iter();
        let (vni, _) = all.find(|(_, record)| record.network.ingress)?;
        Some(vni)
    }

    pub(super) fn by_id(&self, id: NetworkId) -> Option<&NetworkRecord> {
        self.get(*self.by_id.get(&id)?)
    }

    pub(super) fn by_name(&self, name: &str) -> Option<&NetworkRecord> {
        self.get(*self.by_name.get(name)?)
    }

    pub(super) fn by_id_mut(
        &mut self,
        id: NetworkId,
    ) -> Result<(Vni, &mut NetworkRecord), Refusal> {
        let vni = self.by_id.get(&id).copied();
        vni.and_then(|vni| Some((vni, self.records.get_mut(&vni)?)))
            .ok_or_else(|| no_network(id.to_string()))
    }

    /// Every subnet, with the name of its network.
    pub(super) fn subnets(&self) -> impl Iterator<Item = (IpNet, &str)> {
        self.records.values().flat_map(|record| {
            let network = &record.network.network;
            let subnets = network.subnets.iter();
            subnets.map(|subnet| (*subnet, network.name.as_str()))
        })
    }

    /// The network of this identifier, else of this name, else the only one whose identifier begins
    /// so.
    pub(super) fn find(&self, text: &str) -> Result<&ClusterNetwork, Refusal> {
        let by_id = text.parse().ok().and_then(|id| self.by_id(id));
        if let Some(record) = by_id.or_else(|| self.by_name(text)) {
            return Ok(&record.network);
        }
        let begins_so = |id: &NetworkId| !text.is_empty() && id.to_string().starts_with(text);
        let candidates: Vec<NetworkId> = self.by_id.keys().copied().filter(begins_so).collect();
        match candidates.as_slice() {
            [only] => self.by_id(*only).map(|record| &record.network),
            [] => None,
            several => {
                return Err(Refusal::AmbiguousNetwork {
                    network: text.to_owned(),
                    count: several.len(),
                });
            }
        }
        .ok_or_else(|| no_network(text.to_owned()))
    }

    /// The VNI that was asked for, if no other network has it, or the smallest free one.
    fn choose_vni(&self, wanted: Option<Vni>) -> Result<Vni, Refusal> {
        if let Some(vni) = wanted {
            return match self.get(vni) {
                None => Ok(vni),
                Some(other) => Err(Refusal::VniTaken {
                    vni,
                    other: other.network.network.name.clone(),
                }),
            };
        }
        let numbers = self.records.keys().map(|vni| u32::from(*vni));
        let taken = numbers.skip_while(|number| *number < FIRST_VNI);
        let free = taken
            .zip(FIRST_VNI..)
            .find(|(taken, next)| taken != next)
            .map(|(_, next)| next);
        let behind_all = || {
            let last = self.records.keys().next_back();
            last.map_or(0, |vni| u32::from(*vni) + 1).max(FIRST_VNI)
        };
        Vni::try_from(free.unwrap_or_else(behind_all)).map_err(|_none_left| Refusal::NoVni)
    }

    fn insert(&mut self, record: NetworkRecord) {
        let network = &record.network.network;
        self.by_id.insert(record.network.id, network.vni);
        self.by_name.insert(network.name.clone(), network.vni);
        self.records.insert(network.vni, record);
    }

    fn remove(&mut self, vni: Vni) {
        if let Some(record) = self.records.remove(&vni) {
            self.by_id.remove(&record.network.id);
            self.by_name.remove(&record.network.network.name);
        }
    }
}

impl Cluster {
    pub(super) fn create_network(
        &mut self,
        entry: &mut Entry,
        wish: CreateNetwork,
    ) -> Result<Reply, Refusal> {
        self.check_names(&wish)?;
        let definition = definition::check(&wish, self)?;
        let vni = self.networks.choose_vni(definition.vni)?;
        let network = definition.network(wish.name, vni);
        let network = ClusterNetwork {
            ingress: wish.ingress,
            id: wish.id,
            network,
            ranges: wish.ranges,
            attachable: wish.attachable,
            internal: wish.internal,
            encrypted: definition.encrypted,
            labels: wish.labels,
            options: wish.options,
            created: entry.at,
        };
        let leases = LeaseBook::new(&network, &wish.kept);
        let id = network.id;
        self.had_ingress |= network.ingress;
        self.networks.insert(NetworkRecord { network, leases });
        entry.touch([Touch::Network(vni)]);
        Ok(Reply::Network { id, vni })
    }

    pub(super) fn remove_network(
        &mut self,
        entry: &mut Entry,
        id: NetworkId,
        endpoints: u64,
    ) -> Result<(), Refusal> {
        let (vni, record) = self.networks.by_id_mut(id)?;
        let network = || record.network.network.name.clone();
        if record.network.ingress {
            if let Some(service) = self.services.depending_on_ingress(vni) {
                return Err(Refusal::IngressInUse {
                    service: service.name.clone(),
                });
            }
        } else if let Some(service) = self.services.on(vni) {
            return Err(Refusal::NetworkOfService {
                network: network(),
                service: service.name.clone(),
            });
        }
        if endpoints > 0 {
            return Err(Refusal::NetworkInUse {
                network: network(),
                endpoints,
            });
        }
        let leases = record.leases.iter();
        entry.touch(leases.map(|holding| Touch::Lease(vni, holding.block)));
        entry.touch([Touch::Network(vni)]);
        self.networks.remove(vni);
        Ok(())
    }

    fn check_names(&self, wish: &CreateNetwork) -> Result<(), Refusal> {
        let name = &wish.name;
        if !is_name(name) {
            let name = name.chars().take(64).collect();
            return Err(Refusal::NetworkName { name });
        }
        if PREDEFINED.contains(&name.as_str()) {
            let name = name.clone();
            return Err(Refusal::PredefinedName { name });
        }
        if self.networks.by_name(name).is_some() {
            let name = name.clone();
            return Err(Refusal::NetworkExists { name });
        }
        if wish.ingress {
            if let Some(present) = self
                .networks
                .ingress()
                .and_then(|vni| self.networks.get(vni))
            {
                let network = present.network.network.name.clone();
                return Err(Refusal::IngressPresent { network });
            }
            if wish.attachable {
                return Err(Refusal::IngressAttachable);
            }
        }
        if let Some(other) = self.networks.by_id(wish.id) {
            return Err(Refusal::NetworkIdTaken {
                id: wish.id.to_string(),
                other: other.network.network.name.clone(),
            });
        }
        for (what, keys) in [("label", &wish.labels), ("option", &wish.options)] {
            if keys.contains_key("") {
                let what = what.to_owned();
                return Err(Refusal::NoKey { what });
            }
        }
        Ok(())
    }
}

impl CreateNetwork {
    /// The ingress network, as it is if nobody chooses: as in Docker the first subnet of the first pool.
    pub fn ingress(id: NetworkId) -> Self {
        Self {
            id,
            name: INGRESS.to_owned(),
            subnets: Vec::new(),
            ranges: Vec::new(),
            gateways: Vec::new(),
            kept: Vec::new(),
            families: [Family::Ipv4].into(),
            internal: false,
            attachable: false,
            ingress: true,
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
            host_routes: Vec::new(),
        }
    }
}

fn no_network(network: String) -> Refusal {
    Refusal::NoNetwork { network }
}
