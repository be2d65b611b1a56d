//! Networks: numbers, subnets, gateways and MTU.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;

use super::{
    name,
    problem::{Problem, Refusal, names},
    typed,
};
use crate::model::{
    Network, Vni,
    subnet::{first_host, least_mtu, longest_prefix, not_a_host, overlap, unfit_for_containers},
};

/// Checks every network; `overhead` is how many bytes of outer headers the underlay's family takes.
/// Sorted by name.
pub(super) fn check_all(
    networks: &[typed::Network],
    overhead: u32,
) -> Result<Vec<Network>, Refusal> {
    let all_names = networks.iter().map(|network| network.name.as_str());
    name::check_all("cluster.networks", all_names)?;
    let mut by_vni = BTreeMap::new();
    let mut checked = Vec::with_capacity(networks.len());
    for network in networks {
        let key = |what: &str| format!("cluster.networks[{}].{what}", network.name);
        let vni = vni(network.vni).map_err(|problem| problem.at_key(key("vni")))?;
        if let Some(other) = by_vni.insert(vni, &network.name) {
            let (vni, other) = (vni.into(), other.clone());
            return Err(Problem::VniTwice { vni, other }.at_key(key("vni")));
        }
        let subnets =
            subnets(&network.subnets).map_err(|problem| problem.at_key(key("subnets")))?;
        let gateways = gateways(&network.gateway, &subnets)
            .map_err(|problem| problem.at_key(key("gateway")))?;
        let mtu = network.mtu.map(|mtu| self::mtu(mtu, &subnets, overhead));
        checked.push(Network {
            name: network.name.clone(),
            vni,
            mtu: mtu
                .transpose()
                .map_err(|problem| problem.at_key(key("mtu")))?,
            gateways,
            subnets,
        });
    }
    checked.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(checked)
}

fn vni(number: u64) -> Result<Vni, Problem> {
    let small = u32::try_from(number).map_err(|_too_big| Problem::OutOfRange {
        number,
        least: 1,
        most: (1 << 24) - 1,
    })?;
    Ok(Vni::try_from(small)?)
}

/// Reads a subnet or block; nothing may be set behind its prefix.
pub(super) fn parse_net(text: &str) -> Result<IpNet, Problem> {
    let net: IpNet = text.parse().map_err(|_unparsable| Problem::NotASubnet {
        text: text.to_owned(),
    })?;
    if net == net.trunc() {
        Ok(net)
    } else {
        Err(Problem::HostBits { net })
    }
}

fn subnets(texts: &[String]) -> Result<Vec<IpNet>, Problem> {
    if texts.is_empty() {
        return Err(Problem::NoSubnets);
    }
    let mut subnets: Vec<IpNet> = Vec::with_capacity(texts.len());
    for text in texts {
        let net = parse_net(text)?;
        let longest = longest_prefix(net);
        if net.prefix_len() > longest {
            return Err(Problem::SubnetTooSmall { net, longest });
        }
        if let Some(what) = unfit_for_containers(net) {
            return Err(Problem::NotForContainers { net, what });
        }
        if let Some(&other) = subnets.iter().find(|other| overlap(net, **other)) {
            return Err(Problem::SubnetsOverlap { net, other });
        }
        subnets.push(net);
    }
    Ok(subnets)
}

/// One gateway for each subnet, in the order of the subnets; the first host address where none is
/// given.
fn gateways(texts: &[String], subnets: &[IpNet]) -> Result<Vec<IpAddr>, Problem> {
    let mut given: Vec<Option<IpAddr>> = vec![None; subnets.len()];
    for text in texts {
        let address: IpAddr = text.parse().map_err(|_unparsable| Problem::NotAnAddress {
            text: text.clone(),
            example: "10.1.0.1 or \"fd00:1::1\"",
        })?;
        let (index, net) = locate(address, subnets)?;
        check_host(address, net)?;
        if let Some(other) = given[index].replace(address) {
            return Err(Problem::GatewaysInOneSubnet {
                address,
                other,
                net,
            });
        }
    }
    let with_defaults = given.into_iter().zip(subnets);
    Ok(with_defaults
        .map(|(gateway, net)| gateway.unwrap_or_else(|| first_host(*net)))
        .collect())
}

/// The subnet that holds an address, and its position.
pub(super) fn locate(address: IpAddr, subnets: &[IpNet]) -> Result<(usize, IpNet), Problem> {
    let mut positions = subnets.iter().copied().enumerate();
    positions
        .find(|(_, net)| net.contains(&address))
        .ok_or_else(|| Problem::OutsideSubnets {
            address,
            subnets: list(subnets),
        })
}

/// Subnets for messages.
pub(super) fn list(subnets: &[IpNet]) -> String {
    let texts: Vec<String> = subnets.iter().map(ToString::to_string).collect();
    names(texts.iter().map(String::as_str))
}

/// Refuses the two addresses of a subnet that no host can have; IPv6 has only the first.
pub(super) fn check_host(address: IpAddr, net: IpNet) -> Result<(), Problem> {
    let Some(what) = not_a_host(address, net) else {
        return Ok(());
    };
    Err(Problem::NotAHost { address, what, net })
}

fn mtu(mtu: u64, subnets: &[IpNet], overhead: u32) -> Result<u32, Problem> {
    let (family, least) = least_mtu(subnets);
    if mtu < u64::from(least) {
        return Err(Problem::MtuTooSmall { mtu, family, least });
    }
    let most = u32::from(u16::MAX) - overhead;
    match u32::try_from(mtu) {
        Ok(fits) if fits <= most => Ok(fits),
        Ok(_) | Err(_) => Err(Problem::MtuTooBig {
            mtu,
            overhead,
            most,
        }),
    }
}
