//! An agent without a kernel: remembers endpoints and its cluster, tells fixed numbers.

mod agent;
mod cluster;
mod fixed;
pub(crate) mod refusals;
mod services;
mod swarm;

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

pub(crate) use agent::FakeAgent;
use cluster::{Cluster, Membership};
pub(crate) use cluster::{network_id, node_id};
use futures_util::{Stream, stream};
use ipnet::Ipv4Net;

use super::{
    ApiError, Backend,
    refusals::{no_network, not_attachable},
    types::{
        AttachKind, AttachRequest, AuditReport, AuditSummary, Balancing, Breadth, Check,
        ClusterStatus, EndpointInfo, EndpointState, Event, Explanation, MapUse, MissingFeature,
        Mode, NetworkInfo, NetworkPeer, NodeInfo, Stats, Status,
    },
};
use crate::model::{Encap, MacAddress, NamespaceId, Network, Role, Vni};

/// By default one that has its networks from a file: `blue`, 10.1.0.0/24, number 4096.
#[derive(Debug, Default)]
pub(crate) struct FakeBackend {
    endpoints: Mutex<Vec<EndpointInfo>>,
    membership: Mutex<Membership>,
    hangs: bool,
    is_ill: bool,
}

/// The number of the only network.
pub(crate) fn blue() -> Vni {
    Vni::try_from(4096).unwrap()
}

/// The `n`-th endpoint, as the fake makes it.
pub(crate) fn endpoint(n: u8, name: &str, netns: PathBuf) -> EndpointInfo {
    let address = Ipv4Addr::new(10, 1, 0, n + 1);
    EndpointInfo {
        id: format!("{n:02x}").repeat(32),
        name: name.to_owned(),
        network: "blue".to_owned(),
        vni: blue(),
        ipv4: Some(Ipv4Net::new(address, 24).unwrap()),
        ipv6: None,
        mac: MacAddress::derived(address.into()),
        mtu: 1450,
        netns,
        namespace: NamespaceId {
            device: 4,
            inode: 4_026_532_000 + u64::from(n),
        },
        host_interface: format!("ov{n:02x}"),
        host_ifindex: u32::from(n),
        interface: "eth0".to_owned(),
        created: 1_763_823_600,
        state: EndpointState::Up,
        conflict: None,
        aliases: Vec::new(),
        service: None,
        ports: Vec::new(),
        transit: Vec::new(),
        warnings: Vec::new(),
    }
}

/// The nodes of [`FakeBackend::manager`].
pub(crate) fn three_nodes() -> Vec<NodeInfo> {
    Cluster::of_three().nodes
}

/// The `n`-th event.
pub(crate) fn event(n: u64) -> Event {
    Event {
        unix_ns: 1_763_823_600_000_000_000 + n,
        place: "from_container".to_owned(),
        reason: "no-route".to_owned(),
        interface: "ov01".to_owned(),
        endpoint: Some("web".to_owned()),
        network: Some("blue".to_owned()),
        source: Some(IpAddr::from([10, 1, 0, 2])),
        destination: Some(IpAddr::from([10, 1, 0, 99])),
        length: 98,
        sample: 1,
    }
}

impl FakeBackend {
    /// One that answers nothing.
    pub(crate) fn hanging() -> Self {
        Self {
            hangs: true,
            ..Self::default()
        }
    }

    /// One that says that something is wrong wherever it has the choice.
    pub(crate) fn ill() -> Self {
        Self {
            is_ill: true,
            ..Self::default()
        }
    }

    /// One that is in no cluster and has no networks.
    pub(crate) fn alone() -> Self {
        Self::in_cluster(Membership::Alone)
    }

    /// Node `a`, leader of a cluster: managers `a` and `b`, worker `c`, no networks.
    pub(crate) fn manager() -> Self {
        Self::in_cluster(Membership::Manager(Box::new(Cluster::of_three())))
    }

    fn in_cluster(membership: Membership) -> Self {
        Self {
            membership: Mutex::new(membership),
            ..Self::default()
        }
    }

    /// The same, but most of its managers are away.
    pub(crate) fn without_leader() -> Self {
        Self {
            is_ill: true,
            ..Self::manager()
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<EndpointInfo>> {
        self.endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn think(&self) {
        if self.hangs {
            std::future::pending::<()>().await;
        }
    }

    /// Every network, without containers and peers.
    fn outlines(&self) -> Vec<NetworkInfo> {
        match &*self.membership() {
            Membership::Static => vec![NetworkInfo::of_file(
                &Network {
                    name: "blue".to_owned(),
                    vni: blue(),
                    subnets: vec!["10.1.0.0/24".parse().unwrap()],
                    gateways: vec![IpAddr::from([10, 1, 0, 1])],
                    mtu: None,
                },
                1450,
            )],
            Membership::Alone | Membership::Worker(_) => Vec::new(),
            Membership::Manager(cluster) => cluster.networks.clone(),
        }
    }

    fn outline(&self, name: &str) -> Result<NetworkInfo, ApiError> {
        let is_named = |network: &NetworkInfo| {
            let id = network.id.map(|id| id.to_string());
            network.name == name || id.is_some_and(|id| id.starts_with(name))
        };
        let found = self.outlines().into_iter().find(is_named);
        found.ok_or_else(|| no_network(name))
    }

    fn mode(&self) -> (Mode, Option<ClusterStatus>) {
        match &*self.membership() {
            Membership::Static => (Mode::Static, None),
            Membership::Alone => (Mode::None, None),
            Membership::Worker(id) => (Mode::Swarm, Some(cluster::status(*id, Role::Worker))),
            Membership::Manager(_) => {
                let status = cluster::status(node_id('a'), Role::Manager);
                (Mode::Swarm, Some(status))
            }
        }
    }
}

impl Backend for FakeBackend {
    async fn status(&self) -> Result<Status, ApiError> {
        self.think().await;
        let (mode, cluster) = self.mode();
        Ok(Status {
            node: "a".to_owned(),
            mode,
            version: "0.1.0".to_owned(),
            pid: 4711,
            uptime_s: 3725,
            abi: 1,
            kernel: "6.18.44".to_owned(),
            attach: AttachKind::Tcx,
            balancing: Balancing {
                sockets: true,
                packets: true,
            },
            encap: Encap::Native,
            port: 4789,
            address: IpAddr::from([192, 0, 2, 1]),
            endpoints: self.lock().len() as u64,
            networks: 1,
            peers: 2,
            routes: 1,
            blocks: 3,
            programmed_ms: 4,
            maps: vec![MapUse {
                name: "ROUTE".to_owned(),
                entries: 1,
                max_entries: 65_536,
                bytes: 7_340_032,
            }],
            audit: AuditSummary {
                runs: 12,
                last_unix_s: Some(1_763_823_600),
                repaired_total: 3,
                last_repaired: 0,
            },
            names: None,
            encryption: None,
            missing_features: vec![MissingFeature {
                feature: "netkit (Linux 6.7)".to_owned(),
                costs: "round trips are a quarter longer".to_owned(),
            }],
            cluster,
        })
    }

    async fn endpoints(&self) -> Result<Vec<EndpointInfo>, ApiError> {
        Ok(self.lock().clone())
    }

    async fn attach(&self, request: AttachRequest) -> Result<EndpointInfo, ApiError> {
        let network = self.outline(&request.network)?;
        let service = self.service_of(&request)?;
        if service.is_none() && !network.attachable {
            return Err(not_attachable(&network.name));
        }
        let mut endpoints = self.lock();
        let is_same = |other: &&EndpointInfo| other.name == request.name;
        if let Some(other) = endpoints
            .iter()
            .find(|other| is_same(other) && other.network == network.name)
        {
            let error = format!("`{}` is already in network `{}`", other.name, other.network);
            return Err(ApiError::conflict(error).with_help("choose another --name"));
        }
        let n = endpoints.len() as u8 + 1;
        let mut made = endpoint(n, &request.name, request.netns);
        made.network.clone_from(&network.name);
        made.vni = network.vni;
        made.service = service;
        made.aliases.clone_from(&request.aliases);
        if made.name == "twin" {
            made.warnings.push("node b has a `twin`, too".to_owned());
        }
        for address in request.addresses {
            match address {
                IpAddr::V4(v4) => made.ipv4 = Ipv4Net::new(v4, 24).ok(),
                IpAddr::V6(_) => {
                    let error = format!("`{}` has no IPv6 subnet", network.name);
                    return Err(ApiError::bad_request(error));
                }
            }
        }
        made.mac = request.mac.unwrap_or(made.mac);
        let ports = request.ports.iter();
        made.ports = ports.map(|wish| wish.at(32_768)).collect();
        endpoints.push(made.clone());
        Ok(made)
    }

    async fn detach(
        &self,
        name: String,
        network: Option<String>,
    ) -> Result<Vec<EndpointInfo>, ApiError> {
        let mut endpoints = self.lock();
        let (gone, kept): (Vec<_>, Vec<_>) = endpoints.drain(..).partition(|endpoint| {
            let is_named = endpoint.name == name || endpoint.id.starts_with(&name);
            is_named
                && network
                    .as_ref()
                    .is_none_or(|network| *network == endpoint.network)
        });
        *endpoints = kept;
        if gone.is_empty() {
            return Err(refusals::no_endpoint(&name));
        }
        Ok(gone)
    }

    async fn drain(
        &self,
        name: String,
        network: Option<String>,
    ) -> Result<Vec<EndpointInfo>, ApiError> {
        let is_meant = |endpoint: &&EndpointInfo| {
            let is_named = endpoint.name == name || endpoint.id.starts_with(&name);
            is_named
                && network
                    .as_ref()
                    .is_none_or(|network| *network == endpoint.network)
        };
        let found: Vec<_> = self.lock().iter().filter(is_meant).cloned().collect();
        if found.is_empty() {
            return Err(refusals::no_endpoint(&name));
        }
        Ok(found)
    }

    async fn networks(&self) -> Result<Vec<NetworkInfo>, ApiError> {
        Ok(self.outlines())
    }

    async fn network(&self, name: String, breadth: Breadth) -> Result<NetworkInfo, ApiError> {
        let mut network = self.outline(&name)?;
        let endpoints = self.lock();
        let here = endpoints
            .iter()
            .filter(|endpoint| endpoint.network == network.name);
        network.containers = here.map(Into::into).collect();
        network.peers = vec![NetworkPeer {
            name: "b".to_owned(),
            address: IpAddr::from([192, 0, 2, 2]),
            blocks: vec!["10.1.0.64/26".parse().unwrap()],
            endpoints: 1,
        }];
        if breadth == Breadth::Cluster {
            for container in &mut network.containers {
                container.node = Some("a".to_owned());
            }
        }
        Ok(network)
    }

    async fn stats(&self) -> Result<Stats, ApiError> {
        Ok(fixed::stats(self.mode().0))
    }

    fn events(&self) -> impl Stream<Item = Event> + Send + use<> {
        stream::unfold(0, async |n| {
            if n == 3 {
                std::future::pending::<()>().await;
            }
            Some((event(n), n + 1))
        })
    }

    async fn explain(
        &self,
        source: String,
        destination: String,
        network: Option<String>,
    ) -> Result<Explanation, ApiError> {
        let arrives = !self.is_ill;
        Ok(fixed::explanation(source, destination, network, arrives))
    }

    async fn doctor(&self) -> Result<Vec<Check>, ApiError> {
        Ok(fixed::checks(self.is_ill))
    }

    async fn audit(&self) -> Result<AuditReport, ApiError> {
        Ok(fixed::audit())
    }
}
