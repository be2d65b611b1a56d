//! Nodes.

use serde_json::{Value, json};

use super::{Row, fact, time, with_fields};
use crate::{
    api::types::{NodeInfo, NodeState, Reachability},
    model::Availability,
};

impl Row for NodeInfo {
    const HEADERS: &'static [&'static str] = &[
        "ID",
        "HOSTNAME",
        "STATUS",
        "AVAILABILITY",
        "MANAGER STATUS",
        "ENGINE VERSION",
    ];

    fn cells(&self, in_full: bool) -> Vec<String> {
        let id = self.handle(in_full);
        vec![
            if self.is_self { id + " *" } else { id },
            self.description.hostname.clone(),
            state(self.status.state).to_owned(),
            availability(self.spec.availability).to_owned(),
            manager_status(self).to_owned(),
            self.description.engine_version.clone().unwrap_or_default(),
        ]
    }

    /// Docker never shortens it.
    fn handle(&self, _in_full: bool) -> String {
        self.id.to_string()
    }

    fn fields(&self, _in_full: bool) -> Result<Value, serde_json::Error> {
        with_fields(
            self,
            [
                ("hostname", json!(self.description.hostname)),
                ("status", json!(state(self.status.state))),
                ("availability", json!(availability(self.spec.availability))),
                ("manager_status", json!(manager_status(self))),
                ("engine_version", json!(self.description.engine_version)),
            ],
        )
    }
}

/// All that is known, for people; an empty line between two nodes.
pub(in crate::cli) fn nodes(nodes: &[NodeInfo]) -> String {
    let texts: Vec<String> = nodes.iter().map(pretty).collect();
    texts.join("\n")
}

fn pretty(node: &NodeInfo) -> String {
    let mut facts = vec![
        ("ID", node.id.to_string()),
        ("Hostname", node.description.hostname.clone()),
        ("Joined at", time::seconds(node.created_at)),
        ("Role", node.spec.role.to_string()),
        ("State", state(node.status.state).to_owned()),
        (
            "Availability",
            availability(node.spec.availability).to_owned(),
        ),
        ("Address", node.status.addr.to_string()),
        ("Data path", node.description.data_path.to_string()),
        ("Gossip", node.description.gossip.to_string()),
    ];
    if let Some(manager) = node.manager_status {
        let how = format!("{} ({})", manager_status(node), manager.addr);
        facts.push(("Manager status", how));
    }
    if let Some(version) = &node.description.engine_version {
        facts.push(("Engine version", version.clone()));
    }
    for (name, value) in &node.spec.labels {
        facts.push(("Label", format!("{name}={value}")));
    }
    let lines: Vec<String> = facts
        .iter()
        .map(|(name, value)| fact(name, value))
        .collect();
    lines.concat()
}

/// As Docker writes it.
pub(super) fn state(state: NodeState) -> &'static str {
    match state {
        NodeState::Ready => "Ready",
        NodeState::Down => "Down",
        NodeState::Unknown => "Unknown",
        NodeState::Disconnected => "Disconnected",
    }
}

fn availability(availability: Availability) -> &'static str {
    match availability {
        Availability::Active => "Active",
        Availability::Pause => "Pause",
        Availability::Drain => "Drain",
    }
}

/// Nothing for a worker.
fn manager_status(node: &NodeInfo) -> &'static str {
    let status = node.manager_status;
    status.map_or("", |status| manager(status.leader, status.reachability))
}

pub(super) fn manager(is_leader: bool, reachability: Reachability) -> &'static str {
    match (is_leader, reachability) {
        (true, _) => "Leader",
        (false, Reachability::Reachable) => "Reachable",
        (false, Reachability::Unreachable) => "Unreachable",
        (false, Reachability::Unknown) => "Unknown",
    }
}
