//! Services and their tasks.

use serde_json::{Value, json};

use super::{Row, fact, joined, short, time, with_fields};
use crate::{
    api::types::{ServiceInfo, ServicePort, ServiceTask},
    model::{HealthProbe, PublishMode, PublishedPort},
};

impl Row for ServiceInfo {
    /// Docker's columns, as far as there is something to put into them, then ours.
    const HEADERS: &'static [&'static str] = &["ID", "NAME", "MODE", "TASKS", "NETWORKS", "PORTS"];

    fn cells(&self, in_full: bool) -> Vec<String> {
        vec![
            self.handle(in_full),
            self.spec.name.clone(),
            self.endpoint.spec.mode.to_string(),
            tasks(self),
            joined(self.spec.networks.iter().map(|network| &network.name)),
            ports(&self.endpoint.ports, ", "),
        ]
    }

    fn handle(&self, in_full: bool) -> String {
        short(&self.id.to_string(), in_full)
    }

    fn fields(&self, in_full: bool) -> Result<Value, serde_json::Error> {
        let networks = self.spec.networks.iter().map(|network| &network.name);
        let labels = self.spec.labels.iter();
        let labels: Vec<String> = labels
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        with_fields(
            self,
            [
                ("id", json!(self.handle(in_full))),
                ("name", json!(self.spec.name)),
                ("mode", json!(self.endpoint.spec.mode)),
                ("tasks", json!(tasks(self))),
                ("replicas", json!(tasks(self))),
                ("networks", json!(joined(networks))),
                ("ports", json!(ports(&self.endpoint.ports, ", "))),
                ("labels", json!(labels.join(","))),
            ],
        )
    }
}

impl Row for ServiceTask {
    const HEADERS: &'static [&'static str] = &[
        "ID",
        "NAME",
        "NODE",
        "NETWORK",
        "ADDRESS",
        "CURRENT STATE",
        "PORTS",
    ];

    fn cells(&self, in_full: bool) -> Vec<String> {
        vec![
            self.handle(in_full),
            self.name.clone(),
            self.node.clone(),
            joined(&self.networks),
            joined(&self.addresses),
            state(self),
            ports(&self.ports, ","),
        ]
    }

    fn handle(&self, in_full: bool) -> String {
        short(&self.id, in_full)
    }

    fn fields(&self, in_full: bool) -> Result<Value, serde_json::Error> {
        with_fields(
            self,
            [
                ("id", json!(self.handle(in_full))),
                ("network", json!(joined(&self.networks))),
                ("address", json!(joined(&self.addresses))),
                ("current_state", json!(state(self))),
                ("ports", json!(ports(&self.ports, ","))),
            ],
        )
    }
}

/// As many as take flows, of those that are there.
fn tasks(service: &ServiceInfo) -> String {
    let status = service.service_status;
    format!("{}/{}", status.running_tasks, status.desired_tasks)
}

fn state(task: &ServiceTask) -> String {
    if !task.node_answers {
        return "Down".to_owned();
    }
    let state = task.state.to_string();
    let mut letters = state.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// `*:8080->80/tcp`; nothing if there is none.
fn ports(ports: &[ServicePort], between: &str) -> String {
    let texts: Vec<String> = ports
        .iter()
        .map(|port| PublishedPort::from(*port).to_string())
        .collect();
    texts.join(between)
}

/// All that is known, for people; an empty line between two services.
pub(in crate::cli) fn services(services: &[ServiceInfo]) -> String {
    let texts: Vec<String> = services.iter().map(pretty).collect();
    texts.join("\n")
}

fn pretty(service: &ServiceInfo) -> String {
    let spec = &service.spec;
    let mut facts = vec![
        ("ID", service.id.to_string()),
        ("Name", spec.name.clone()),
        ("Created at", time::seconds(service.created_at)),
        ("Updated at", time::seconds(service.updated_at)),
        ("Endpoint mode", service.endpoint.spec.mode.to_string()),
        ("Tasks", tasks(service)),
        ("Drain", format!("{} s", spec.drain_s)),
    ];
    for network in &spec.networks {
        let own = service.endpoint.virtual_ips.iter();
        let own = own.filter(|vip| vip.network_id == network.target);
        let vips = joined(own.map(|vip| vip.addr));
        facts.push(("Network", format!("{} {vips}", network.name)));
    }
    for port in &service.endpoint.ports {
        let mode = match port.publish_mode {
            PublishMode::Ingress => "ingress",
            PublishMode::Host => "host",
        };
        let port = PublishedPort::from(*port);
        facts.push(("Published port", format!("{port} ({mode})")));
    }
    if let Some(health) = &spec.health {
        let what = match &health.probe {
            HealthProbe::Tcp { port } => format!("tcp {port}"),
            HealthProbe::Http { port, path } => format!("http {port}{path}"),
        };
        let (every, within) = (health.interval_ms, health.timeout_ms);
        let how = format!(
            "every {every} ms, within {within} ms, {} times",
            health.retries
        );
        facts.push(("Health check", format!("{what} {how}")));
    }
    for (name, value) in &spec.options {
        facts.push(("Option", format!("{name}={value}")));
    }
    for (name, value) in &spec.labels {
        facts.push(("Label", format!("{name}={value}")));
    }
    let lines: Vec<String> = facts
        .iter()
        .map(|(name, value)| fact(name, value))
        .collect();
    lines.concat()
}
