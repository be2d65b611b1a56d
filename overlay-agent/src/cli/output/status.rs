//! The agent at a glance.

use super::{fact, node, quantity, table, time};
use crate::{
    api::types::{
        AttachKind, AuditSummary, Balancing, ClusterStatus, EncryptionStatus, GossipStatus,
        ManagerInfo, MapUse, MissingFeature, Mode, NamesStatus, Status,
    },
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
        ("Services", balancing(status.balancing).to_owned()),
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
        text.push_str(&fact(name, &value));
    }
    if let Some(status) = &status.names {
        text.push_str(&names(status));
    }
    if let Some(status) = &status.encryption {
        text.push_str(&fact("Encryption", &encryption(status)));
    }
    for MissingFeature { feature, costs } in &status.missing_features {
        text.push_str(&fact("Missing", &format!("{feature}: {costs}")));
    }
    if let Some(status) = &status.cluster {
        text.push('\n');
        text.push_str(&cluster(status));
    }
    text.push('\n');
    text.push_str(&maps(&status.maps));
    text
}

fn names(status: &NamesStatus) -> String {
    let answering: Vec<String> = status.answering().map(|it| it.to_string()).collect();
    let mut text = if answering.is_empty() {
        String::new()
    } else {
        let place = answering.join(", ");
        fact(
            "Names",
            &format!("{} addresses, told at {place}", status.addresses),
        )
    };
    let problems = status.servers.iter().filter_map(|it| it.problem.as_ref());
    for problem in problems {
        text.push_str(&fact("No names", problem));
    }
    text
}

fn encryption(status: &EncryptionStatus) -> String {
    let mut text = match (status.available, status.generation) {
        (false, _) => "not possible here".to_owned(),
        (true, None) => "no key yet".to_owned(),
        (true, Some(generation)) => format!(
            "{} networks, keys of generation {generation} with {} of {} nodes, {} states, {} policies, \
             {} repaired",
            status.networks,
            status.settled,
            status.partners,
            status.states,
            status.policies,
            status.repaired_total,
        ),
    };
    if let Some(trouble) = &status.trouble {
        text.push_str("; ");
        text.push_str(trouble);
    }
    text
}

fn cluster(status: &ClusterStatus) -> String {
    let heard = match status.heard_unix_s {
        Some(heard) => format!("last heard from {}", time::seconds(heard)),
        None => "not heard from since the agent started".to_owned(),
    };
    let role = format!(
        "{}, {}, {}",
        status.role,
        status.availability,
        node::state(status.state).to_lowercase()
    );
    let mut text = fact("Swarm node", &status.node_id.to_string());
    text.push_str(&fact("Role", &role));
    for manager in &status.managers {
        text.push_str(&fact("Manager", &one_manager(manager)));
    }
    text.push_str(&fact(
        "Decisions",
        &format!("known up to {}; managers {heard}", status.index),
    ));
    text.push_str(&gossip(&status.gossip));
    text
}

fn one_manager(manager: &ManagerInfo) -> String {
    let ManagerInfo {
        hostname,
        addr,
        leader,
        reachability,
        ..
    } = manager;
    let how = node::manager(*leader, *reachability).to_lowercase();
    format!("{hostname} ({addr}), {how}")
}

fn gossip(gossip: &GossipStatus) -> String {
    let GossipStatus {
        alive,
        failed,
        claims,
        queued,
        received,
        exchanges,
        repaired,
        refused,
        withdrawn,
    } = gossip;
    [
        fact(
            "Gossip",
            &format!("{alive} nodes alive, {failed} failed; {claims} addresses known"),
        ),
        fact(
            "Convergence",
            &format!(
                "{received} changes received, {queued} to send; {exchanges} full exchanges, which \
                 brought {repaired}"
            ),
        ),
        fact(
            "Dropped",
            &format!("{refused} messages refused, {withdrawn} own addresses withdrawn"),
        ),
    ]
    .concat()
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

fn balancing(balancing: Balancing) -> &'static str {
    match (balancing.sockets, balancing.packets) {
        (true, true) => "balanced by sockets, the rest by packets",
        (true, false) => "balanced by sockets only",
        (false, true) => "balanced by packets",
        (false, false) => "not balanced",
    }
}

fn encap(encap: Encap) -> &'static str {
    match encap {
        Encap::Native => "native",
        Encap::Device => "device",
        Encap::Auto => "auto",
    }
}
