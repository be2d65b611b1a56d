//! The kernel and its settings.

use std::fs;

use super::{ok, warn};
use crate::{
    agent::{neighbour_limit, shared::Shared, start::local_ports},
    api::types::Check,
};

const JIT: &str = "/proc/sys/net/core/bpf_jit_enable";

/// Fewer outer source ports than this spread flows badly over queues and paths.
const FEW_PORTS: u16 = 1024;

/// What the kernel lacks.
pub(super) fn kernel(shared: &Shared) -> Vec<Check> {
    let features = &shared.features;
    if features.missing.is_empty() {
        return vec![ok(
            "kernel",
            format!("{} has all that overlay uses", features.kernel),
        )];
    }
    let missing = features.missing.iter().map(|missing| {
        warn(
            "kernel",
            format!(
                "{} lacks {}: {}",
                features.kernel, missing.feature, missing.costs
            ),
            "run a newer kernel",
        )
    });
    missing.collect()
}

/// Whether programs run as machine code.
pub(super) fn jit() -> Check {
    match fs::read_to_string(JIT).as_deref().map(str::trim) {
        Ok("0") => warn(
            "bpf jit",
            "switched off: programs are interpreted, several times slower",
            "sysctl -w net.core.bpf_jit_enable=1, and restart the agent",
        ),
        Ok(_) => ok("bpf jit", "on"),
        Err(_) => ok("bpf jit", "this kernel has no switch for it"),
    }
}

/// Room for neighbour entries, which the containers of a host share.
pub(super) fn neighbours(shared: &Shared) -> Check {
    let Some(limit) = neighbour_limit::hard_limit() else {
        return ok(
            "neighbours",
            "the limit belongs to the host's first network namespace, which is not this one",
        );
    };
    let endpoints = u64::from(shared.settings.limits.endpoints);
    if limit < endpoints {
        return warn(
            "neighbours",
            format!(
                "room for {limit} entries of all containers together, fewer than the {endpoints} endpoints that there may be"
            ),
            "restart the agent, which raises net.ipv4.neigh.default.gc_thresh3",
        );
    }
    ok(
        "neighbours",
        format!("room for {limit} entries of all containers together"),
    )
}

/// Where outer source ports are taken from.
pub(super) fn source_ports() -> Check {
    let (first, last) = local_ports();
    if last - first < FEW_PORTS {
        return warn(
            "source ports",
            format!(
                "only {first} to {last}: flows share outer source ports, so queues and paths are used unevenly"
            ),
            "widen net.ipv4.ip_local_port_range in the agent's namespace, and restart the agent",
        );
    }
    ok(
        "source ports",
        format!("{first} to {last}, as net.ipv4.ip_local_port_range says"),
    )
}

/// What other overlays need and this one does not.
pub(super) fn forwarding() -> Check {
    ok(
        "forwarding",
        "net.ipv4.ip_forward, rp_filter and bridge settings do not matter: packets of containers are not forwarded by the host",
    )
}
