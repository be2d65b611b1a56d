//! What is known, in the words of the API.

use std::{collections::BTreeMap, net::Ipv4Addr};

use super::Outline;
use crate::{
    agent::{plumbing::is_host_end, shared::Shared},
    api::{
        ApiError,
        types::{
            AttachKind, AuditSummary, Balancing, DropCount, EndpointInfo, EndpointState, MapUse,
            MissingFeature, Mode, NameServer, NamesCount, NamesStatus, NetworkContainer,
            NetworkInfo, NetworkPeer, Stats, Status, WalkCount,
        },
    },
    control::Table,
    datapath::{self, ABI_VERSION, AttachMode, Counters, Features, map_name},
    model::{Attachment, Network, Node, TransitPools},
    netlink::Socket,
    settings::{Cluster, Settings},
};

/// The agent at a glance before it has its place in a cluster.
pub(super) fn waiting(outline: &Outline) -> Status {
    let Outline {
        settings,
        features,
        started,
    } = outline;
    Status {
        node: settings.node.clone(),
        mode: Mode::None,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        uptime_s: started.elapsed().as_secs(),
        abi: ABI_VERSION,
        kernel: features.kernel.clone(),
        attach: attach_kind(features.attach),
        balancing: Balancing::default(),
        encap: settings.encap,
        port: settings.port,
        address: Ipv4Addr::UNSPECIFIED.into(),
        endpoints: 0,
        networks: 0,
        peers: 0,
        routes: 0,
        blocks: 0,
        programmed_ms: 0,
        maps: Vec::new(),
        audit: AuditSummary::default(),
        missing_features: missing(features),
        names: None,
        encryption: None,
        cluster: None,
    }
}

/// The agent at a glance.
pub(super) fn status(shared: &Shared, uses: &[datapath::MapUse]) -> Status {
    let summary = shared.summary().clone();
    let settings = &shared.settings;
    let entries = |table| summary.entries.get(&table).copied().unwrap_or_default() as u64;
    let maps = uses.iter().map(|map| {
        let table = Table::ALL
            .into_iter()
            .find(|table| map_name(*table) == map.name);
        MapUse {
            name: map.name.to_owned(),
            entries: match table {
                // The tables of endpoints change without being counted anew.
                Some(Table::Endpoint) => shared.directory().addresses() as u64,
                Some(Table::Interface) => shared.directory().len() as u64,
                Some(table) => entries(table),
                None => (shared.flows.entries(map.name))
                    .unwrap_or_else(|| map.entries.unwrap_or_default().into()),
            },
            max_entries: map.capacity.into(),
            bytes: map.bytes,
        }
    });
    let features = &shared.features;
    Status {
        node: settings.node.clone(),
        mode: mode(settings),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        uptime_s: shared.started.elapsed().as_secs(),
        abi: ABI_VERSION,
        kernel: features.kernel.clone(),
        attach: attach_kind(features.attach),
        balancing: Balancing {
            sockets: shared.balances_sockets(),
            packets: settings.services.packet_lb,
        },
        encap: summary.encap,
        port: settings.port,
        address: shared.desired().this,
        endpoints: shared.directory().len() as u64,
        networks: entries(Table::Network),
        peers: entries(Table::Peer),
        routes: entries(Table::Route),
        blocks: entries(Table::Block),
        programmed_ms: u64::try_from(summary.programmed.as_millis()).unwrap_or(u64::MAX),
        maps: maps.collect(),
        audit: summary.audit,
        missing_features: missing(features),
        names: names(shared),
        encryption: shared.encryption(),
        cluster: None,
    }
}

fn mode(settings: &Settings) -> Mode {
    match settings.cluster {
        Cluster::Static(_) => Mode::Static,
        Cluster::Swarm(_) => Mode::Swarm,
    }
}

fn attach_kind(mode: AttachMode) -> AttachKind {
    match mode {
        AttachMode::Tcx => AttachKind::Tcx,
        AttachMode::Clsact => AttachKind::Clsact,
    }
}

fn missing(features: &Features) -> Vec<MissingFeature> {
    let missing = features.missing.iter().map(|missing| MissingFeature {
        feature: missing.feature.to_owned(),
        costs: missing.costs.to_owned(),
    });
    missing.collect()
}

/// Whether each host end is up, by index.
pub(super) fn states() -> Result<BTreeMap<u32, EndpointState>, ApiError> {
    let list = || Socket::open()?.links();
    let links = list().map_err(|error| ApiError::internal(&error))?;
    let state = |link: &crate::netlink::Link| {
        if link.is_up() && link.has_carrier {
            EndpointState::Up
        } else {
            EndpointState::Down
        }
    };
    let ends = links.iter().filter(|link| is_host_end(link));
    Ok(ends.map(|link| (link.ifindex, state(link))).collect())
}

/// Every endpoint, sorted by network and name.
pub(super) fn endpoints(
    shared: &Shared,
    states: &BTreeMap<u32, EndpointState>,
) -> Vec<EndpointInfo> {
    let told = |attachment: &Attachment| {
        let state = states.get(&attachment.host_ifindex).copied();
        EndpointInfo::new(
            attachment,
            state.unwrap_or(EndpointState::Gone),
            pools(shared),
        )
    };
    let mut endpoints: Vec<EndpointInfo> = shared.directory().iter().map(told).collect();
    endpoints.sort_by(|a, b| (&a.network, &a.name).cmp(&(&b.network, &b.name)));
    endpoints
}

/// Every network, without containers and peers.
pub(super) fn networks(shared: &Shared) -> Vec<NetworkInfo> {
    let desired = shared.desired();
    let networks = desired.networks.iter();
    networks.map(|network| outline(shared, network)).collect()
}

/// One network with its containers on this node and its peers.
pub(super) fn network(shared: &Shared, name: &str) -> Option<NetworkInfo> {
    let desired = shared.desired();
    let network = desired.network(name)?;
    let mut containers: Vec<NetworkContainer> = shared
        .directory()
        .iter()
        .filter(|attachment| attachment.vni == network.vni)
        .map(|attachment| EndpointInfo::new(attachment, EndpointState::Up, pools(shared)))
        .map(|endpoint| NetworkContainer::from(&endpoint))
        .collect();
    containers.sort_by(|a, b| a.name.cmp(&b.name));
    Some(NetworkInfo {
        containers,
        peers: desired
            .others()
            .filter_map(|node| peer(node, network))
            .collect(),
        ..outline(shared, network)
    })
}

/// Every counter.
pub(super) fn stats(shared: &Shared, counters: &Counters) -> Stats {
    let walks = counters.walks.iter().map(|(walk, total)| WalkCount {
        walk: walk.label().to_owned(),
        packets: total.packets,
        bytes: total.bytes,
    });
    let drops = counters.drops.iter().map(|(reason, total)| DropCount {
        reason: reason.label().to_owned(),
        number: *reason as u32,
        packets: total.packets,
        bytes: total.bytes,
        hint: reason.hint().to_owned(),
    });
    Stats {
        walks: walks.collect(),
        drops: drops.collect(),
        events_lost: counters.events_lost,
        names: names_count(shared),
        control: Vec::new(),
        flows_evicted: shared.flows.evicted(),
    }
}

/// How questions for names are answered.
fn names(shared: &Shared) -> Option<NamesStatus> {
    if !shared.settings.dns.enabled {
        return None;
    }
    let state = shared.names.state();
    let problem = |address| match state.doors.get(address) {
        Some(problem) => problem.clone(),
        None => Some("not tried yet".to_owned()),
    };
    let addresses = shared.settings.dns.addresses.iter();
    let servers = addresses.map(|address| NameServer {
        address: *address,
        problem: problem(address),
    });
    Some(NamesStatus {
        servers: servers.collect(),
        addresses: state.addresses as u64,
        upstream: state.servers.to_vec(),
    })
}

fn names_count(shared: &Shared) -> Option<NamesCount> {
    if !shared.settings.dns.enabled {
        return None;
    }
    let figures = shared.names.state().figures;
    Some(NamesCount {
        queries: figures.queries,
        answered: figures.answered,
        forwarded: figures.forwarded,
        unanswered: figures.unanswered,
        overrun: figures.overrun,
        refused: figures.refused,
        malformed: figures.malformed,
        truncated: figures.truncated,
        dropped: figures.dropped,
    })
}

fn outline(shared: &Shared, network: &Network) -> NetworkInfo {
    let mtu = shared.summary().mtus.get(&network.vni).copied();
    NetworkInfo::of_file(network, mtu.or(network.mtu).unwrap_or_default())
}

/// A node, if it has addresses in the network.
fn peer(node: &Node, network: &Network) -> Option<NetworkPeer> {
    let blocks = node.blocks.get(&network.vni).cloned().unwrap_or_default();
    let endpoints = node
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.vni == network.vni)
        .count();
    (!blocks.is_empty() || endpoints > 0).then(|| NetworkPeer {
        name: node.name.clone(),
        address: node.address,
        blocks,
        endpoints: endpoints as u64,
    })
}

/// Where transit addresses come from.
pub(super) fn pools(shared: &Shared) -> TransitPools {
    shared.settings.outside.in_use().unwrap_or_default()
}
