//! What happened on the port so far.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Something that is counted.
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
        pub enum Counter {
            $($(#[$doc])* $name,)*
        }

        impl Counter {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name for statistics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

counters! {
    /// A connection was accepted.
    Accepted = "accepted",
    /// A connection was closed at once, because there are too many.
    OverLimit = "over_limit",
    /// A handshake failed: garbage, or a certificate of another authority.
    HandshakeFailed = "handshake_failed",
    /// Time was up: in a handshake, in a head, in a body, or for somebody without a certificate.
    TooSlow = "too_slow",
    /// A connection broke, or its owner did not take what it was sent.
    Broken = "broken",
    /// What came is no HTTP, or its contents make no sense.
    Malformed = "malformed",
    /// A body was too long.
    TooLarge = "too_large",
    /// A token was wrong, rotated or mistyped.
    TokenRefused = "token_refused",
    /// Somebody without a certificate, or with one that does not count now, wanted more than to join.
    IdentityRefused = "identity_refused",
    /// A node that was removed came back.
    RemovedNode = "removed_node",
    /// A node wanted what its role does not allow.
    RoleRefused = "role_refused",
    /// A host became a node.
    Joined = "joined",
    /// A certificate was renewed.
    Renewed = "renewed",
}

/// A number for every [`Counter`].
#[derive(Debug)]
pub struct Counters([AtomicU64; Counter::ALL.len()]);

impl Default for Counters {
    fn default() -> Self {
        Self(std::array::from_fn(|_index| AtomicU64::new(0)))
    }
}

impl Counters {
    /// How often it happened.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize].load(Ordering::Relaxed)
    }

    /// All numbers by name.
    pub fn all(&self) -> BTreeMap<&'static str, u64> {
        let named = Counter::ALL.iter();
        named
            .map(|counter| (counter.name(), self.get(*counter)))
            .collect()
    }

    pub(super) fn count(&self, counter: Counter) {
        self.0[counter as usize].fetch_add(1, Ordering::Relaxed);
    }
}
