//! From services as they should be balanced to entries of the tables: numbers of services and backends,
//! rings and their places. Pure; it remembers what it gave away.

mod earlier;
mod numbers;
mod placed;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use earlier::Earlier;
use numbers::Numbers;
use placed::Placed;

use super::{Key, Row, Tables, rings::Regions};
use crate::model::{Balanced, PeerId, PortEntry, PortKey, ServiceChange, ServiceId};

/// Slots for all rings, where nobody says.
const USUAL_SLOTS: u32 = 1 << 20;

/// See the module.
#[derive(Debug)]
pub struct Balancer {
    wanted: BTreeMap<ServiceId, Balanced>,
    placed: BTreeMap<ServiceId, Placed>,
    regions: Regions,
    numbers: Numbers,
    /// What an earlier agent left; `None` before the tables were read.
    earlier: Option<Earlier>,
    /// Whether what the earlier agent knew of other nodes' tasks is still believed.
    is_believing: bool,
    first_backend: u32,
}

/// What follows from a service that changed.
#[derive(Debug, Default)]
pub struct Placing {
    /// Every entry that is wanted for it and may be different.
    pub rows: Vec<Row>,
    /// Entries that are wanted no longer.
    pub gone: Vec<Key>,
    /// Whether its rings are smaller than they should be.
    pub is_crowded: bool,
}

impl Default for Balancer {
    fn default() -> Self {
        Self::new(USUAL_SLOTS, 1)
    }
}

impl Balancer {
    /// For an array of so many slots. No backend gets a lower number than `first_backend`: what an
    /// earlier agent gave away may still be remembered in flows.
    pub fn new(slots: u32, first_backend: u32) -> Self {
        Self {
            wanted: BTreeMap::new(),
            placed: BTreeMap::new(),
            regions: Regions::new(slots),
            numbers: Numbers::default(),
            earlier: None,
            is_believing: true,
            first_backend,
        }
    }

    /// Wants something else of these services from now on.
    pub fn want(&mut self, changes: &[ServiceChange]) {
        for (id, wanted) in changes {
            match wanted {
                Some(wanted) => self.wanted.insert(*id, wanted.clone()),
                None => self.wanted.remove(id),
            };
        }
    }

    /// Takes over what an earlier agent left in the tables. Only the first call does something.
    pub fn adopt(&mut self, actual: &Tables) {
        if self.earlier.is_some() {
            return;
        }
        let mut earlier = Earlier::read(actual);
        earlier.claim_regions(&mut self.regions);
        self.numbers
            .start(earlier.last_backend(), self.first_backend);
        self.earlier = Some(earlier);
    }

    /// Believes no longer what only an earlier agent knew: by now the others have told what they have.
    /// Returns the services for which that may make a difference.
    pub fn disbelieve(&mut self) -> Vec<ServiceId> {
        self.is_believing = false;
        let placed = self.placed.iter();
        let believed = placed.filter(|(_, placed)| placed.has_believed());
        believed.map(|(id, _)| *id).collect()
    }

    /// Everything that should be in the tables.
    pub fn place_all(&mut self, peers: &BTreeMap<IpAddr, PeerId>) -> Placing {
        let ids: BTreeSet<ServiceId> = self
            .wanted
            .keys()
            .chain(self.placed.keys())
            .copied()
            .collect();
        let mut all = Placing::default();
        for id in ids {
            let changes = self.place(id, peers, Extent::Everything);
            all.rows.extend(changes.rows);
            all.is_crowded |= changes.is_crowded;
        }
        if let Some(earlier) = &mut self.earlier {
            earlier.release(&mut self.regions);
        }
        all
    }

    /// What follows for one service. Regions that it no longer uses are not given away before
    /// [`Self::settle`].
    pub fn place_one(&mut self, id: ServiceId, peers: &BTreeMap<IpAddr, PeerId>) -> Placing {
        self.place(id, peers, Extent::Changes)
    }

    /// The ports of all services.
    pub fn ports(&self) -> BTreeMap<PortKey, PortEntry> {
        let placed = self.placed.iter();
        let ports =
            placed.filter_map(|(id, placed)| Some(placed.port_entries(self.wanted.get(id)?)));
        ports.flatten().collect()
    }

    /// What was told is written: nothing names any more what was given up.
    pub fn settle(&mut self) {
        self.regions.settle();
    }

    fn place(
        &mut self,
        id: ServiceId,
        peers: &BTreeMap<IpAddr, PeerId>,
        extent: Extent,
    ) -> Placing {
        let before = self.placed.remove(&id);
        let Some(wanted) = self.wanted.get(&id) else {
            self.numbers.forget_service(id);
            return before.map_or_else(Placing::default, |before| Placing {
                gone: before.given_up(&mut self.regions),
                ..Placing::default()
            });
        };
        let number = self.numbers.of_service(id);
        let before = before.unwrap_or_else(|| {
            let earlier = self.earlier.as_mut();
            earlier.map_or_else(Placed::default, |earlier| earlier.placed(number))
        });
        let mut step = placed::Step {
            number,
            wanted,
            peers,
            is_believing: self.is_believing,
            regions: &mut self.regions,
            numbers: &mut self.numbers,
        };
        let after = step.take(&before);
        let placing = after.compared(&before, wanted, extent, peers);
        self.placed.insert(id, after);
        placing
    }
}

/// How much is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Extent {
    /// All entries.
    Everything,
    /// Without slots that stay as they are.
    Changes,
}
