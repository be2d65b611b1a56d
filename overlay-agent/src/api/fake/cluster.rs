//! The cluster that the fake agent is in: three nodes after a while, one manager at first.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use super::{blue, refusals};
use crate::{
    api::{
        ApiError,
        types::{
            ClusterStatus, GossipKeys, GossipStatus, JoinToken, JoinWay, ManagerInfo,
            ManagerStatus, NetworkCreate, NetworkInfo, NodeInfo, NodeState, Reachability, RootCa,
        },
    },
    model::{
        Availability, ClusterNetwork, ClusterService, Member, Network, NetworkId, NodeId, Role, Vni,
    },
};

pub(super) const CREATED: u64 = 1_763_823_600;

/// Where the fake agent has its networks and peers from.
#[derive(Debug, Default)]
pub(super) enum Membership {
    #[default]
    Static,
    Alone,
    Worker(NodeId),
    Manager(Box<Cluster>),
}

/// What the fake manager knows.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) nodes: Vec<NodeInfo>,
    pub(super) networks: Vec<NetworkInfo>,
    pub(super) services: Vec<ClusterService>,
    tokens: BTreeMap<Role, u32>,
    pub(super) keys: GossipKeys,
    pub(super) roots: u64,
}

/// The identifier of node `a`, `b` or `c`.
pub(crate) fn node_id(name: char) -> NodeId {
    let text = format!("{name}3d5k8m2p9q1r4s6t7u0v2w4x");
    text.parse().unwrap()
}

/// The identifier of the network that was made `n`-th.
pub(crate) fn network_id(n: usize) -> NetworkId {
    let text = format!("d{n}5k8m2p9q1r4s6t7u0v2w4x6");
    format!("{text:0<25}").parse().unwrap()
}

fn node(name: char, role: Role, state: NodeState) -> NodeInfo {
    let number = name as u8 - b'a' + 1;
    let address = IpAddr::from([192, 0, 2, number]);
    let member = Member {
        id: node_id(name),
        hostname: name.to_string(),
        role,
        availability: Availability::Active,
        labels: BTreeMap::new(),
        data_path: address,
        gossip: SocketAddr::new(address, 7946),
        control: SocketAddr::new(address, 2377),
        joined: CREATED + u64::from(number),
    };
    let manager = (role == Role::Manager).then_some(ManagerStatus {
        leader: name == 'a',
        reachability: Reachability::Reachable,
        addr: member.control,
    });
    let mut node = NodeInfo::new(&member, state, manager);
    node.is_self = name == 'a';
    node.description.engine_version = Some("0.1.0".to_owned());
    node
}

impl Cluster {
    /// A cluster of node `a`.
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![node('a', Role::Manager, NodeState::Ready)],
            networks: Vec::new(),
            services: Vec::new(),
            tokens: BTreeMap::new(),
            keys: GossipKeys {
                primary: 1,
                accepted: vec![1],
                rotated: CREATED,
                period_s: 43_200,
            },
            roots: 1,
        }
    }

    /// Managers `a` and `b`, and the worker `c`, which is down and in a rack.
    pub(super) fn of_three() -> Self {
        let mut cluster = Self::new();
        cluster
            .nodes
            .push(node('b', Role::Manager, NodeState::Ready));
        let mut worker = node('c', Role::Worker, NodeState::Down);
        worker.spec.labels = BTreeMap::from([("rack".to_owned(), "7".to_owned())]);
        cluster.nodes.push(worker);
        cluster
    }

    pub(super) fn position(&self, name: &str) -> Result<usize, ApiError> {
        let is_named = |node: &NodeInfo| {
            name == "self" && node.is_self
                || node.description.hostname == name
                || node.id.to_string().starts_with(name)
        };
        let found = self.nodes.iter().position(is_named);
        found.ok_or_else(|| refusals::no_node(name))
    }

    pub(super) fn managers(&self) -> usize {
        let managers = self.nodes.iter().filter(|node| is_manager(node));
        managers.count()
    }

    pub(super) fn way(&self, role: Role) -> JoinWay {
        let rotation = self.tokens.get(&role).copied().unwrap_or_default();
        JoinWay {
            role,
            token: JoinToken::new(format!("SWMTKN-1-digest-{role}{rotation}")),
            address: "192.0.2.1:2377".parse().unwrap(),
        }
    }

    pub(super) fn rotate_token(&mut self, role: Role) {
        *self.tokens.entry(role).or_default() += 1;
    }

    pub(super) fn root(&self) -> RootCa {
        RootCa {
            pem: format!(
                "-----BEGIN CERTIFICATE-----\nroot{}\n-----END CERTIFICATE-----\n",
                self.roots
            ),
            expires: CREATED + 630_720_000,
            outdated_nodes: if self.roots > 1 { 2 } else { 0 },
            absent: if self.roots > 1 {
                vec!["c".to_owned()]
            } else {
                Vec::new()
            },
        }
    }

    pub(super) fn rotate_keys(&mut self) {
        self.keys.primary += 1;
        self.keys.accepted.push(self.keys.primary);
    }

    pub(super) fn create(&mut self, wish: NetworkCreate) -> Result<NetworkId, ApiError> {
        if self.networks.iter().any(|other| other.name == wish.name) {
            return Err(ApiError::conflict(format!(
                "network with name {} already exists",
                wish.name
            )));
        }
        let made = self.networks.len();
        let id = network_id(made);
        let number = u32::from(blue()) + made as u32;
        let subnets = if wish.subnets.is_empty() {
            vec![format!("10.0.{made}.0/24").parse().unwrap()]
        } else {
            wish.subnets
        };
        let mtu = wish.options.get("com.docker.network.driver.mtu");
        let mtu = mtu.map(|text| text.parse().unwrap());
        let network = ClusterNetwork {
            ingress: wish.ingress,
            id,
            network: Network {
                name: wish.name,
                vni: Vni::try_from(number).unwrap(),
                subnets,
                gateways: wish.gateways,
                mtu,
            },
            ranges: wish.ranges,
            attachable: wish.attachable,
            internal: wish.internal,
            encrypted: wish.options.contains_key("encrypted"),
            labels: wish.labels,
            options: wish.options,
            created: CREATED,
        };
        let info = NetworkInfo::of_cluster(&network, mtu.unwrap_or(1450));
        self.networks.push(info);
        Ok(id)
    }
}

pub(super) fn is_manager(node: &NodeInfo) -> bool {
    node.spec.role == Role::Manager
}

/// What a node tells about itself in this cluster.
pub(super) fn status(node_id: NodeId, role: Role) -> ClusterStatus {
    ClusterStatus {
        node_id,
        role,
        availability: Availability::Active,
        state: NodeState::Ready,
        managers: vec![ManagerInfo {
            node_id: self::node_id('a'),
            hostname: "a".to_owned(),
            addr: "192.0.2.1:2377".parse().unwrap(),
            leader: true,
            reachability: Reachability::Reachable,
        }],
        index: 42,
        heard_unix_s: Some(1_763_823_600),
        gossip: GossipStatus {
            alive: 1,
            failed: 1,
            claims: 7,
            exchanges: 3,
            ..GossipStatus::default()
        },
    }
}
