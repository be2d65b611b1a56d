//! A cluster for tests.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
};

use ipnet::IpNet;

use super::super::{
    Authority, Change, Command, CreateNetwork, CreateService, Family, Init, Join, Refusal, Reply,
    Secret, ServiceEdit, State,
};
use crate::model::{
    Availability, ClusterId, ClusterService, EndpointMode, Lease, NetworkId, NodeId, PortWish,
    Protocol, PublishMode, Role, ServiceId, Vni,
};

/// The number of the ingress network.
pub(super) const INGRESS: u128 = 77;

/// A state, and what the log would count.
#[derive(Clone)]
pub(super) struct World {
    pub(super) state: State,
    pub(super) index: u64,
    pub(super) now: u64,
}

pub(super) fn node(number: u128) -> NodeId {
    NodeId::from_random(number)
}

pub(super) fn id(number: u128) -> NetworkId {
    NetworkId::from_random(number)
}

pub(super) fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

pub(super) fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| net(text)).collect()
}

pub(super) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(super) fn secret(byte: u8) -> Secret<[u8; 32]> {
    Secret::new([byte; 32])
}

pub(super) fn text(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

pub(super) fn authority(name: &str) -> Authority {
    Authority {
        name: name.to_owned(),
        certificate: format!("certificate of {name}"),
        material: text("material"),
    }
}

/// Without the ingress network, so that the first network of a test has the first VNI and subnet.
pub(super) fn init() -> Init {
    Init {
        cluster: ClusterId::from_random(0xab_cdef_0123 << 88),
        pools: Vec::new(),
        data_path_port: 4789,
        authority: authority("first"),
        worker_token: text("for workers"),
        manager_token: text("for managers"),
        gossip_secret: secret(1),
        ingress: None,
    }
}

/// Likewise with the ingress network.
pub(super) fn init_with_ingress() -> Init {
    Init {
        ingress: Some(id(INGRESS)),
        ..init()
    }
}

/// Node `number` of 192.0.2.0/24.
pub(super) fn join(number: u8, role: Role) -> Join {
    let address: IpAddr = Ipv4Addr::new(192, 0, 2, number).into();
    Join {
        node: node(number.into()),
        hostname: format!("host-{number}"),
        role,
        data_path: address,
        gossip: (address, 7946).into(),
        control: (address, 2377).into(),
        down: BTreeSet::new(),
        availability: Availability::Active,
    }
}

/// A network of the default pool.
pub(super) fn wish(number: u128, name: &str) -> CreateNetwork {
    CreateNetwork {
        id: id(number),
        name: name.to_owned(),
        subnets: Vec::new(),
        ranges: Vec::new(),
        gateways: Vec::new(),
        kept: Vec::new(),
        families: [Family::Ipv4].into(),
        internal: false,
        attachable: true,
        ingress: false,
        labels: BTreeMap::new(),
        options: BTreeMap::new(),
        host_routes: Vec::new(),
    }
}

pub(super) fn service(number: u128) -> ServiceId {
    ServiceId::from_random(number)
}

/// A service on these networks that publishes nothing.
pub(super) fn service_wish(number: u128, name: &str, networks: &[u128]) -> CreateService {
    CreateService {
        id: service(number),
        name: name.to_owned(),
        networks: networks.iter().copied().map(id).collect(),
        mode: EndpointMode::Vip,
        ports: Vec::new(),
        drain_s: 10,
        health: None,
        labels: BTreeMap::new(),
        options: BTreeMap::new(),
    }
}

/// A TCP port of all nodes; 0: any.
pub(super) fn port(published: u16, target: u16) -> PortWish {
    PortWish {
        protocol: Protocol::Tcp,
        published: (published != 0).then_some(published),
        target,
        mode: PublishMode::Ingress,
        address: None,
    }
}

impl World {
    /// No cluster yet.
    pub(super) fn empty() -> Self {
        Self {
            state: State::default(),
            index: 0,
            now: 1_000_000,
        }
    }

    /// A cluster whose node 1 is a manager; nodes 2 to `nodes` are workers.
    pub(super) fn with_nodes(nodes: u8) -> Self {
        Self::begun(init(), nodes)
    }

    /// Likewise with the ingress network.
    pub(super) fn with_ingress(nodes: u8) -> Self {
        Self::begun(init_with_ingress(), nodes)
    }

    fn begun(init: Init, nodes: u8) -> Self {
        let mut world = Self::empty();
        world.make(Change::Init(Box::new(init)));
        for number in 1..=nodes {
            let role = if number == 1 {
                Role::Manager
            } else {
                Role::Worker
            };
            world.make(Change::Join(Box::new(join(number, role))));
        }
        world
    }

    /// Applies a change as a request of its own. One that is refused must change nothing.
    pub(super) fn apply(&mut self, change: Change) -> Result<Reply, Refusal> {
        let before = self.state.clone();
        let answer = self.apply_unchecked(change);
        if answer.is_err() {
            assert_eq!(self.state.cluster, before.cluster);
            assert_eq!(self.state.history, before.history);
        }
        answer
    }

    pub(super) fn apply_unchecked(&mut self, change: Change) -> Result<Reply, Refusal> {
        self.index += 1;
        let request = u128::from(self.index) << 64;
        let command = Command::new(request, self.now, change);
        self.state.apply(self.index, command)
    }

    /// Applies a change that must not be refused.
    pub(super) fn make(&mut self, change: Change) -> Reply {
        self.apply(change).unwrap()
    }

    pub(super) fn create(&mut self, wish: CreateNetwork) -> Vni {
        let reply = self.make(Change::CreateNetwork(Box::new(wish)));
        let Reply::Network { vni, .. } = reply else {
            panic!("{reply:?}");
        };
        vni
    }

    /// A network with these subnets.
    pub(super) fn network(&mut self, number: u128, subnets: &[&str]) -> Vni {
        let name = format!("network-{number}");
        self.create(CreateNetwork {
            subnets: nets(subnets),
            families: BTreeSet::new(),
            ..wish(number, &name)
        })
    }

    /// Makes a service and returns it as all nodes know it.
    pub(super) fn serve(&mut self, wish: CreateService) -> ClusterService {
        let id = wish.id;
        self.make(Change::CreateService(Box::new(wish)));
        self.state.view().services[&id].clone()
    }

    /// Changes service `number` and returns it.
    pub(super) fn edit(
        &mut self,
        number: u128,
        edit: ServiceEdit,
    ) -> Result<ClusterService, Refusal> {
        let edit = Box::new(edit);
        let service = service(number);
        self.apply(Change::UpdateService { service, edit })?;
        Ok(self.state.view().services[&service].clone())
    }

    pub(super) fn lease(&mut self, owner: u128, network: u128) -> Result<Lease, Refusal> {
        let reply = self.apply_unchecked(Change::LeaseBlocks {
            node: node(owner),
            network: id(network),
            families: [Family::Ipv4].into(),
        })?;
        Ok(only_lease(reply))
    }

    pub(super) fn lease_address(
        &mut self,
        owner: u128,
        network: u128,
        wish: &str,
    ) -> Result<Lease, Refusal> {
        let reply = self.apply(Change::LeaseAddress {
            node: node(owner),
            network: id(network),
            address: address(wish),
        })?;
        Ok(only_lease(reply))
    }

    pub(super) fn give_back(
        &mut self,
        owner: u128,
        network: u128,
        blocks: &[IpNet],
    ) -> Result<Reply, Refusal> {
        self.apply(Change::GiveBack {
            node: node(owner),
            network: id(network),
            blocks: blocks.iter().copied().collect(),
        })
    }

    pub(super) fn remove_node(&mut self, number: u128) -> Result<Reply, Refusal> {
        self.apply(Change::RemoveNode {
            node: node(number),
            force: true,
            is_down: false,
            secret: secret(number as u8),
        })
    }

    pub(super) fn promote(&mut self, number: u128) {
        self.make(Change::SetRole {
            node: node(number),
            role: Role::Manager,
            down: BTreeSet::new(),
        });
    }
}

fn only_lease(reply: Reply) -> Lease {
    let Reply::Leases(leases) = reply else {
        panic!("{reply:?}");
    };
    assert_eq!(leases.len(), 1);
    leases[0]
}
