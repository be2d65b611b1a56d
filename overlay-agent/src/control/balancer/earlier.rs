//! What an earlier agent left in the tables: a restart must neither move rings nor end flows to tasks of
//! which the other nodes have not told yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::placed::{Audience, Backend, Placed, Ring, Scope};
use crate::{
    control::{
        Tables,
        rings::{self, Regions},
    },
    model::{BackendId, FIRST_LOCAL_NUMBER, PeerId, Place, PortKey, RingSpan},
};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    last_backend: u32,
    services: BTreeMap<u32, Placed>,
}

impl Earlier {
    /// Reads it out of the tables.
    pub(super) fn read(tables: &Tables) -> Self {
        let nodes: BTreeMap<PeerId, IpAddr> = tables
            .peers
            .iter()
            .map(|(id, peer)| (*id, peer.remote))
            .collect();
        let mut earlier = Self::default();
        let mut open: BTreeSet<u32> = BTreeSet::new();
        for (place, vip) in tables.vips.iter() {
            let audience = Audience::of(*place, Scope::Everywhere);
            earlier.remember(vip.service, audience, vip.ring);
            open.extend(numbers_in(tables, vip.ring));
            let placed = earlier.services.entry(vip.service).or_default();
            placed.vips.insert(*place);
        }
        for (key, port) in tables.ports.iter().filter(|(_, port)| !port.is_local()) {
            for (scope, span) in [
                (Scope::Everywhere, port.everywhere),
                (Scope::Here, port.here),
            ] {
                let address = key.address;
                let place = Place {
                    vni: port.vni,
                    address,
                };
                earlier.remember(port.service, Audience::of(place, scope), span);
                open.extend(numbers_in(tables, span));
            }
            earlier.publish(port.service, *key);
        }
        for (id, backend) in tables.backends.iter() {
            if id.0 >= FIRST_LOCAL_NUMBER {
                continue;
            }
            earlier.last_backend = earlier.last_backend.max(id.0);
            let node = match backend.peer {
                None => None,
                Some(peer) => match nodes.get(&peer) {
                    Some(node) => Some(*node),
                    None => continue,
                },
            };
            let placed = earlier.services.entry(backend.service).or_default();
            placed.backends.insert(
                backend.place,
                Backend {
                    id: *id,
                    node,
                    life: None,
                    is_open: open.contains(&id.0),
                },
            );
        }
        earlier
    }

    fn remember(&mut self, service: u32, audience: Audience, span: RingSpan) {
        if span.size == 0 || span.size == RingSpan::SINGLE {
            return;
        }
        let placed = self.services.entry(service).or_default();
        placed.rings.insert(audience, Ring::unknown(span));
    }

    fn publish(&mut self, service: u32, key: PortKey) {
        let placed = self.services.entry(service).or_default();
        placed.ports.insert(key);
    }

    /// Keeps the regions of its rings; a ring that cannot be where it is, is forgotten.
    pub(super) fn claim_regions(&mut self, regions: &mut Regions) {
        for placed in self.services.values_mut() {
            placed.rings.retain(|_, ring| regions.claim(ring.span));
        }
    }

    /// The greatest number that it had given away, as far as can be seen.
    pub(super) fn last_backend(&self) -> u32 {
        self.last_backend
    }

    /// What it had for one service; it is told once.
    pub(super) fn placed(&mut self, number: u32) -> Placed {
        self.services.remove(&number).unwrap_or_default()
    }

    /// What nobody asked for: rings of services that are gone.
    pub(super) fn release(&mut self, regions: &mut Regions) {
        for placed in std::mem::take(&mut self.services).into_values() {
            for ring in placed.rings.into_values() {
                regions.give_back(ring.span);
            }
        }
    }
}

fn numbers_in(tables: &Tables, span: RingSpan) -> BTreeSet<u32> {
    if span.size == RingSpan::SINGLE {
        return BTreeSet::from([span.first]);
    }
    let (start, length) = rings::region(span);
    let entries = tables.slots.range(start..start.saturating_add(length));
    let numbers = entries.flat_map(|(_, slots)| slots.iter().copied());
    numbers
        .filter(|number| BackendId(*number) != BackendId(0))
        .collect()
}
