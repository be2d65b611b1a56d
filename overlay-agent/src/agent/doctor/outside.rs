//! The way out.

use super::{fail, ok, warn};
use crate::{
    agent::{
        plumbing::{GATEWAY_NAME, drops_output, overlap},
        shared::Shared,
    },
    api::types::Check,
};

const NAME: &str = "way out";

/// Whether containers reach the outside.
pub(super) fn way_out(shared: &Shared) -> Vec<Check> {
    let Some(pools) = shared.settings.outside.in_use() else {
        return vec![ok(NAME, "switched off by outside.enabled")];
    };
    if let Some(trouble) = &shared.summary().gateway_trouble {
        return vec![fail(
            NAME,
            trouble.clone(),
            "remove the cause, then `overlay audit` makes the way out",
        )];
    }
    let mut checks = Vec::new();
    if let Some((pool, route, device)) = overlap(pools) {
        checks.push(warn(
            NAME,
            format!("the transit pool {pool} overlaps the host's route to {route} by {device}"),
            "give another range under outside.transit_pools, and restart the agent",
        ));
    }
    if let Some(chain) = drops_output() {
        checks.push(warn(
            NAME,
            format!("the chain {chain} has the policy drop, and containers' packets leave as if they were the host's own"),
            format!("let them pass there: `oifname` of the underlay with a source in the pools, and `oifname {GATEWAY_NAME}`"),
        ));
    }
    if checks.is_empty() {
        let pools: Vec<String> = pools.iter().map(|pool| pool.to_string()).collect();
        checks.push(ok(
            NAME,
            format!(
                "by {GATEWAY_NAME}, with addresses of {}; policies of forward chains, net.ipv4.ip_forward and rp_filter do not matter",
                pools.join(" and ")
            ),
        ));
    }
    checks
}
