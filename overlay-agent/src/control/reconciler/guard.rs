//! The guard at the way out of the host, which stands while anything is encrypted: before the first packet that should
//! be, and until the last is gone.

use std::collections::BTreeSet;

use super::{Datapath, Hook, Plumbing, PortError, PortErrorKind, Reconciler, Underlay, planner};
use crate::control::Tables;

impl<D: Datapath, U: Underlay, P: Plumbing> Reconciler<D, U, P> {
    /// Where the guard belongs by what the tables hold.
    pub(super) fn guard_hooks(&self) -> BTreeSet<Hook> {
        match &self.applied {
            Some(tables) if tables.is_anything_encrypted() => planner::guard_hooks(self.facts()),
            Some(_) | None => BTreeSet::new(),
        }
    }

    /// Puts the guard up if these tables, which are about to be written, ask for it; returns at how many devices. It is
    /// taken down where other hooks are.
    pub(super) fn guard(&mut self, wanted: &Tables) -> Result<usize, PortError> {
        if !wanted.is_anything_encrypted() {
            return Ok(0);
        }
        let mut count = 0;
        for hook in planner::guard_hooks(self.facts()) {
            if self.hooks.contains(&hook) {
                continue;
            }
            match self.datapath.attach(hook) {
                Ok(()) => {
                    self.hooks.insert(hook);
                    count += 1;
                }
                Err(error) if error.kind == PortErrorKind::Gone => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }
}
