//! What somebody else changed in the kernel is put right by the next audit, and counted.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use overlay_tests::{Host, Pair, StaticConfig, cluster::BLUE, interrupt, link, static_config::Node};
use overlay_tests::{cluster, link::Link, static_config::Encap};
use serde_json::Value;

use crate::pinned::{self, Entry, PROGRAMS, Pinned, TABLES};

const VXLAN: &str = "ovl-vxlan";

/// Several times the interval of the audits that a test waits for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A pair in whose tables there is something of everything: `k` has a single address.
fn pair(change: impl FnOnce(StaticConfig) -> StaticConfig) -> Pair {
    Pair::with(|config| change(config)).expect("a pair")
}
