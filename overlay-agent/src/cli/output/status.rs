//! The agent at a glance.

use super::{quantity, table, time};
use crate::{
    api::types::{AttachKind, AuditSummary, MapUse, MissingFeature, Mode, Status},
    model::Encap,
};

/// A line for each fact, then how full the maps are.
pub(in crate::cli) fn status(status: &Status) -> String {
    let up = quantity::duration(status.uptime_s);
    let facts = [
        ("Node", format!("{} ({})", status.node, status.address)),
        ("Mode", mode(status.mode).to_owned()),
        (
            "Version",
            format!("{} (map layout {})", status.version, status.abi),
        ),
        ("Process", format!("{}, up {up}", status.pid)),
        (
            "Kernel",
            format!("{}, programs on {}", status.kernel, attach(status.attach)),
        ),
        (
            "Encapsulation",
            format!("{}, UDP port {}", encap(status.encap), status.port),
        ),
        ("Endpoints", status.endpoints.to_string()),
        ("Networks", status.networks.to_string()),
        ("Peers", status.peers.to_string()),
        (
            "Routes",
            format!("{} exact, {} blocks", status.routes, status.blocks),
        ),
        ("Programmed in", format!("{} ms", status.programmed_ms)),
        ("Audits", audits(status.audit)),
    ];
    let mut text = String::new();
    for (name, value) in facts {
        text.push_str(&line(name, &value));
    }
    for MissingFeature { feature, costs } in &status.missing_features {
        text.push_str(&line("Missing", &format!("{feature}: {costs}")));
    }
    text.push('\n');
    text.push_str(&maps(&status.maps));
    text
}

fn line(name: &str, value: &str) -> String {
    format!("{:<15} {value}\n", format!("{name}:"))
}

fn maps(maps: &[MapUse]) -> String {
    let rows = maps.iter().map(|map| {
        vec![
            map.name.clone(),
            map.entries.to_string(),
            map.max_entries.to_string(),
            quantity::memory(map.bytes),
        ]
    });
    table(["MAP", "ENTRIES", "CAPACITY", "MEMORY"], rows)
}

fn audits(audit: AuditSummary) -> String {
    let AuditSummary {
        runs,
        last_unix_s,
        repaired_total,
        last_repaired,
    } = audit;
    match last_unix_s {
        Some(last) => format!(
            "{runs}, last {}; {repaired_total} repairs, {last_repaired} in the last",
            time::seconds(last)
        ),
        None => "none yet".to_owned(),
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Static => "static",
        Mode::Swarm => "swarm",
        Mode::None => "none",
    }
}

fn attach(attach: AttachKind) -> &'static str {
    match attach {
        AttachKind::Tcx => "tcx",
        AttachKind::Clsact => "clsact",
    }
}

fn encap(encap: Encap) -> &'static str {
    match encap {
        Encap::Native => "native",
        Encap::Device => "device",
        Encap::Auto => "auto",
    }
}
