//! Many nodes in virtual time: loss, delay, splits, crashes, restarts, joins, moves.
//!
//! `cargo test --release -p overlay-agent gossip::core::sim -- --nocapture` prints the figures. Sizes are
//! small by default; these variables set them: `OVERLAY_SIM_NODES`, `_ENDPOINTS`, `_SHARE` and
//! `_NETWORKS` (joins), `_HISTORIES` and `_FIRST` (random histories), `_ROUNDS` (25 nodes), `_SPLITS`,
//! `_ROWS` (one exchange).
//!
//! In release mode, on one of two shared cores, ways of 0.3 to 1 ms, figures in virtual time:
//!
//! | What | Figures |
//! |---|---|
//! | 25 nodes quiet: until all know a claim, a withdrawal | p99 11 ms, 1 ms |
//! | the same, 1 % loss (300 rounds) | p99 111 ms, 1 ms; worst 1.7 s |
//! | 25 nodes under churn, 2 % loss | p50 20 ms, p90 100 ms, p99 1 s, worst 3.3 s |
//! | 25 nodes, one cut off for 60 s, 1 % loss: all tables right after | 0.8 to 1.0 s |
//! | 25 nodes, halves apart for 60 s: all tables right after | 1.1 s |
//! | 1000 nodes with 1000 endpoints each, 50 joins/s, 1 % loss: after the last join | members 3 s, tables 8.5 s |
//! | the same: sent by each node until then | 0.5 MB in datagrams, 0.5 MB in streams |
//! | 1000 random histories: right after the last event | p50 0.5 s, p99 14 s (a crash has to be found), worst 20 s |
//! | 200 000 endpoints in one exchange | 57 bytes each on the wire, about 230 in memory |

mod figures;
mod histories;
mod hostile;
mod joins;
mod quiet;
mod rules;
mod scale;
mod split;
mod truth;
mod watch;
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
