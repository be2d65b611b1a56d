//! Secrets of the cluster that change with time.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One generation of the cluster's secret.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize)]
pub struct RingKey {
    /// Its number; later ones are greater.
    pub number: u32,
    /// 256 random bits, from which the keys of each sender are derived.
    pub secret: [u8; 32],
}

/// The generations that are accepted. The primary one is used to send.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct KeyRing {
    /// The generation that senders use.
    pub primary: u32,
    /// Every accepted generation, at most three, ascending by number.
    pub keys: Vec<RingKey>,
}

impl fmt::Debug for RingKey {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingKey")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Drop for RingKey {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.secret);
    }
}

impl KeyRing {
    /// The generation with this number.
    pub fn key(&self, number: u32) -> Option<&RingKey> {
        self.keys.iter().find(|key| key.number == number)
    }
}
