//! The gossip's keys, and how they change without a gap.
//!
//! Of up to three generations senders use the second newest: a new key is everywhere before the next
//! rotation makes it the primary one, and the one before it is accepted for one rotation more. When a
//! node is taken out there is no time for that: the new key is the primary one at once, keys that
//! nobody uses yet are dropped, and the older ones, which the removed node knows, are accepted only
//! until a command retires them.

use serde::{Deserialize, Serialize};

use super::{Refusal, Secret};
use crate::model::{KeyRing, RingKey};

/// How many generations are accepted.
const MOST: usize = 3;

/// The keys and when they changed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct Ring {
    keys: KeyRing,
    /// The greatest number that a key ever had.
    newest: u32,
    /// When a key was added last.
    rotated: u64,
    /// When a node was taken out that knows keys that are still accepted.
    exposed: Option<u64>,
}

impl Ring {
    pub(super) fn new(secret: &Secret<[u8; 32]>, at: u64) -> Self {
        let mut ring = Self {
            keys: KeyRing::default(),
            newest: 0,
            rotated: at,
            exposed: None,
        };
        ring.rotate(secret, at);
        ring
    }

    pub(super) fn keys(&self) -> &KeyRing {
        &self.keys
    }

    pub(super) fn rotated(&self) -> u64 {
        self.rotated
    }

    pub(super) fn exposed(&self) -> Option<u64> {
        self.exposed
    }

    /// Moves on by one generation.
    pub(super) fn rotate(&mut self, secret: &Secret<[u8; 32]>, at: u64) {
        let newest = self.add(secret, at);
        let mut newest_first = self.keys.keys.iter().rev();
        let second = newest_first.nth(1).map(|key| key.number);
        self.keys.primary = second.unwrap_or(newest);
    }

    /// Makes a new key the primary one at once.
    pub(super) fn expel(&mut self, secret: &Secret<[u8; 32]>, at: u64) {
        let primary = self.keys.primary;
        self.keys.keys.retain(|key| key.number <= primary);
        self.keys.primary = self.add(secret, at);
        self.exposed = Some(at);
    }

    /// Drops what is older than the key of this number.
    pub(super) fn retire(&mut self, oldest: u32) -> Result<(), Refusal> {
        let primary = self.keys.primary;
        if oldest > primary {
            return Err(Refusal::KeyInUse { oldest, primary });
        }
        self.keys.keys.retain(|key| key.number >= oldest);
        if self.keys.keys.iter().all(|key| key.number >= primary) {
            self.exposed = None;
        }
        Ok(())
    }

    fn add(&mut self, secret: &Secret<[u8; 32]>, at: u64) -> u32 {
        self.newest += 1;
        self.rotated = at;
        let keys = &mut self.keys.keys;
        keys.push(RingKey {
            number: self.newest,
            secret: *secret.expose(),
        });
        let excess = keys.len().saturating_sub(MOST);
        keys.drain(..excess);
        self.newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> Secret<[u8; 32]> {
        Secret::new([byte; 32])
    }

    fn shown(ring: &Ring) -> (Vec<u32>, u32) {
        let numbers = ring.keys().keys.iter().map(|key| key.number);
        (numbers.collect(), ring.keys().primary)
    }

    #[test]
    fn a_key_is_known_one_rotation_before_it_is_used_and_accepted_one_after() {
        let mut ring = Ring::new(&secret(1), 10);
        let mut seen = vec![shown(&ring)];
        for byte in 2..6 {
            ring.rotate(&secret(byte), u64::from(byte));
            seen.push(shown(&ring));
        }

        assert_eq!(
            seen,
            [
                (vec![1], 1),
                (vec![1, 2], 1),
                (vec![1, 2, 3], 2),
                (vec![2, 3, 4], 3),
                (vec![3, 4, 5], 4),
            ]
        );
        assert_eq!(ring.rotated(), 5);
        assert_eq!(ring.keys().key(5).unwrap().secret, [5; 32]);
    }

    #[test]
    fn a_removed_node_knows_no_key_that_is_used_to_send() {
        let mut ring = Ring::new(&secret(1), 0);
        ring.rotate(&secret(2), 1);
        ring.rotate(&secret(3), 2);

        ring.expel(&secret(4), 3);
        assert_eq!(shown(&ring), (vec![1, 2, 4], 4));
        assert_eq!(ring.exposed(), Some(3));
        ring.expel(&secret(5), 4);
        assert_eq!(shown(&ring), (vec![2, 4, 5], 5));

        ring.retire(5).unwrap();
        assert_eq!(shown(&ring), (vec![5], 5));
        assert_eq!(ring.exposed(), None);
        ring.rotate(&secret(6), 5);
        assert_eq!(shown(&ring), (vec![5, 6], 5));
    }

    #[test]
    fn the_primary_key_is_never_retired() {
        let mut ring = Ring::new(&secret(1), 0);
        ring.rotate(&secret(2), 1);

        assert_eq!(
            ring.retire(2),
            Err(Refusal::KeyInUse {
                oldest: 2,
                primary: 1
            })
        );
        assert_eq!(shown(&ring), (vec![1, 2], 1));
    }
}
