//! What is asked of services.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{
    EndpointMode, HealthCheck, NetworkId, PortWish, Protocol, PublishMode, ServiceId,
};

/// `service create`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct CreateService {
    /// 128 random bits as an identifier.
    pub id: ServiceId,
    /// Its name.
    pub name: String,
    /// `--network`; none: the ingress network.
    pub networks: Vec<NetworkId>,
    /// `--endpoint-mode`.
    pub mode: EndpointMode,
    /// `--publish`.
    pub ports: Vec<PortWish>,
    /// `--drain`, seconds.
    pub drain_s: u32,
    /// `--health-…`.
    pub health: Option<HealthCheck>,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `--opt`.
    pub options: BTreeMap<String, String>,
}

/// `service update`: what is to become another; all that is left out stays.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct ServiceEdit {
    /// `--network-add`.
    pub add_networks: Vec<NetworkId>,
    /// `--network-rm`; a service without one is on the ingress network.
    pub remove_networks: Vec<NetworkId>,
    /// `--publish-add`.
    pub add_ports: Vec<PortWish>,
    /// `--publish-rm`.
    pub remove_ports: Vec<PortPattern>,
    /// `--label-add`.
    pub add_labels: BTreeMap<String, String>,
    /// `--label-rm`.
    pub remove_labels: BTreeSet<String>,
    /// `--endpoint-mode`.
    pub mode: Option<EndpointMode>,
    /// `--health-…`, `--no-healthcheck`.
    pub health: HealthEdit,
    /// `--drain`, seconds.
    pub drain_s: Option<u32>,
    /// `--opt`: new ones, or old ones with other values.
    pub options: BTreeMap<String, String>,
}

/// What becomes of a health check.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub enum HealthEdit {
    /// Nothing.
    #[default]
    Keep,
    /// There is none any more.
    Remove,
    /// This one takes its place.
    Set(HealthCheck),
}

/// Published ports that go: as in Docker those that lead to a port of the tasks, by one protocol and in
/// one mode.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct PortPattern {
    /// The port of the tasks.
    pub target: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// Which nodes answer.
    pub mode: PublishMode,
    /// The port of the nodes, where that is said.
    pub published: Option<u16>,
}
