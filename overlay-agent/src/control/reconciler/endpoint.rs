//! Endpoints that come and go: small changes, made without looking at the rest.

use super::{
    Change, Datapath, Ended, Hook, Plumbing, PortError, Program, Reconciler, Underlay, planner,
};
use crate::{
    control::{Key, Row},
    model::{Attachment, NamespaceEntry, PortKey, Vni},
};

/// Where the container's packets come in.
pub(super) fn hook(attachment: &Attachment) -> Hook {
    Hook {
        program: Program::FromContainer,
        ifindex: attachment.host_ifindex,
    }
}

/// The keys of the ports that an endpoint publishes itself.
fn published_keys(attachment: &Attachment) -> Vec<PortKey> {
    let ports = attachment.ports.iter();
    let keys = ports.flat_map(|port| planner::port_keys(*port, attachment.addresses()));
    keys.collect()
}

impl<D: Datapath, U: Underlay, P: Plumbing> Reconciler<D, U, P> {
    /// Connects an endpoint whose interface exists. It can be reached only after it can send, so that
    /// no answer of it is lost. Nothing is left behind when it fails.
    pub fn add(&mut self, attachment: &Attachment) -> Result<(), PortError> {
        let connected = self.connect(attachment);
        if connected.is_err()
            && let Err(error) = self.remove(attachment)
        {
            tracing::warn!(
                endpoint = attachment.name,
                error = &error as &dyn std::error::Error,
                "what a failed attachment left in the tables could not be removed; the next audit will"
            );
        }
        connected
    }

    fn connect(&mut self, attachment: &Attachment) -> Result<(), PortError> {
        self.reserve(&published_keys(attachment))?;
        self.put(planner::interface_row(attachment, self.pools))?;
        let hook = hook(attachment);
        self.datapath.attach(hook)?;
        self.hooks.insert(hook);
        let is_balanced = self
            .applied
            .as_ref()
            .is_some_and(|tables| tables.has_vips(attachment.vni));
        for mut row in planner::endpoint_rows(attachment) {
            if let Row::Endpoint(_, entry) = &mut row {
                entry.balanced = is_balanced;
            }
            self.put(row)?;
        }
        let transit = planner::transit_rows(attachment, self.pools);
        for row in transit.chain(planner::published_rows(attachment)) {
            self.put(row)?;
        }
        if let Some(cookie) = attachment.cookie {
            let entry = self.namespace(cookie)?.with(attachment.vni);
            self.put(Row::Namespace(cookie, entry))?;
        }
        Ok(())
    }

    /// What the programs at sockets know of a namespace.
    fn namespace(&self, cookie: u64) -> Result<NamespaceEntry, PortError> {
        let key = Key::Namespace(cookie);
        let row = match &self.applied {
            Some(tables) => tables.get(&key),
            None => self.datapath.get(&key)?,
        };
        Ok(match row {
            Some(Row::Namespace(_, entry)) => entry,
            Some(_) | None => NamespaceEntry::default(),
        })
    }

    /// Lets the sockets of a namespace out of a network.
    fn leave(&mut self, cookie: u64, vni: Vni) -> Result<(), PortError> {
        let entry = self.namespace(cookie)?.without(vni);
        let change = if entry.is_empty() {
            Change::Remove(Key::Namespace(cookie))
        } else {
            Change::Put(Row::Namespace(cookie, entry))
        };
        let written = self.write(&change);
        self.record(&change);
        written
    }

    /// Disconnects an endpoint, whatever is left of it. Every step is tried; the first failure is
    /// returned.
    pub fn remove(&mut self, attachment: &Attachment) -> Result<(), PortError> {
        let outcome = self.isolate(attachment);
        let hook = hook(attachment);
        self.hooks.remove(&hook);
        outcome.and(self.datapath.detach(hook))
    }

    /// Cuts an endpoint off: nothing gets to it, and its packets are dropped where they come in, for
    /// which its hook stays. What cannot be written now is written by the next audit.
    pub fn isolate(&mut self, attachment: &Attachment) -> Result<(), PortError> {
        let mut outcome = match attachment.cookie {
            Some(cookie) => self.leave(cookie, attachment.vni),
            None => Ok(()),
        };
        let published = planner::published_rows(attachment).into_iter().rev();
        let published: Vec<Row> = published.filter(|row| self.is_own(row)).collect();
        let keys = published.iter().map(Row::key);
        let transit = planner::transit_rows(attachment, self.pools);
        let keys = keys.chain(transit.map(|row| row.key()));
        let keys = keys.chain(planner::endpoint_rows(attachment).map(|row| row.key()));
        for key in keys.chain([Key::Interface(attachment.host_ifindex)]) {
            let change = Change::Remove(key);
            outcome = outcome.and(self.write(&change));
            if let Key::Backend(id) = key
                && let Some(Row::Backend(_, was)) = self.row(&key)
            {
                self.ended.push(Ended { id, was });
            }
            // Even if that failed: nobody wants the entry any more, and the next audit takes it away.
            self.record(&change);
        }
        self.release(published.iter().filter_map(|row| {
            if let Key::Port(key) = row.key() {
                Some(key)
            } else {
                None
            }
        }));
        outcome
    }

    /// Whether a row is not another's under the same key.
    fn is_own(&self, row: &Row) -> bool {
        self.row(&row.key()).is_none_or(|present| present == *row)
    }

    fn row(&self, key: &Key) -> Option<Row> {
        self.applied.as_ref().and_then(|tables| tables.get(key))
    }

    fn put(&mut self, row: Row) -> Result<(), PortError> {
        let change = Change::Put(row);
        self.write(&change)?;
        self.record(&change);
        Ok(())
    }

    fn record(&mut self, change: &Change) {
        if let Some(tables) = &mut self.applied {
            tables.record(change);
        }
    }
}
