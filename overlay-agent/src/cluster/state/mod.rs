//! What the managers agree on: a deterministic state machine over the entries of their log.
//!
//! Times, identifiers and random bits come inside the commands, so that every manager that applies the
//! same entries has the same state. Here is no clock, no randomness, no input or output, and no
//! knowledge of how entries are agreed on.

mod answers;
mod chores;
mod command;
mod definition;
mod entry;
mod family;
mod help;
mod history;
mod kind;
mod leases;
mod members;
mod networks;
mod options;
mod pool;
mod refusal;
mod reply;
mod ring;
mod secret;
mod services;
#[cfg(test)]
mod tests;
mod times;
mod trust;
mod view;

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

use self::{
    answers::Answers,
    entry::Entry,
    history::{History, Touch},
    networks::Networks,
    ring::Ring,
    services::Services,
};
pub use self::{
    chores::{Chore, Schedule},
    command::{Authority, Change, Command, CreateNetwork, Init, Join, Request},
    family::Family,
    kind::RefusalKind,
    leases::policy,
    members::NodeRecord,
    pool::Pool,
    refusal::Refusal,
    reply::Reply,
    secret::Secret,
    services::{CreateService, HealthEdit, PortPattern, ServiceEdit, ServiceRefusal},
    times::Times,
    trust::Trust,
    view::{ViewChange, ViewDelta, ViewGap, ViewUpdate},
};
use crate::model::{ClusterId, ClusterNetwork, ClusterService, NodeId};

/// Ports that data paths may use, as in Docker.
const DATA_PATH_PORTS: std::ops::RangeInclusive<u16> = 1024..=49151;

/// The state of the managers. A snapshot is its serialized form.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Position in the log of the last command.
    applied: u64,
    /// `None` before `swarm init`.
    cluster: Option<Cluster>,
    answers: Answers,
    history: History,
}

/// What there is from `swarm init` on.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
struct Cluster {
    id: ClusterId,
    pools: Vec<Pool>,
    data_path_port: u16,
    members: BTreeMap<NodeId, NodeRecord>,
    /// Nodes that left or were removed, and when; their addresses wait to be reaped.
    gone: BTreeMap<NodeId, u64>,
    networks: Networks,
    ring: Ring,
    trust: Trust,
    #[serde(default)]
    times: Times,
    #[serde(default)]
    services: Services,
    /// Whether there is an ingress network, or was one that somebody took away.
    #[serde(default)]
    had_ingress: bool,
}

impl State {
    /// Applies the entry of the log at `index`. Every manager gives the same answer. A request that
    /// was answered before gets the same answer and changes nothing.
    ///
    /// # Errors
    /// What is wrong. A refused command changes nothing.
    pub fn apply(&mut self, index: u64, command: Command) -> Result<Reply, Refusal> {
        let Command::V1(request) = command;
        self.applied = index;
        if let Some(answer) = self.answers.get(request.id) {
            return answer.clone();
        }
        let mut entry = Entry::new(index, request.at);
        let answer = self.change(&mut entry, request.change);
        if answer.is_ok() {
            if entry.breaks_history {
                self.history.restart(index);
            } else {
                self.history.record(index, entry.touched);
            }
        }
        self.answers.keep(request.id, answer.clone());
        answer
    }

    /// Position in the log of the last command.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// The cluster's identifier; `None` before it began.
    pub fn cluster_id(&self) -> Option<ClusterId> {
        self.cluster.as_ref().map(|cluster| cluster.id)
    }

    /// Default address pools, in the order in which they are used.
    pub fn pools(&self) -> &[Pool] {
        self.cluster.as_ref().map_or(&[], |cluster| &cluster.pools)
    }

    /// Who signs certificates, and the secrets in join tokens; `None` before the cluster began.
    pub fn trust(&self) -> Option<&Trust> {
        self.cluster.as_ref().map(|cluster| &cluster.trust)
    }

    /// Every node, those that left and were not removed included.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeRecord> {
        self.cluster
            .iter()
            .flat_map(|cluster| cluster.members.values())
    }

    /// A node that was not removed.
    pub fn node(&self, id: NodeId) -> Option<&NodeRecord> {
        self.cluster.as_ref()?.members.get(&id)
    }

    /// The node of this identifier, else of this host name, else the only one whose identifier begins
    /// so.
    ///
    /// # Errors
    /// No node has it, or several.
    pub fn find_node(&self, text: &str) -> Result<&NodeRecord, Refusal> {
        if let Some(node) = text.parse().ok().and_then(|id| self.node(id)) {
            return Ok(node);
        }
        let is_named = |node: &&NodeRecord| node.member.hostname == text;
        let begins_so =
            |node: &&NodeRecord| !text.is_empty() && node.member.id.to_string().starts_with(text);
        let mut candidates: Vec<&NodeRecord> = self.nodes().filter(is_named).collect();
        if candidates.is_empty() {
            candidates = self.nodes().filter(begins_so).collect();
        }
        let node = text.to_owned();
        match candidates.as_slice() {
            [only] => Ok(only),
            [] => Err(Refusal::NoNode { node }),
            several => {
                let count = several.len();
                Err(Refusal::AmbiguousNode { node, count })
            }
        }
    }

    /// When the gossip's keys moved on last, seconds since 1970; `None` before the cluster began.
    pub fn keys_rotated(&self) -> Option<u64> {
        self.cluster.as_ref().map(|cluster| cluster.ring.rotated())
    }

    /// Times that were chosen.
    pub fn times(&self) -> Times {
        self.cluster
            .as_ref()
            .map(|cluster| cluster.times)
            .unwrap_or_default()
    }

    /// Every network, by VNI.
    pub fn networks(&self) -> impl Iterator<Item = &ClusterNetwork> {
        let records = self
            .cluster
            .iter()
            .flat_map(|cluster| cluster.networks.iter());
        records.map(|(_, record)| &record.network)
    }

    /// The network of this identifier, else of this name, else the only one whose identifier begins
    /// so.
    ///
    /// # Errors
    /// No network has it, or several.
    pub fn find_network(&self, text: &str) -> Result<&ClusterNetwork, Refusal> {
        let cluster = self.cluster.as_ref().ok_or(Refusal::NoCluster)?;
        cluster.networks.find(text)
    }

    /// Every service, by identifier.
    pub fn services(&self) -> impl Iterator<Item = &ClusterService> {
        let clusters = self.cluster.iter();
        clusters.flat_map(|cluster| cluster.services.iter())
    }

    /// The service of this identifier, else of this name, else the only one whose identifier begins so.
    ///
    /// # Errors
    /// No service has it, or several.
    pub fn find_service(&self, text: &str) -> Result<&ClusterService, Refusal> {
        let cluster = self.cluster.as_ref().ok_or(Refusal::NoCluster)?;
        Ok(cluster.services.find(text)?)
    }

    /// Nodes that have no certificate of the authority that signs now, as far as was reported: while
    /// there are any, finishing a rotation would cut them off.
    pub fn uncertified(&self) -> impl Iterator<Item = NodeId> {
        self.cluster.iter().flat_map(Cluster::uncertified)
    }

    fn change(&mut self, entry: &mut Entry, change: Change) -> Result<Reply, Refusal> {
        match (change, &mut self.cluster) {
            (Change::Init(_), Some(_)) => Err(Refusal::ClusterExists),
            (Change::Init(init), none) => {
                *none = Some(Cluster::new(entry, *init)?);
                Ok(Reply::Done)
            }
            (_, None) => Err(Refusal::NoCluster),
            (change, Some(cluster)) => cluster.change(entry, change),
        }
    }
}

impl Cluster {
    fn new(entry: &mut Entry, init: Init) -> Result<Self, Refusal> {
        let port = init.data_path_port;
        if !DATA_PATH_PORTS.contains(&port) {
            return Err(Refusal::DataPathPort { port });
        }
        entry.touch([Touch::DataPathPort, Touch::Keys, Touch::Roots]);
        let mut cluster = Self {
            id: init.cluster,
            data_path_port: port,
            members: BTreeMap::new(),
            gone: BTreeMap::new(),
            networks: Networks::default(),
            ring: Ring::new(&init.gossip_secret, entry.at),
            trust: Trust::new(&init)?,
            times: Times::default(),
            pools: pool::complete(init.pools, init.cluster)?,
            services: Services::default(),
            had_ingress: false,
        };
        if let Some(id) = init.ingress {
            cluster.create_network(entry, CreateNetwork::ingress(id))?;
        }
        Ok(cluster)
    }

    fn change(&mut self, entry: &mut Entry, change: Change) -> Result<Reply, Refusal> {
        let done = match change {
            Change::Init(_) => Err(Refusal::ClusterExists),
            Change::ForceNewCluster { node } => self.force_new(entry, node),
            Change::Join(join) => self.join(entry, *join),
            Change::Leave { node, force, down } => self.leave(entry, node, force, &down),
            Change::SetRole { node, role, down } => self.set_role(entry, node, role, &down),
            Change::SetAvailability { node, availability } => {
                self.set_availability(entry, node, availability)
            }
            Change::SetLabels { node, add, remove } => self.set_labels(entry, node, add, &remove),
            Change::RemoveNode {
                node,
                force,
                is_down,
                secret,
            } => self.remove_node(entry, node, force || is_down, &secret),
            Change::RotateToken { role, secret } => self.trust.rotate_token(role, secret),
            Change::StartAuthorityRotation { next, bundle } => {
                entry.touch([Touch::Roots]);
                self.trust.start_rotation(next, bundle)
            }
            Change::ReportCertificate { node, authority } => {
                self.report_certificate(node, authority)
            }
            Change::FinishAuthorityRotation { force } => {
                entry.touch([Touch::Roots]);
                self.finish_authority_rotation(force)
            }
            Change::RotateKeys { secret } => {
                self.ring.rotate(&secret, entry.at);
                entry.touch([Touch::Keys]);
                Ok(())
            }
            Change::RetireKeys { oldest } => {
                entry.touch([Touch::Keys]);
                self.ring.retire(oldest)
            }
            Change::SetTimes(wish) => self.times.change(wish),
            Change::RemoveNetwork { network, endpoints } => {
                self.remove_network(entry, network, endpoints)
            }
            Change::UpdateService { service, edit } => self.update_service(entry, service, *edit),
            Change::RemoveService { service } => self.remove_service(entry, service),
            Change::CreateService(wish) => return self.create_service(entry, *wish),
            Change::CreateNetwork(wish) => return self.create_network(entry, *wish),
            Change::LeaseBlocks {
                node,
                network,
                families,
            } => return self.lease_blocks(entry, node, network, &families),
            Change::LeaseAddress {
                node,
                network,
                address,
            } => return self.lease_address(entry, node, network, address),
            Change::GiveBack {
                node,
                network,
                blocks,
            } => return self.give_back(entry, node, network, &blocks),
            Change::Reap { after } => return Ok(self.reap(entry, after)),
        };
        done.map(|()| Reply::Done)
    }

    /// Bytes of outer headers: Ethernet, VXLAN, UDP, and IP of the nodes' family.
    fn overhead(&self) -> u32 {
        match self.present_members().next().map(|member| member.data_path) {
            Some(IpAddr::V6(_)) => 70,
            Some(IpAddr::V4(_)) | None => 50,
        }
    }
}
