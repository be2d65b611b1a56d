//! What the gossip takes from its host besides sockets: the time of day, and randomness.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub(super) fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

/// Random bits that nobody can guess.
pub(super) fn random<const N: usize>() -> [u8; N] {
    rand::random()
}
