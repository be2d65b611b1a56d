//! Many nodes in virtual time: loss, delay, splits, crashes, restarts, joins, moves.
//!
//! `cargo test --release -p overlay-agent gossip::core::sim -- --nocapture` prints the figures. Sizes are
//! small by default; these variables set them: `OVERLAY_SIM_NODES`, `_ENDPOINTS`, `_SHARE` and
//! `_NETWORKS` (joins), `_HISTORIES` and `_FIRST` (random histories), `_ROUNDS` (25 nodes), `_SPLITS`,
//! `_ROWS` (one exchange).

mod figures;
mod histories;
mod hostile;
mod joins;
mod quiet;
mod rules;
mod scale;
mod split;
mod truth;
mod world;

pub(super) use figures::{each, percentile, print_row};
pub(super) use world::{World, node, vni};

/// A size that the environment may set.
fn size(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}
