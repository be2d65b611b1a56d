//! Networks.

use serde_json::{Value, json};

use super::{Row, joined, short, time, with_fields};
use crate::api::types::{NetworkInfo, NetworkScope};

impl Row for NetworkInfo {
    /// Docker's columns, then ours.
    const HEADERS: &'static [&'static str] = &[
        "NETWORK ID",
        "NAME",
        "DRIVER",
        "SCOPE",
        "VNI",
        "SUBNETS",
        "MTU",
    ];

    fn cells(&self, in_full: bool) -> Vec<String> {
        vec![
            joined(self.id.map(|id| short(&id.to_string(), in_full))),
            self.name.clone(),
            self.driver.clone(),
            scope(self.scope).to_owned(),
            self.vni.to_string(),
            joined(&self.subnets),
            self.mtu.to_string(),
        ]
    }

    fn handle(&self, in_full: bool) -> String {
        match self.id {
            Some(id) => short(&id.to_string(), in_full),
            None => self.name.clone(),
        }
    }

    fn fields(&self, in_full: bool) -> Result<Value, serde_json::Error> {
        let id = self.id.map(|id| short(&id.to_string(), in_full));
        let labels = self.labels.iter();
        let labels: Vec<String> = labels
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        with_fields(
            self,
            [
                ("id", json!(id)),
                ("labels", json!(labels.join(","))),
                ("ipv4", json!(self.enable_ipv4)),
                ("ipv6", json!(self.enable_ipv6)),
                ("created_at", json!(self.created.map(time::seconds))),
            ],
        )
    }
}

fn scope(scope: NetworkScope) -> &'static str {
    match scope {
        NetworkScope::Local => "local",
        NetworkScope::Swarm => "swarm",
    }
}

/// What was taken away; nothing if nothing was.
pub(in crate::cli) fn pruned(gone: &[NetworkInfo]) -> String {
    if gone.is_empty() {
        return String::new();
    }
    let names: Vec<String> = gone
        .iter()
        .map(|network| network.name.clone() + "\n")
        .collect();
    format!("Deleted Networks:\n{}", names.concat())
}
