//! Services of the cluster. Objects are nested, and their keys named, as Docker's are, so that templates
//! written for it fit.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::PathBuf,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::model::{
    ClusterService, ClusterView, EndpointMode, HealthCheck, NetworkId, PortWish, Protocol,
    PublishMode, PublishedPort, ServiceId, TaskState,
};

/// A service.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ServiceInfo {
    /// Its identifier.
    pub id: ServiceId,
    /// How often it was changed.
    pub version: ServiceVersion,
    /// When it was made, seconds since 1970.
    pub created_at: u64,
    /// When it was changed last, seconds since 1970.
    pub updated_at: u64,
    /// What was decided about it.
    pub spec: ServiceSpec,
    /// What it has.
    pub endpoint: ServiceEndpoint,
    /// How many tasks it has.
    pub service_status: ServiceStatus,
}

/// A version of a service.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ServiceVersion {
    /// Greater than that of every version before.
    pub index: u64,
}

/// What was decided about a service.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// Its name.
    pub name: String,
    /// Labels by name.
    pub labels: BTreeMap<String, String>,
    /// Its networks.
    pub networks: Vec<ServiceNetwork>,
    /// How it is reached.
    pub endpoint_spec: EndpointSpec,
    /// Seconds that flows to a task go on after its end was announced.
    pub drain_s: u32,
    /// How a task's health is found out, besides that it is there.
    pub health: Option<HealthCheck>,
    /// Driver options by name, as typed.
    pub options: BTreeMap<String, String>,
}

/// A network of a service.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ServiceNetwork {
    /// Its identifier.
    pub target: NetworkId,
    /// Its name.
    pub name: String,
}

/// How a service is reached.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct EndpointSpec {
    /// What its name stands for.
    pub mode: EndpointMode,
    /// Ports at which nodes answer for it.
    pub ports: Vec<ServicePort>,
}

/// What a service has.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ServiceEndpoint {
    /// How it is reached.
    pub spec: EndpointSpec,
    /// Ports at which nodes answer for it.
    pub ports: Vec<ServicePort>,
    /// Its addresses, in the order of networks, IPv4 first.
    pub virtual_ips: Vec<VirtualIp>,
}

/// A published port.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ServicePort {
    /// The protocol.
    pub protocol: Protocol,
    /// The port of the tasks.
    pub target_port: u16,
    /// The port of the nodes.
    pub published_port: u16,
    /// Which nodes answer.
    pub publish_mode: PublishMode,
    /// The only address of a node at which it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_ip: Option<IpAddr>,
}

/// A virtual address of a service.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct VirtualIp {
    /// The network.
    pub network_id: NetworkId,
    /// The address, with the prefix length of its subnet.
    pub addr: IpNet,
}

/// How many tasks a service has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Those that take new flows.
    pub running_tasks: u64,
    /// All that are there.
    pub desired_tasks: u64,
}

impl From<PublishedPort> for ServicePort {
    fn from(port: PublishedPort) -> Self {
        Self {
            protocol: port.protocol,
            target_port: port.target,
            published_port: port.published,
            publish_mode: port.mode,
            host_ip: port.address,
        }
    }
}

impl From<ServicePort> for PublishedPort {
    fn from(port: ServicePort) -> Self {
        Self {
            protocol: port.protocol,
            published: port.published_port,
            target: port.target_port,
            mode: port.publish_mode,
            address: port.host_ip,
        }
    }
}

impl ServiceInfo {
    /// A service as the managers know it, and how many tasks it has.
    pub fn new(
        service: &ClusterService,
        view: &ClusterView,
        service_status: ServiceStatus,
    ) -> Self {
        let ports = service.ports.iter().copied().map(ServicePort::from);
        let spec = EndpointSpec {
            mode: service.mode,
            ports: ports.collect(),
        };
        let known = || {
            let networks = service.networks.iter();
            networks.filter_map(|(vni, vips)| Some((view.networks.get(vni)?, vips)))
        };
        let networks = known().map(|(network, _)| ServiceNetwork {
            target: network.id,
            name: network.network.name.clone(),
        });
        let virtual_ips = known().flat_map(|(network, vips)| {
            vips.iter().map(|address| {
                let subnet = network.network.subnet_of(*address);
                let length = subnet.map(|subnet| subnet.prefix_len());
                let addr = length.and_then(|length| IpNet::new(*address, length).ok());
                VirtualIp {
                    network_id: network.id,
                    addr: addr.unwrap_or_else(|| IpNet::from(*address)),
                }
            })
        });
        Self {
            id: service.id,
            version: ServiceVersion {
                index: service.version,
            },
            created_at: service.created,
            updated_at: service.updated,
            endpoint: ServiceEndpoint {
                ports: spec.ports.clone(),
                virtual_ips: virtual_ips.collect(),
                spec: spec.clone(),
            },
            spec: ServiceSpec {
                name: service.name.clone(),
                labels: service.labels.clone(),
                networks: networks.collect(),
                endpoint_spec: spec,
                drain_s: service.drain_s,
                health: service.health.clone(),
                options: service.options.clone(),
            },
            service_status,
        }
    }
}

/// The wish for a service. Whether it makes sense is for the managers to say.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceCreate {
    /// Its name.
    pub name: String,
    /// Names or identifiers of its networks; none: the ingress network.
    #[serde(default)]
    pub networks: Vec<String>,
    /// What its name stands for.
    #[serde(default)]
    pub mode: EndpointMode,
    /// Ports at which nodes answer for it.
    #[serde(default)]
    pub ports: Vec<PortWish>,
    /// Seconds that flows to a task go on after its end was announced.
    #[serde(default = "drain")]
    pub drain_s: u32,
    /// How a task's health is found out, besides that it is there.
    #[serde(default)]
    pub health: Option<HealthCheck>,
    /// Labels by name.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Driver options by name, as typed.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

fn drain() -> u32 {
    ServiceCreate::DRAIN_S
}

impl ServiceCreate {
    /// Seconds of draining if nobody chooses.
    pub const DRAIN_S: u32 = 10;

    /// A service of this name, otherwise nothing special.
    pub fn new(name: String) -> Self {
        Self {
            name,
            networks: Vec::new(),
            mode: EndpointMode::Vip,
            ports: Vec::new(),
            drain_s: Self::DRAIN_S,
            health: None,
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
        }
    }
}

/// A service that was made.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ServiceCreated {
    /// Its identifier.
    pub id: ServiceId,
    /// What is odd about it, though it was made.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// Changes of a service; what is `None` or empty stays.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceUpdate {
    /// Networks that it gets.
    pub add_networks: Vec<String>,
    /// Networks that it loses.
    pub remove_networks: Vec<String>,
    /// Ports that it gets.
    pub add_ports: Vec<PortWish>,
    /// Ports that it loses: those that lead to this port of the tasks, by this protocol, in this mode.
    pub remove_ports: Vec<PortWish>,
    /// Labels that it gets; one that it has changes its value.
    pub add_labels: BTreeMap<String, String>,
    /// Names of labels that it loses; taken away before others are added.
    pub remove_labels: BTreeSet<String>,
    /// What its name stands for.
    pub mode: Option<EndpointMode>,
    /// Another health check.
    pub health: Option<HealthCheck>,
    /// No health check any more.
    pub no_health: bool,
    /// Seconds that flows to a task go on after its end was announced.
    pub drain_s: Option<u32>,
    /// Driver options by name; one that it has changes its value.
    pub options: BTreeMap<String, String>,
}

/// A task: a container's endpoints that are part of one service.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ServiceTask {
    /// The identifier of its first endpoint.
    pub id: String,
    /// The container's name.
    pub name: String,
    /// The service's name.
    pub service: String,
    /// Host name of its node.
    pub node: String,
    /// Whether its node answers.
    pub node_answers: bool,
    /// Names of the networks in which it has an endpoint.
    pub networks: Vec<String>,
    /// Its addresses there.
    pub addresses: Vec<IpAddr>,
    /// Whether it takes flows.
    pub state: TaskState,
    /// Ports at which its node alone answers for it.
    #[serde(default)]
    pub ports: Vec<ServicePort>,
}

/// The wish for a task: an endpoint in each network of its service, also in those that come later.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskAttach {
    /// Path of the network namespace, absolute, as the agent sees it.
    pub netns: PathBuf,
    /// The container's name.
    pub name: String,
    /// Other names under which it is found.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Ports of this node at which it answers itself.
    #[serde(default)]
    pub ports: Vec<PortWish>,
}
