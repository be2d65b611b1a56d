//! Following services: who balances what, one service at a time.

use std::collections::BTreeSet;

use super::{Change, Datapath, Plumbing, PortError, Reconciler, Underlay};
use crate::{
    control::{Balancer, Key, Row, Tables, order::rank},
    model::{BackendEntry, BackendId, EndpointEntry, ServiceChange, ServiceId, Vni},
};

/// A backend that is no more: flows to it lead nowhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ended {
    /// Its number, which no other gets.
    pub id: BackendId,
    /// What it was.
    pub was: BackendEntry,
}

/// What has to be done beside the tables when backends end: their clients hold connections that nobody
/// will ever answer.
pub trait BackendEnd: std::fmt::Debug + Send {
    /// These are out of the tables by now. Must not block for long.
    fn ended(&mut self, backends: &[Ended]);
}

impl<D: Datapath, U: Underlay, P: Plumbing> Reconciler<D, U, P> {
    /// The same with room for rings as the maps have it, and with no backend below this number.
    #[must_use]
    pub fn with_balancer(mut self, balancer: Balancer) -> Self {
        self.balancer = balancer;
        self
    }

    /// Wants something else of these services from now on, and writes the differences; returns how many.
    /// A failure leaves the rest to the next audit.
    pub fn balance(&mut self, changes: &[ServiceChange]) -> Result<usize, PortError> {
        self.balancer.want(changes);
        self.place(changes.iter().map(|(id, _)| *id))
    }

    /// What only an earlier agent knew of the others' tasks is believed no longer.
    pub fn disbelieve(&mut self) -> Result<usize, PortError> {
        let services = self.balancer.disbelieve();
        self.place(services)
    }

    /// The backends that ended since the last call.
    pub fn take_ended(&mut self) -> Vec<Ended> {
        std::mem::take(&mut self.ended)
    }

    fn place(&mut self, services: impl IntoIterator<Item = ServiceId>) -> Result<usize, PortError> {
        let Some(mut tables) = self.applied.take() else {
            return Ok(0);
        };
        let mut writes = Vec::new();
        for id in services {
            let placing = self.balancer.place_one(id, &self.numbers);
            if placing.is_crowded {
                warn_crowded(id);
            }
            let rows = placing.rows.into_iter();
            let puts = rows.filter(|row| tables.get(&row.key()).as_ref() != Some(row));
            writes.extend(puts.map(Change::Put));
            let gone = placing.gone.into_iter();
            let gone = gone.filter(|key| tables.get(key).is_some());
            writes.extend(gone.map(Change::Remove));
        }
        yield_to_later(&mut writes);
        writes.retain(|change| match change {
            Change::Put(Row::Port(key, _)) => self.hold(key) || tables.ports.contains_key(key),
            Change::Put(_) | Change::Remove(_) => true,
        });
        writes.extend(marks(&tables, &writes));
        // Backends before the slots that name them, these before what names the ring; gone is what
        // names others before what is named.
        writes.sort_by_key(rank);
        let is_guarded = tables.is_anything_encrypted();
        let mut wanted = Tables::default();
        for change in &writes {
            if let Change::Put(Row::Port(..)) = change {
                wanted.record(change);
            }
        }
        self.guard(&wanted)?;
        for change in &writes {
            self.write(change)?;
            self.note_end(&tables, change);
            tables.record(change);
        }
        let is_guard_needed = tables.is_anything_encrypted();
        self.release(writes.iter().filter_map(|change| match change {
            Change::Remove(Key::Port(key)) => Some(*key),
            Change::Put(_) | Change::Remove(_) => None,
        }));
        self.balancer.settle();
        self.applied = Some(tables);
        if is_guarded && !is_guard_needed {
            self.hang_on_underlay()?;
        }
        Ok(writes.len())
    }

    pub(super) fn note_end(&mut self, tables: &Tables, change: &Change) {
        if let Change::Remove(Key::Backend(id)) = change
            && let Some(was) = tables.backends.get(id)
        {
            self.ended.push(Ended { id: *id, was: *was });
        }
    }
}

/// Endpoints of networks that get their first virtual address: its answers are theirs to expect. They keep the mark
/// until the tables are compared as a whole.
fn marks(tables: &Tables, writes: &[Change]) -> Vec<Change> {
    let networks: BTreeSet<Vni> = writes
        .iter()
        .filter_map(|change| match change {
            Change::Put(Row::Vip(place, _)) => Some(place.vni),
            Change::Put(_) | Change::Remove(_) => None,
        })
        .collect();
    let endpoints = tables.endpoints.iter();
    let unmarked =
        endpoints.filter(|(place, entry)| !entry.balanced && networks.contains(&place.vni));
    let marked = unmarked.map(|(place, entry)| {
        let entry = EndpointEntry {
            balanced: true,
            ..*entry
        };
        Change::Put(Row::Endpoint(*place, entry))
    });
    marked.collect()
}

/// What one service gives up and another one takes is not taken away: a port may move.
fn yield_to_later(writes: &mut Vec<Change>) {
    let put: BTreeSet<Key> = writes
        .iter()
        .filter_map(|change| match change {
            Change::Put(row) => Some(row.key()),
            Change::Remove(_) => None,
        })
        .collect();
    writes.retain(|change| match change {
        Change::Put(_) => true,
        Change::Remove(key) => !put.contains(key),
    });
}

fn warn_crowded(service: ServiceId) {
    tracing::warn!(
        %service,
        "its rings are smaller than they should be; raise datapath.limits.slots and restart the agent"
    );
}
