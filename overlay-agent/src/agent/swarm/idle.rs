//! Which leases have been of no use for long enough to be given back. Pure: time is an argument.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use crate::model::{Lease, Vni};

/// How long a block is kept that no endpoint uses: containers that are replaced find their network and
/// addresses as they were, also while no manager answers. A single address is not kept at all: it was
/// asked for by name, and may be wanted elsewhere next, or addresses are scarce.
pub(super) const KEEP: Duration = Duration::from_secs(300);

/// Since when leases have been of no use.
#[derive(Debug, Default)]
pub(super) struct Idle {
    since: BTreeMap<Lease, Instant>,
}

/// A lease and whether an endpoint has an address of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    pub(super) lease: Lease,
    pub(super) is_used: bool,
    /// Whether its network exists here.
    pub(super) is_present: bool,
}

impl Idle {
    /// Takes a look at all leases of this node; returns those that should be given back. Where a
    /// network exists, one unused lease of each family stays in reserve.
    pub(super) fn due(&mut self, now: Instant, uses: &[Use]) -> Vec<Lease> {
        let unused: Vec<&Use> = uses.iter().filter(|one| !one.is_used).collect();
        let mut reserved: BTreeSet<(Vni, bool)> = BTreeSet::new();
        let mut since = BTreeMap::new();
        let mut due = Vec::new();
        for one in unused {
            if is_single(&one.lease) {
                due.push(one.lease);
                continue;
            }
            let family = one.lease.block.addr().is_ipv4();
            let is_reserve = one.is_present && reserved.insert((one.lease.vni, family));
            if is_reserve {
                continue;
            }
            let start = self.since.get(&one.lease).copied().unwrap_or(now);
            if now.saturating_duration_since(start) >= KEEP {
                due.push(one.lease);
            } else {
                since.insert(one.lease, start);
            }
        }
        self.since = since;
        due
    }
}

fn is_single(lease: &Lease) -> bool {
    lease.block.prefix_len() == lease.block.max_prefix_len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NodeId;

    fn lease(block: &str) -> Lease {
        Lease {
            vni: Vni::try_from(4096).unwrap(),
            block: block.parse().unwrap(),
            node: NodeId::from_random(1),
            index: 1,
        }
    }

    fn unused(block: &str, is_present: bool) -> Use {
        Use {
            lease: lease(block),
            is_used: false,
            is_present,
        }
    }

    #[test]
    fn a_lease_is_given_back_after_a_while_without_use() {
        let mut idle = Idle::default();
        let start = Instant::now();
        let uses = [unused("10.0.0.0/26", false)];

        assert!(idle.due(start, &uses).is_empty());
        assert!(idle.due(start + KEEP / 2, &uses).is_empty());
        assert_eq!(idle.due(start + KEEP, &uses), [lease("10.0.0.0/26")]);
    }

    #[test]
    fn use_starts_the_while_again() {
        let mut idle = Idle::default();
        let start = Instant::now();
        let uses = [unused("10.0.0.0/26", false)];
        let busy = [Use {
            is_used: true,
            ..uses[0]
        }];

        assert!(idle.due(start, &uses).is_empty());
        assert!(idle.due(start + KEEP / 2, &busy).is_empty());
        assert!(idle.due(start + KEEP, &uses).is_empty());
        assert_eq!(idle.due(start + KEEP * 2, &uses).len(), 1);
    }

    #[test]
    fn a_network_that_exists_keeps_one_lease_of_each_family() {
        let mut idle = Idle::default();
        let start = Instant::now();
        let uses = [
            unused("10.0.0.4/30", true),
            unused("10.0.0.8/30", true),
            unused("fd00::/64", true),
        ];

        assert!(idle.due(start, &uses).is_empty());
        assert_eq!(idle.due(start + KEEP, &uses), [lease("10.0.0.8/30")]);
    }

    #[test]
    fn a_single_address_is_given_back_at_once() {
        let uses = [unused("10.0.0.4/32", true), unused("fd00::1/128", true)];

        assert_eq!(Idle::default().due(Instant::now(), &uses).len(), 2);
    }
}
