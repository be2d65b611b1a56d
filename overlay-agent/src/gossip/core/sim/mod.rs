//! Many nodes in virtual time: loss, delay, splits, crashes, restarts, joins, moves.
//!
//! `cargo test --release -p overlay-agent gossip::core::sim -- --nocapture` prints the figures.
//! `OVERLAY_SIM_NODES`, `OVERLAY_SIM_ENDPOINTS` and `OVERLAY_SIM_HISTORIES` set the sizes of the large
//! runs, which are small by default.

mod figures;
mod histories;
mod joins;
mod quiet;
mod scale;
mod split;
mod truth;
mod world;

pub(super) use figures::{percentile, print_row};
pub(super) use world::{World, node, vni};

/// A size that the environment may set.
fn size(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}
