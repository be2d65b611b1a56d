//! Keys of single directions between two nodes, from the cluster's key ring.

use std::{collections::BTreeSet, fmt};

use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::model::{KeyRing, NodeId};

/// AES-256 and, behind it, the salt of its nonces (RFC 4106).
const KEY_LENGTH: usize = 32 + 4;

/// SPIs up to here are reserved (RFC 4303).
const LEAST_SPI: u32 = 0x100;

/// Names a sender's choice, never made twice: the number rises, and where it could not be remembered the random
/// part still differs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
pub struct Epoch {
    /// Greater than that of every earlier epoch of the same direction, as far as either side remembers.
    pub number: u64,
    /// At random.
    pub random: u64,
}

/// What, besides both nodes, the key of one direction is made from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
pub struct Round {
    /// The sender's choice.
    pub epoch: Epoch,
    /// Generation of the key ring.
    pub generation: u32,
}

/// What the kernel is told of a round.
#[derive(Clone, Eq, PartialEq)]
pub struct Material {
    /// Key and salt.
    pub key: Zeroizing<[u8; KEY_LENGTH]>,
    /// The name of the state in its packets.
    pub spi: u32,
}

impl fmt::Debug for Material {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material")
            .field("spi", &self.spi)
            .finish_non_exhaustive()
    }
}

/// Derives the keys of all rounds whose generation is accepted.
pub struct Schedule {
    /// Length and name of the cluster: part of every derivation.
    cluster: Vec<u8>,
    ring: KeyRing,
}

impl fmt::Debug for Schedule {
    /// Without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schedule")
            .field("primary", &self.ring.primary)
            .finish_non_exhaustive()
    }
}

impl Schedule {
    /// The schedule of a cluster.
    pub fn new(cluster: &str, ring: KeyRing) -> Self {
        let mut named = (cluster.len() as u64).to_be_bytes().to_vec();
        named.extend_from_slice(cluster.as_bytes());
        Self {
            cluster: named,
            ring,
        }
    }

    /// Takes over another ring.
    pub fn set_ring(&mut self, ring: KeyRing) {
        self.ring = ring;
    }

    /// The generation that senders use, if there is one.
    pub fn primary(&self) -> Option<u32> {
        let primary = self.ring.primary;
        self.ring.key(primary).map(|key| key.number)
    }

    /// Every accepted generation.
    pub fn accepted(&self) -> BTreeSet<u32> {
        self.ring.keys.iter().map(|key| key.number).collect()
    }

    /// What one node seals with for another in a round. None unless its generation is accepted.
    pub fn material(&self, sender: NodeId, receiver: NodeId, round: Round) -> Option<Material> {
        let secret = self.ring.key(round.generation)?;
        let secret = Salt::new(HKDF_SHA256, b"overlay encryption").extract(&secret.secret);
        let derive = |label: &'static [u8]| self.derive(&secret, label, sender, receiver, round);
        let mut key = Zeroizing::new([0; KEY_LENGTH]);
        derive(b"key")(&mut key[..])?;
        let mut spi = [0; 4];
        derive(b"spi")(&mut spi)?;
        let spi = u32::from_be_bytes(spi);
        Some(Material {
            key,
            spi: if spi < LEAST_SPI {
                spi + LEAST_SPI
            } else {
                spi
            },
        })
    }

    fn derive<'a>(
        &'a self,
        secret: &'a Prk,
        label: &'static [u8],
        sender: NodeId,
        receiver: NodeId,
        round: Round,
    ) -> impl FnOnce(&mut [u8]) -> Option<()> + 'a {
        move |out| {
            let info: [&[u8]; 7] = [
                &self.cluster,
                label,
                &sender.bits().to_be_bytes(),
                &receiver.bits().to_be_bytes(),
                &round.generation.to_be_bytes(),
                &round.epoch.number.to_be_bytes(),
                &round.epoch.random.to_be_bytes(),
            ];
            let expanded = secret.expand(&info, Length(out.len())).ok()?;
            expanded.fill(out).ok()
        }
    }
}

/// How many bytes are derived.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RingKey;

    fn ring(first: u8) -> KeyRing {
        let key = |number: u32| RingKey {
            number,
            secret: [first + u8::try_from(number).unwrap(); 32],
        };
        KeyRing {
            primary: 2,
            keys: vec![key(1), key(2), key(3)],
        }
    }

    fn round(generation: u32, number: u64, random: u64) -> Round {
        Round {
            epoch: Epoch { number, random },
            generation,
        }
    }

    #[test]
    fn both_sides_derive_the_same_and_nothing_else_has_the_same_key() {
        let node = NodeId::from_random;
        let mut all = Vec::new();
        for (cluster, secret) in [("one", 0), ("two", 0), ("one", 100)] {
            let here = Schedule::new(cluster, ring(secret));
            let there = Schedule::new(cluster, ring(secret));
            for (sender, receiver) in [(1, 2), (2, 1), (1, 3)] {
                for round in [
                    round(1, 1, 1),
                    round(2, 1, 1),
                    round(2, 2, 1),
                    round(2, 1, 2),
                ] {
                    let material = here.material(node(sender), node(receiver), round);
                    let material = material.expect("an accepted generation");
                    assert_eq!(
                        there.material(node(sender), node(receiver), round),
                        Some(material.clone())
                    );
                    assert!(material.spi >= LEAST_SPI);
                    all.push(material);
                }
            }
        }

        let keys: BTreeSet<_> = all.iter().map(|one| *one.key).collect();
        let spis: BTreeSet<_> = all.iter().map(|one| one.spi).collect();
        assert_eq!(keys.len(), all.len());
        assert_eq!(spis.len(), all.len());
    }

    #[test]
    fn a_generation_that_is_gone_has_no_keys_any_more() {
        let mut schedule = Schedule::new("one", ring(0));
        let node = NodeId::from_random;
        let old = round(1, 1, 1);
        assert!(schedule.material(node(1), node(2), old).is_some());

        let mut later = ring(0);
        later.keys.remove(0);
        schedule.set_ring(later);

        assert!(schedule.material(node(1), node(2), old).is_none());
        assert_eq!(schedule.accepted(), [2, 3].into());
        assert_eq!(schedule.primary(), Some(2));
        schedule.set_ring(KeyRing::default());
        assert_eq!(schedule.primary(), None);
    }

    #[test]
    fn nothing_shows_a_key() {
        let schedule = Schedule::new("one", ring(0));
        let node = NodeId::from_random;
        let material = schedule.material(node(1), node(2), round(1, 1, 1));

        let shown = format!("{schedule:?} {material:?}");

        assert!(!shown.contains('['), "{shown}");
    }
}
