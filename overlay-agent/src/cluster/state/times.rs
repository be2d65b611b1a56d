//! Times that the cluster's owner may choose.

use serde::{Deserialize, Serialize};

use super::Refusal;

/// Nodes renew their certificates in the second half of their lives, and clocks differ.
const LEAST_CERTIFICATES: u64 = 3_600;

/// A key must reach every node before it is used.
const LEAST_KEYS: u64 = 60;

/// What was chosen, in seconds; what was not is left to the managers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// How long new certificates of nodes are good.
    pub certificates: Option<u64>,
    /// Between two keys of the gossip.
    pub keys: Option<u64>,
}

impl Times {
    /// What `wish` leaves open stays.
    pub(super) fn change(&mut self, wish: Self) -> Result<(), Refusal> {
        let chosen = [
            (
                "a certificate's life",
                wish.certificates,
                LEAST_CERTIFICATES,
            ),
            ("the time between keys", wish.keys, LEAST_KEYS),
        ];
        for (what, seconds, least) in chosen {
            if let Some(seconds) = seconds.filter(|seconds| *seconds < least) {
                return Err(Refusal::TooShort {
                    what: what.to_owned(),
                    seconds,
                    least,
                });
            }
        }
        *self = Self {
            certificates: wish.certificates.or(self.certificates),
            keys: wish.keys.or(self.keys),
        };
        Ok(())
    }
}
