//! Virtual addresses that a service had in networks which it has left: connections through them go on as long as
//! tasks of it are still there, draining. Nobody gets a new one.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ClusterView, Place, ServiceId, Vni};

/// See the module. By service.
#[derive(Clone, Debug, Default)]
pub(super) struct Former(BTreeMap<ServiceId, BTreeSet<Place>>);

impl Former {
    /// The managers' word changes. Returns the services that lose such an address to another one.
    pub(super) fn follow(&mut self, before: &ClusterView, after: &ClusterView) -> Vec<ServiceId> {
        for (id, old) in &before.services {
            let Some(new) = after.services.get(id) else {
                self.0.remove(id);
                continue;
            };
            let left = old.networks.iter();
            let left = left.filter(|(vni, _)| !new.networks.contains_key(vni));
            for (vni, addresses) in left {
                let places = addresses.iter().map(|address| Place {
                    vni: *vni,
                    address: *address,
                });
                self.0.entry(*id).or_default().extend(places);
            }
        }
        if self.0.is_empty() {
            return Vec::new();
        }
        let services = after.services.values();
        let networks = services.flat_map(|service| &service.networks);
        let in_use: BTreeSet<Place> = networks
            .flat_map(|(vni, addresses)| {
                addresses.iter().map(|address| Place {
                    vni: *vni,
                    address: *address,
                })
            })
            .collect();
        let mut losers = Vec::new();
        self.0.retain(|id, places| {
            let count = places.len();
            let now = after.services.get(id);
            let has_left = |vni: Vni| now.is_some_and(|now| !now.networks.contains_key(&vni));
            places.retain(|place| has_left(place.vni) && !in_use.contains(place));
            if places.len() < count {
                losers.push(*id);
            }
            !places.is_empty()
        });
        losers
    }

    /// Forgets what a service had where it has no task any more.
    pub(super) fn keep(&mut self, id: ServiceId, has_task: impl Fn(Vni) -> bool) {
        if let Some(places) = self.0.get_mut(&id) {
            places.retain(|place| has_task(place.vni));
            if places.is_empty() {
                self.0.remove(&id);
            }
        }
    }

    /// What a service still has.
    pub(super) fn of(&self, id: ServiceId) -> impl Iterator<Item = Place> + '_ {
        self.0.get(&id).into_iter().flatten().copied()
    }
}
