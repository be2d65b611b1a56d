//! Why this node takes part in networks: because they exist here, or because somebody asks what is claimed in them.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Vni;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Presence {
    lasting: BTreeSet<Vni>,
    /// How many ask at this moment.
    visits: BTreeMap<Vni, usize>,
}

impl Presence {
    /// A network is taken part in until it is left.
    pub(super) fn stay(&mut self, vni: Vni) {
        self.lasting.insert(vni);
    }

    /// A network is left. False while somebody visits it.
    #[must_use]
    pub(super) fn leave(&mut self, vni: Vni) -> bool {
        self.lasting.remove(&vni);
        !self.visits.contains_key(&vni)
    }

    /// Somebody visits a network.
    pub(super) fn visit(&mut self, vni: Vni) {
        *self.visits.entry(vni).or_default() += 1;
    }

    /// A visit is over. True if nothing holds the node in the network any more.
    #[must_use]
    pub(super) fn depart(&mut self, vni: Vni) -> bool {
        if let Some(count) = self.visits.get_mut(&vni) {
            *count = count.saturating_sub(1);
        }
        self.visits.retain(|_, count| *count > 0);
        !self.visits.contains_key(&vni) && !self.lasting.contains(&vni)
    }

    /// Whether somebody visits a network.
    pub(super) fn is_visited(&self, vni: Vni) -> bool {
        self.visits.contains_key(&vni)
    }
}
