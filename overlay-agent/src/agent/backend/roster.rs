//! The swarm in the words of the API: nodes, networks and endpoints of all of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::sleep;

use super::{doors, told};
use crate::{
    agent::{shared::Shared, swarm::Access},
    api::{
        ApiError, refusals,
        types::{
            Breadth, ClusterStatus, ManagerInfo, ManagerStatus, NetworkContainer, NetworkInfo,
            NetworkPeer, NetworkService, NetworkTask, NodeEndpoint, NodeInfo, NodeState,
            Reachability,
        },
    },
    cluster::consensus::ReplicatedLog as _,
    gossip::{self, Visit},
    model::{
        Attachment, Availability, Claim, ClusterNetwork, MacAddress, Member, NodeId, Place, Role,
        Vni,
    },
};

/// How long it takes until another node has told what is claimed in a network.
const HEARSAY: Duration = Duration::from_millis(500);

/// Every node, sorted by host name and identifier.
pub(super) fn nodes(access: &Access) -> Vec<NodeInfo> {
    let leader = leader(access);
    let told = |(member, is_present): &(Member, bool)| {
        let state = if *is_present {
            state(access, member.id)
        } else {
            NodeState::Down
        };
        let status = (member.role == Role::Manager).then(|| ManagerStatus {
            leader: leader == Some(member.id),
            reachability: reachability(state),
            addr: member.control,
        });
        let mut node = NodeInfo::new(member, state, status);
        if member.id == access.kept.node {
            node.is_self = true;
            node.description.engine_version = Some(env!("CARGO_PKG_VERSION").to_owned());
        }
        node
    };
    let mut nodes: Vec<NodeInfo> = members(access).iter().map(told).collect();
    nodes.sort_by(|a, b| {
        let key = |node: &NodeInfo| (node.description.hostname.clone(), node.id);
        key(a).cmp(&key(b))
    });
    nodes
}

/// The nodes, and whether each takes part: managers remember those that left.
fn members(access: &Access) -> Vec<(Member, bool)> {
    let Some(manager) = &access.manager else {
        let view = access.view.borrow();
        let members = view.members.values().cloned();
        return members.map(|member| (member, true)).collect();
    };
    manager.consensus().with_state(|state| {
        let nodes = state.nodes();
        nodes
            .map(|record| (record.member.clone(), record.is_present()))
            .collect()
    })
}

/// The endpoints of one node, sorted by network and name.
pub(super) async fn endpoints(access: &Access, shared: &Shared, node: NodeId) -> Vec<NodeEndpoint> {
    let claims = claims(access, shared).await;
    let view = access.view.borrow().clone();
    let name = hostname(access, node);
    let mut found: BTreeMap<(Vni, String), NodeEndpoint> = BTreeMap::new();
    for (owner, claim) in claims.into_iter().filter(|(owner, _)| *owner == node) {
        let network = view.networks.get(&claim.vni);
        let network = network.map_or_else(
            || claim.vni.to_string(),
            |network| network.network.name.clone(),
        );
        let mac = claim
            .mac
            .unwrap_or_else(|| MacAddress::derived(claim.address));
        let endpoint = found
            .entry((claim.vni, claim.endpoint.clone()))
            .or_insert_with(|| NodeEndpoint {
                id: claim.endpoint.clone(),
                name: claim.name.clone(),
                network,
                addresses: Vec::new(),
                mac,
                node: if owner == node {
                    name.clone()
                } else {
                    owner.to_string()
                },
            });
        endpoint.addresses.push(claim.address);
    }
    let mut endpoints: Vec<NodeEndpoint> = found.into_values().collect();
    endpoints.sort_by(|a, b| (&a.network, &a.name).cmp(&(&b.network, &b.name)));
    endpoints
}

/// The networks that this node knows: all of them on a manager, those that exist here on a worker.
pub(super) fn networks(access: &Access, shared: &Shared) -> Vec<NetworkInfo> {
    let view = access.view.borrow().clone();
    let is_manager = access.role() == Role::Manager;
    let desired = shared.desired();
    let known = view.networks.values().filter(|network| {
        let is_here = desired.network_by_vni(network.network.vni).is_some();
        is_manager || network.ingress || is_here
    });
    let mut networks: Vec<NetworkInfo> = known.map(|network| outline(shared, network)).collect();
    networks.sort_by(|a, b| a.name.cmp(&b.name));
    networks
}

/// One network with its containers and peers.
pub(super) async fn network(
    access: &Access,
    shared: &Shared,
    name: &str,
    breadth: Breadth,
) -> Result<NetworkInfo, ApiError> {
    let network = find_network(access, name)?;
    let info = outline(shared, &network);
    let here = told::network(shared, &network.network.name);
    let (containers, peers) = match here {
        Some(here) => (here.containers, here.peers),
        None => (Vec::new(), peers(access, &network)),
    };
    let (containers, services) = match breadth {
        Breadth::Node => (containers, BTreeMap::new()),
        Breadth::Cluster => {
            let vni = network.network.vni;
            let claims = claims_in(access, shared, &[vni].into()).await;
            (
                all_containers(access, &network, &claims),
                services_on(access, vni, &claims),
            )
        }
    };
    Ok(NetworkInfo {
        containers,
        peers,
        services,
        ..info
    })
}

/// The network of this name, identifier, or unique beginning of that.
pub(super) fn find_network(access: &Access, name: &str) -> Result<ClusterNetwork, ApiError> {
    let view = access.view.borrow();
    if let Some(network) = view.network(name) {
        return Ok(network.clone());
    }
    let alike = view.networks.values();
    let mut alike = alike.filter(|network| {
        let id = network.id.to_string();
        !name.is_empty() && id.starts_with(name)
    });
    match (alike.next(), alike.next()) {
        (Some(network), None) => Ok(network.clone()),
        (Some(_), Some(_)) => Err(ApiError::bad_request(format!(
            "more than one network's identifier begins with {name}"
        ))
        .with_help("give more of it, or the network's name")),
        (None, _) => Err(refusals::no_network(name)),
    }
}

/// Warns of endpoints of other nodes that have the name of one here. What a node that has just come to
/// the network has not been told of yet is not found.
pub(super) async fn namesakes(access: &Access, here: &Attachment) -> Vec<String> {
    let named = access.gossip.named(here.vni, here.name.clone()).await;
    let warn = |node: NodeId| {
        format!(
            "node {} has an endpoint {} in network {}, too: the name stands for the addresses of both",
            hostname(access, node),
            here.name,
            here.network
        )
    };
    named.unwrap_or_default().into_iter().map(warn).collect()
}

/// How many endpoints a network has, on all nodes.
pub(super) async fn users(access: &Access, shared: &Shared, vni: Vni) -> u64 {
    let claims = claims_in(access, shared, &[vni].into()).await.into_iter();
    let endpoints: BTreeSet<(NodeId, String)> =
        claims.map(|(node, claim)| (node, claim.endpoint)).collect();
    endpoints.len() as u64
}

/// What all nodes claim in networks. Those that this node takes no part in are visited for a moment, because
/// only those who attend are told of claims.
pub(super) async fn claims_in(
    access: &Access,
    shared: &Shared,
    networks: &BTreeSet<Vni>,
) -> Vec<(NodeId, Claim)> {
    let mut visits = Vec::new();
    for vni in networks {
        // Without the gossip nobody has anything to tell.
        visits.extend(access.gossip.visit(*vni).await);
    }
    if visits.iter().any(Visit::is_new) {
        sleep(HEARSAY).await;
    }
    let claims = claims(access, shared).await;
    drop(visits);
    let claims = claims.into_iter();
    claims
        .filter(|(_, claim)| networks.contains(&claim.vni))
        .collect()
}

/// The swarm at a glance.
pub(super) async fn status(access: &Access) -> Result<ClusterStatus, ApiError> {
    let view = access.view.borrow().clone();
    let leader = leader(access);
    let managers = nodes(access);
    let managers = managers.into_iter().filter_map(|node| {
        let status = node.manager_status?;
        Some(ManagerInfo {
            node_id: node.id,
            hostname: node.description.hostname,
            addr: status.addr,
            leader: leader == Some(node.id),
            reachability: status.reachability,
        })
    });
    let own = view.members.get(&access.kept.node);
    let claims = access.gossip.claims_known().await.unwrap_or_default();
    Ok(ClusterStatus {
        node_id: access.kept.node,
        role: access.role(),
        availability: own.map_or(Availability::Active, |member| member.availability),
        state: NodeState::Ready,
        managers: managers.collect(),
        index: view.index,
        heard_unix_s: access.heard(),
        gossip: doors::gossip(access, claims),
    })
}

fn all_containers(
    access: &Access,
    network: &ClusterNetwork,
    claims: &[(NodeId, Claim)],
) -> Vec<NetworkContainer> {
    let mut found: BTreeMap<(NodeId, String), NetworkContainer> = BTreeMap::new();
    for (node, claim) in claims {
        let mac = claim
            .mac
            .unwrap_or_else(|| MacAddress::derived(claim.address));
        let container = found
            .entry((*node, claim.endpoint.clone()))
            .or_insert_with(|| NetworkContainer {
                id: claim.endpoint.clone(),
                name: claim.name.clone(),
                ipv4: None,
                ipv6: None,
                mac,
                node: Some(hostname(access, *node)),
            });
        let length = network
            .network
            .subnet_of(claim.address)
            .map_or(0, |subnet| subnet.prefix_len());
        match claim.address {
            std::net::IpAddr::V4(address) => {
                container.ipv4 = ipnet::Ipv4Net::new(address, length).ok();
            }
            std::net::IpAddr::V6(address) => {
                container.ipv6 = ipnet::Ipv6Net::new(address, length).ok();
            }
        }
    }
    let mut containers: Vec<NetworkContainer> = found.into_values().collect();
    containers.sort_by(|a, b| (&a.name, &a.node).cmp(&(&b.name, &b.node)));
    containers
}

/// The services of a network, with what is claimed for their tasks there.
fn services_on(
    access: &Access,
    vni: Vni,
    claims: &[(NodeId, Claim)],
) -> BTreeMap<String, NetworkService> {
    let view = access.view.borrow().clone();
    let on = view.services.values();
    let on = on.filter_map(|service| Some((service, service.networks.get(&vni)?)));
    let told = on.map(|(service, vips)| {
        let ports = service.ports.iter();
        let ports =
            ports.map(|port| format!("Target: {}, Publish: {}", port.target, port.published));
        let mut tasks: BTreeMap<(String, NodeId), NetworkTask> = BTreeMap::new();
        for (node, claim) in claims {
            let Some(part) = claim.task.filter(|part| part.service == service.id) else {
                continue;
            };
            let key = (claim.name.clone(), *node);
            let task = tasks.entry(key).or_insert_with(|| NetworkTask {
                name: claim.name.clone(),
                endpoint_id: claim.endpoint.clone(),
                endpoint_ip: Vec::new(),
                node: hostname(access, *node),
                state: part.state,
            });
            task.endpoint_ip.push(claim.address);
        }
        let network_service = NetworkService {
            vip: vips.clone(),
            ports: ports.collect(),
            tasks: tasks.into_values().collect(),
        };
        (service.name.clone(), network_service)
    });
    told.collect()
}

/// What all nodes claim, this one included.
async fn claims(access: &Access, shared: &Shared) -> Vec<(NodeId, Claim)> {
    let observed = access.gossip.observed().await.unwrap_or_default();
    let mut claims: Vec<(NodeId, Claim)> = observed.claims.into_values().collect();
    let node = access.kept.node;
    let all = shared.directory().all();
    for endpoint in all.values() {
        let vni = endpoint.vni;
        claims.extend(endpoint.addresses().map(|address| {
            let claim = Claim {
                aliases: endpoint.aliases.clone(),
                task: shared.task_states.of(endpoint, Place { vni, address }),
                vni,
                address,
                name: endpoint.name.clone(),
                endpoint: endpoint.id.clone(),
                mac: Some(endpoint.mac),
                index: 0,
            };
            (node, claim)
        }));
    }
    claims
}

pub(super) fn outline(shared: &Shared, network: &ClusterNetwork) -> NetworkInfo {
    let summary = shared.summary();
    let mtu = summary.mtus.get(&network.network.vni).copied();
    let left = if network.encrypted {
        summary.encrypted_mtu
    } else {
        summary.inner_mtu
    };
    let mtu = mtu.or(network.network.mtu).unwrap_or(left);
    NetworkInfo::of_cluster(network, mtu)
}

/// Nodes with leases in a network that does not exist here.
fn peers(access: &Access, network: &ClusterNetwork) -> Vec<NetworkPeer> {
    let view = access.view.borrow();
    let vni = network.network.vni;
    let others = view
        .members
        .values()
        .filter(|member| member.id != access.kept.node);
    let told = |member: &Member| {
        let blocks: Vec<_> = view.blocks(member.id, vni).collect();
        (!blocks.is_empty()).then(|| NetworkPeer {
            name: member.hostname.clone(),
            address: member.data_path,
            blocks,
            endpoints: 0,
        })
    };
    others.filter_map(told).collect()
}

fn hostname(access: &Access, node: NodeId) -> String {
    let view = access.view.borrow();
    let member = view.members.get(&node);
    member.map_or_else(|| node.to_string(), |member| member.hostname.clone())
}

fn leader(access: &Access) -> Option<NodeId> {
    let manager = access.manager.as_ref()?;
    let leader = *manager.consensus().leader().borrow();
    leader.map(|leader| leader.id)
}

fn state(access: &Access, node: NodeId) -> NodeState {
    if node == access.kept.node {
        return NodeState::Ready;
    }
    match access.gossip.states().borrow().get(&node) {
        Some(gossip::NodeState::Up) => NodeState::Ready,
        Some(gossip::NodeState::Failed) => NodeState::Down,
        Some(gossip::NodeState::Left) => NodeState::Disconnected,
        None => NodeState::Unknown,
    }
}

fn reachability(state: NodeState) -> Reachability {
    match state {
        NodeState::Ready => Reachability::Reachable,
        NodeState::Down | NodeState::Disconnected => Reachability::Unreachable,
        NodeState::Unknown => Reachability::Unknown,
    }
}
