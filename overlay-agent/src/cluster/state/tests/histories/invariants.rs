//! What holds in every state.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::super::{
    super::{Family, State, family, networks::NetworkRecord, policy},
    world::{address, nets},
};
use crate::model::{EndpointMode, Lease, PublishMode, subnet};

/// Panics if something does not hold.
pub(super) fn check(state: &State) {
    let Some(cluster) = &state.cluster else {
        return;
    };
    let subnets: Vec<IpNet> = cluster.networks.subnets().map(|(net, _)| net).collect();
    for (position, net) in subnets.iter().enumerate() {
        let others = subnets.iter().take(position);
        assert!(
            others
                .into_iter()
                .all(|other| !subnet::overlap(*net, *other))
        );
    }
    for (vni, record) in cluster.networks.iter() {
        assert_eq!(record.network.network.vni, vni);
        let network = state.find_network(&record.network.id.to_string()).unwrap();
        assert_eq!(network.network.vni, vni);
        let network = state.find_network(&record.network.network.name).unwrap();
        assert_eq!(network.network.vni, vni);
        check_network(state, record);
    }
    check_services(state);
    let addresses: Vec<IpAddr> = cluster.present_members().map(|one| one.data_path).collect();
    let distinct: BTreeSet<IpAddr> = addresses.iter().copied().collect();
    assert_eq!(addresses.len(), distinct.len());
    let keys = cluster.ring.keys();
    assert!((1..=3).contains(&keys.keys.len()));
    assert!(keys.keys.is_sorted_by(|one, next| one.number < next.number));
    assert!(keys.key(keys.primary).is_some());
}

/// Every service is on a network that is there, with one address of each of its families, and no two
/// services want the same port of all nodes.
fn check_services(state: &State) {
    let cluster = state.cluster.as_ref().unwrap();
    let mut vips = BTreeSet::new();
    let mut ports = BTreeSet::new();
    for service in state.services() {
        assert_eq!(state.find_service(&service.name), Ok(service));
        assert!(!service.networks.is_empty());
        for (vni, addresses) in &service.networks {
            let network = &cluster.networks.get(*vni).unwrap().network.network;
            let of_network: BTreeSet<Family> =
                network.subnets.iter().copied().map(Family::of).collect();
            let families: Vec<Family> = addresses.iter().copied().map(Family::of_address).collect();
            match service.mode {
                EndpointMode::Vip => assert!(families.iter().eq(&of_network)),
                EndpointMode::Dnsrr => assert_eq!(families, []),
            }
            for address in addresses {
                assert!(network.subnet_of(*address).is_some());
                assert!(vips.insert((*vni, *address)));
            }
        }
        for port in &service.ports {
            assert_eq!(port.mode, PublishMode::Ingress);
            assert!(cluster.networks.ingress().is_some());
            assert!(ports.insert((port.protocol, port.published)));
        }
    }
}

/// No two blocks share an address, except that a single one may lie in a block of another node.
fn check_disjoint(leases: &[Lease]) {
    let mut around: Option<Lease> = None;
    let mut before: Option<Lease> = None;
    for lease in leases {
        assert_ne!(before.map(|before| before.block), Some(lease.block));
        before = Some(*lease);
        match around {
            Some(other) if subnet::overlap(other.block, lease.block) => {
                assert!(family::is_single(lease.block), "{lease:?} in {other:?}");
                assert_ne!(lease.node, other.node, "{lease:?} in {other:?}");
            }
            _ => around = Some(*lease),
        }
    }
}

fn check_network(state: &State, record: &NetworkRecord) {
    let definition = &record.network.network;
    let vni = definition.vni;
    let mut leases: Vec<Lease> = record.leases.iter().map(|one| one.lease(vni)).collect();
    leases.sort();
    check_disjoint(&leases);
    let mut forbidden: BTreeSet<IpAddr> = definition.gateways.iter().copied().collect();
    for net in &definition.subnets {
        forbidden.insert(net.network());
        if net.addr().is_ipv4() {
            forbidden.insert(net.broadcast());
        }
    }
    let all: Vec<IpAddr> = state
        .services()
        .filter_map(|service| service.networks.get(&vni))
        .flatten()
        .copied()
        .collect();
    forbidden.extend(&all);
    if definition.subnets == nets(&["10.1.0.0/28"]) {
        forbidden.insert(address("10.1.0.6"));
    }
    for lease in &leases {
        assert!(policy::unused_parts(lease.block, &forbidden).contains(&lease.block));
        assert!(definition.subnet_of(lease.block.addr()).is_some());
        assert!(lease.index <= state.applied());
        let cluster = state.cluster.as_ref().unwrap();
        assert!(cluster.is_present(lease.node) || cluster.gone.contains_key(&lease.node));
    }
    check_free_count(record, &forbidden);
}

/// What is free and what is leased or reserved is all there is.
fn check_free_count(record: &NetworkRecord, forbidden: &BTreeSet<IpAddr>) {
    let network = &record.network;
    let mut all: BTreeMap<Family, u128> = BTreeMap::new();
    for net in &network.network.subnets {
        let range = network.range_of(*net);
        let reserved = forbidden.range(range.network()..=range.broadcast());
        let inside = |block: &IpNet| range.contains(block);
        let mut blocks: Vec<IpNet> = record.leases.iter().map(|one| one.block).collect();
        blocks.sort();
        blocks.dedup_by(|inner, outer| outer.contains(&*inner));
        let leased: u128 = blocks.into_iter().filter(inside).map(family::size).sum();
        let free = family::size(range) - reserved.count() as u128 - leased;
        *all.entry(Family::of(range)).or_default() += free;
    }
    for (family, free) in all {
        assert_eq!(record.leases.free_count(family), free);
    }
}
