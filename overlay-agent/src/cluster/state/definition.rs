//! What `network create` asks for, checked and completed. Changes nothing.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{
    Cluster, CreateNetwork, Family, Refusal,
    options::{self, Options},
    pool,
};
use crate::model::{
    Network, Vni,
    subnet::{first_host, longest_prefix, not_a_host, overlap, unfit_for_containers},
};

/// A network that can be made.
#[derive(Debug)]
pub(super) struct Definition {
    /// The VNI that was asked for.
    pub(super) vni: Option<Vni>,
    pub(super) encrypted: bool,
    subnets: Vec<IpNet>,
    gateways: Vec<IpAddr>,
    mtu: Option<u32>,
}

impl Definition {
    pub(super) fn network(&self, name: String, vni: Vni) -> Network {
        Network {
            name,
            vni,
            subnets: self.subnets.clone(),
            gateways: self.gateways.clone(),
            mtu: self.mtu,
        }
    }
}

pub(super) fn check(wish: &CreateNetwork, cluster: &Cluster) -> Result<Definition, Refusal> {
    check_given(wish, cluster)?;
    let subnets = with_pools(wish, cluster)?;
    let gateways = gateways(&wish.gateways, &subnets)?;
    check_ranges(&wish.ranges, &subnets)?;
    for address in &wish.kept {
        locate("aux-address", *address, &subnets)?;
    }
    let Options {
        vni,
        encrypted,
        mtu,
    } = options::read(&wish.options, &subnets, cluster.overhead())?;
    Ok(Definition {
        vni,
        encrypted,
        subnets,
        gateways,
        mtu,
    })
}

/// Checks the subnets that were asked for.
fn check_given(wish: &CreateNetwork, cluster: &Cluster) -> Result<(), Refusal> {
    for (position, net) in wish.subnets.iter().copied().enumerate() {
        if net != net.trunc() {
            return Err(Refusal::HostBits { net });
        }
        let longest = longest_prefix(net);
        if net.prefix_len() > longest {
            return Err(Refusal::SubnetTooSmall { net, longest });
        }
        if let Some(what) = unfit_for_containers(net) {
            let what = what.to_owned();
            return Err(Refusal::NotForContainers { net, what });
        }
        let mut before = wish.subnets.iter().take(position).copied();
        if let Some(other) = before.find(|other| overlap(net, *other)) {
            return Err(Refusal::SubnetsOverlap { net, other });
        }
        let mut taken = cluster.networks.subnets();
        if let Some((other, network)) = taken.find(|(other, _)| overlap(net, *other)) {
            return Err(Refusal::SubnetTaken {
                net,
                other,
                network: network.to_owned(),
            });
        }
        if let Some(route) = host_routes(wish).find(|route| overlap(net, *route)) {
            return Err(Refusal::HostRoute { net, route });
        }
    }
    Ok(())
}

/// The subnets that were asked for, and one of the pools for each family that is wanted without.
fn with_pools(wish: &CreateNetwork, cluster: &Cluster) -> Result<Vec<IpNet>, Refusal> {
    let mut subnets = wish.subnets.clone();
    for family in wish.families.iter().copied() {
        if subnets.iter().any(|net| Family::of(*net) == family) {
            continue;
        }
        let taken = cluster.networks.subnets().map(|(net, _)| net);
        let used: Vec<IpNet> = taken.chain(host_routes(wish)).collect();
        let free = pool::smallest_free(&cluster.pools, family, &used);
        subnets.push(free.ok_or_else(|| Refusal::PoolsExhausted {
            family: family.name().to_owned(),
        })?);
    }
    if subnets.is_empty() {
        return Err(Refusal::NoFamily);
    }
    Ok(subnets)
}

/// Default routes lead to everything, so that they cannot count.
fn host_routes(wish: &CreateNetwork) -> impl Iterator<Item = IpNet> {
    let routes = wish.host_routes.iter().map(IpNet::trunc);
    routes.filter(|route| route.prefix_len() > 0)
}

/// One gateway for each subnet, in the order of the subnets.
fn gateways(given: &[IpAddr], subnets: &[IpNet]) -> Result<Vec<IpAddr>, Refusal> {
    let mut of_subnets: Vec<Option<IpAddr>> = vec![None; subnets.len()];
    for address in given.iter().copied() {
        let (position, net) = locate("gateway", address, subnets)?;
        if let Some(what) = not_a_host(address, net) {
            let what = what.to_owned();
            return Err(Refusal::NotAHost { address, what, net });
        }
        if let Some(other) = of_subnets[position].replace(address) {
            return Err(Refusal::GatewaysInOneSubnet {
                address,
                other,
                net,
            });
        }
    }
    let with_subnets = of_subnets.into_iter().zip(subnets);
    Ok(with_subnets
        .map(|(gateway, net)| gateway.unwrap_or_else(|| first_host(*net)))
        .collect())
}

/// The subnet that holds an address, and its position.
fn locate(what: &str, address: IpAddr, subnets: &[IpNet]) -> Result<(usize, IpNet), Refusal> {
    let mut positions = subnets.iter().copied().enumerate();
    positions
        .find(|(_, net)| net.contains(&address))
        .ok_or_else(|| Refusal::NoMatchingSubnet {
            what: what.to_owned(),
            given: address.to_string(),
        })
}

/// Every range is in a subnet, and none has two.
fn check_ranges(ranges: &[IpNet], subnets: &[IpNet]) -> Result<(), Refusal> {
    let mut of_subnets: Vec<Option<IpNet>> = vec![None; subnets.len()];
    for range in ranges.iter().copied() {
        if range != range.trunc() {
            return Err(Refusal::HostBits { net: range });
        }
        let position = subnets.iter().position(|net| net.contains(&range));
        let Some(position) = position else {
            return Err(Refusal::NoMatchingSubnet {
                what: "range".to_owned(),
                given: range.to_string(),
            });
        };
        if let Some(other) = of_subnets[position].replace(range) {
            return Err(Refusal::RangesInOneSubnet {
                range,
                other,
                net: subnets[position],
            });
        }
    }
    Ok(())
}
