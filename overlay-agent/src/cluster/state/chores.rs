//! What is due by the clock. The leader looks from time to time and proposes it.

use super::{State, networks::INGRESS};

/// After how many seconds what is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Schedule {
    /// The gossip's keys move on, if nobody chose another time; Docker: 12 hours.
    pub rotate_keys: u64,
    /// Keys that a removed node knows are accepted no longer: long enough for every node to hear of
    /// the new one.
    pub retire_keys: u64,
    /// Addresses of a node that left or was removed become free: longer than others remember its
    /// endpoints.
    pub reap: u64,
}

/// Something to be proposed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Chore {
    /// [`Change::RotateKeys`](super::Change::RotateKeys).
    RotateKeys,
    /// [`Change::RetireKeys`](super::Change::RetireKeys).
    RetireKeys {
        /// The oldest that stays.
        oldest: u32,
    },
    /// [`Change::FinishAuthorityRotation`](super::Change::FinishAuthorityRotation).
    FinishAuthorityRotation,
    /// The ingress network, for a cluster that is older than it.
    CreateIngress,
    /// [`Change::Reap`](super::Change::Reap).
    Reap {
        /// How long ago, seconds.
        after: u64,
    },
}

impl State {
    /// What is due at `now`, seconds since 1970.
    pub fn chores(&self, now: u64, schedule: &Schedule) -> Vec<Chore> {
        let Some(cluster) = &self.cluster else {
            return Vec::new();
        };
        let is_due = |since: u64, after: u64| since.saturating_add(after) <= now;
        let mut chores = Vec::new();
        let ring = &cluster.ring;
        let rotate_keys = cluster.times.keys.unwrap_or(schedule.rotate_keys);
        if is_due(ring.rotated(), rotate_keys) {
            chores.push(Chore::RotateKeys);
        }
        if ring
            .exposed()
            .is_some_and(|since| is_due(since, schedule.retire_keys))
        {
            let oldest = ring.keys().primary;
            chores.push(Chore::RetireKeys { oldest });
        }
        if cluster.trust.next().is_some() && cluster.uncertified().next().is_none() {
            chores.push(Chore::FinishAuthorityRotation);
        }
        let is_named = |name| cluster.networks.by_name(name).is_some();
        if !cluster.had_ingress && !is_named(INGRESS) {
            chores.push(Chore::CreateIngress);
        }
        let mut gone = cluster.gone.values();
        if gone.any(|since| is_due(*since, schedule.reap)) {
            let after = schedule.reap;
            chores.push(Chore::Reap { after });
        }
        chores
    }
}
