//! Following a cluster that changes while the agent runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use super::{Change, Datapath, Plumbing, PortError, Reconciler, Underlay, planner};
use crate::{
    control::{Key, Row, order::rank},
    model::{Attachment, Desired, Exact, Place},
};

impl<D: Datapath, U: Underlay, P: Plumbing> Reconciler<D, U, P> {
    /// Wants something else from now on, and writes the differences; returns how many. The underlay is
    /// looked at only when the nodes' addresses changed. A failure leaves the rest to the next audit.
    pub fn follow<'a>(
        &mut self,
        desired: Arc<Desired>,
        exact: BTreeMap<Place, Exact>,
        attachments: impl IntoIterator<Item = &'a Attachment> + Clone,
    ) -> Result<usize, PortError> {
        let has_same_nodes =
            self.desired.this == desired.this && addresses(&self.desired) == addresses(&desired);
        self.desired = desired;
        self.exact = exact;
        let Some(actual) = self.applied.take() else {
            return self.sync(attachments);
        };
        if !has_same_nodes {
            // The numbers come first, since ways are looked for by them.
            self.number(&actual);
            self.look_around()?;
        }
        let desired = actual.with_remote(planner::remote_tables(self.facts()));
        let desired = desired.with_published(self.balancer.ports());
        let written = self.apply(&actual, desired)?;
        Ok(written + self.hang_on_underlay()?)
    }

    /// Follows single addresses that moved, came or went, without looking at any other; returns how
    /// many entries were written. A failure leaves the rest to the next audit.
    pub fn reroute(&mut self, moved: &[(Place, Option<Exact>)]) -> Result<usize, PortError> {
        let mut writes = Vec::with_capacity(moved.len());
        for (place, exact) in moved {
            match exact {
                Some(exact) => self.exact.insert(*place, *exact),
                None => self.exact.remove(place),
            };
            let entry = exact
                .as_ref()
                .and_then(|exact| planner::route_entry(&self.numbers, exact));
            writes.push(match entry {
                Some(entry) => Change::Put(Row::Route(*place, entry)),
                None => Change::Remove(Key::Route(*place)),
            });
        }
        let Some(mut tables) = self.applied.take() else {
            return Ok(0);
        };
        writes.retain(|change| match change {
            Change::Put(row) => tables.get(&row.key()).as_ref() != Some(row),
            Change::Remove(key) => tables.get(key).is_some(),
        });
        // Removals first: they make room.
        writes.sort_by_key(rank);
        for change in &writes {
            self.write(change)?;
            tables.record(change);
        }
        self.applied = Some(tables);
        Ok(writes.len())
    }
}

fn addresses(desired: &Desired) -> BTreeSet<IpAddr> {
    desired.nodes.iter().map(|node| node.address).collect()
}
