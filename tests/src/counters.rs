//! What the data plane counted, as `overlay stats` tells it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::Host;

/// Answers of the node itself, as many as the kernels of containers happen to ask for.
const ANSWERS: [&str; 2] = ["arp-answered", "neighbour-answered"];

/// Reasons for dropping what the kernel of every container sends of its own accord: multicast listener reports,
/// router solicitations, and the duplicate-address check of its link-local address.
const CHATTER: [&str; 3] = ["multicast", "neighbour-ignored", "own-address-check"];

/// Packets by name of their walk, and by the reason for dropping them; names without packets are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Walks that ended well.
    pub walks: BTreeMap<String, u64>,
    /// Reasons for drops.
    pub drops: BTreeMap<String, u64>,
}

impl Counters {
    /// All that was counted on `host` so far.
    pub fn of(host: &Host) -> Result<Self> {
        let json = host.overlay_json(&["stats"])?;
        let stats: Stats = serde_json::from_value(json)
            .with_context(|| format!("reading the counters of host {}", host.name()))?;
        Ok(Self {
            walks: named(stats.walks.into_iter().map(|row| (row.walk, row.packets))),
            drops: named(stats.drops.into_iter().map(|row| (row.reason, row.packets))),
        })
    }

    /// What each of `hosts` counts while `action` runs.
    pub fn during<const N: usize>(
        hosts: [&Host; N],
        action: impl FnOnce() -> Result<()>,
    ) -> Result<[Self; N]> {
        let before = hosts
            .iter()
            .map(|host| Self::of(host))
            .collect::<Result<Vec<_>>>()?;
        action()?;
        let mut counted = [(); N].map(|()| Self::default());
        for ((host, before), counted) in hosts.iter().zip(&before).zip(&mut counted) {
            *counted = Self::of(host)?.since(before);
        }
        Ok(counted)
    }

    /// What was counted since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            walks: difference(&self.walks, &before.walks),
            drops: difference(&self.drops, &before.drops),
        }
    }

    /// Packets that took `walk`.
    pub fn walk(&self, walk: &str) -> u64 {
        self.walks.get(walk).copied().unwrap_or(0)
    }

    /// Packets dropped for `reason`.
    pub fn drop(&self, reason: &str) -> u64 {
        self.drops.get(reason).copied().unwrap_or(0)
    }

    /// The walks of packets that went somewhere: answers to neighbour questions are left out.
    pub fn carried(&self) -> Vec<(&str, u64)> {
        without(&self.walks, &ANSWERS)
    }

    /// The drops that a well-behaved container does not cause.
    pub fn losses(&self) -> Vec<(&str, u64)> {
        without(&self.drops, &CHATTER)
    }
}

#[derive(Deserialize)]
struct Stats {
    walks: Vec<WalkRow>,
    drops: Vec<DropRow>,
}

#[derive(Deserialize)]
struct WalkRow {
    walk: String,
    packets: u64,
}

#[derive(Deserialize)]
struct DropRow {
    reason: String,
    packets: u64,
}

fn named(rows: impl Iterator<Item = (String, u64)>) -> BTreeMap<String, u64> {
    rows.filter(|(_, packets)| *packets > 0).collect()
}

fn difference(
    after: &BTreeMap<String, u64>,
    before: &BTreeMap<String, u64>,
) -> BTreeMap<String, u64> {
    named(after.iter().map(|(name, packets)| {
        let old = before.get(name).copied().unwrap_or(0);
        (name.clone(), packets - old)
    }))
}

fn without<'a>(counts: &'a BTreeMap<String, u64>, names: &[&str]) -> Vec<(&'a str, u64)> {
    counts
        .iter()
        .map(|(name, packets)| (name.as_str(), *packets))
        .filter(|(name, _)| !names.contains(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(rows: &[(&str, u64)]) -> BTreeMap<String, u64> {
        rows.iter()
            .map(|(name, packets)| ((*name).to_owned(), *packets))
            .collect()
    }

    #[test]
    fn only_what_grew_is_a_difference() {
        let before = Counters {
            walks: counts(&[("local", 5), ("arp-answered", 1)]),
            drops: BTreeMap::new(),
        };
        let after = Counters {
            walks: counts(&[("local", 5), ("encapsulated", 3), ("arp-answered", 2)]),
            drops: counts(&[("multicast", 1), ("no-route", 2)]),
        };

        let counted = after.since(&before);

        assert_eq!(counted.carried(), [("encapsulated", 3)]);
        assert_eq!(counted.losses(), [("no-route", 2)]);
        assert_eq!((counted.walk("local"), counted.drop("no-route")), (0, 2));
    }
}
