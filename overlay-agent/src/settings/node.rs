//! Nodes: names, underlay addresses and address blocks.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;

use super::{
    name,
    network::{list, parse_net},
    problem::{Problem, Refusal, names},
    typed,
};
use crate::model::{Network, Vni};

/// Addresses of all nodes, in the order of the file.
pub(super) struct Addresses {
    pub(super) addresses: Vec<IpAddr>,
    /// Bytes of outer headers: Ethernet, VXLAN, UDP, and IP of the nodes' family.
    pub(super) overhead: u32,
}

/// Checks names and underlay addresses.
pub(super) fn addresses(nodes: &[typed::Node]) -> Result<Addresses, Refusal> {
    name::check_all("cluster.nodes", nodes.iter().map(|node| node.name.as_str()))?;
    let mut owner: BTreeMap<IpAddr, &str> = BTreeMap::new();
    let mut addresses: Vec<IpAddr> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let key = || format!("cluster.nodes[{}].address", node.name);
        let address = underlay(&node.address).map_err(|problem| problem.at_key(key()))?;
        if let Some(other) = owner.insert(address, &node.name) {
            let other = other.to_owned();
            return Err(Problem::AddressTwice { address, other }.at_key(key()));
        }
        if let Some(first) = addresses
            .first()
            .filter(|a| a.is_ipv4() != address.is_ipv4())
        {
            return Err(Problem::MixedFamilies {
                address,
                family: family(address),
                other: nodes[0].name.clone(),
                other_address: *first,
            }
            .at_key(key()));
        }
        addresses.push(address);
    }
    let overhead = match addresses.first() {
        Some(IpAddr::V6(_)) => 70,
        Some(IpAddr::V4(_)) | None => 50,
    };
    Ok(Addresses {
        addresses,
        overhead,
    })
}

fn family(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "IPv4",
        IpAddr::V6(_) => "IPv6",
    }
}

/// An address at which other hosts can reach this one.
pub(super) fn underlay(text: &str) -> Result<IpAddr, Problem> {
    let address: IpAddr = text.parse().map_err(|_unparsable| Problem::NotAnAddress {
        text: text.to_owned(),
        example: "192.0.2.1 or \"2001:db8::1\"",
    })?;
    let is_link_local = match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    let what = if address.is_unspecified() {
        "no host's address"
    } else if address.is_loopback() {
        "a loopback address"
    } else if address.is_multicast() || address == IpAddr::from([255, 255, 255, 255]) {
        "an address of many hosts"
    } else if is_link_local {
        "a link-local address, ambiguous without its interface"
    } else if address.to_canonical() != address {
        "an IPv4 address written as IPv6"
    } else {
        return Ok(address);
    };
    Err(Problem::NotForUnderlay { address, what })
}

/// Checks every node's blocks; one map for each node, in the order of the file.
pub(super) fn blocks(
    nodes: &[typed::Node],
    networks: &BTreeMap<&str, &Network>,
) -> Result<Vec<BTreeMap<Vni, Vec<IpNet>>>, Refusal> {
    let mut all: Vec<(Vni, IpNet, usize)> = Vec::new();
    let mut checked = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        let mut of_node: BTreeMap<Vni, Vec<IpNet>> = BTreeMap::new();
        for (network_name, texts) in &node.blocks.0 {
            let key = || block_key(node, network_name);
            let network = find(network_name, networks).map_err(|problem| problem.at_key(key()))?;
            if of_node.contains_key(&network.vni) {
                let name = network_name.clone();
                return Err(Problem::NameTwice { name }.at_key(key()));
            }
            let parsed: Result<Vec<IpNet>, Problem> =
                texts.iter().map(|text| block(text, network)).collect();
            let nets = parsed.map_err(|problem| problem.at_key(key()))?;
            all.extend(nets.iter().map(|net| (network.vni, *net, index)));
            of_node.insert(network.vni, nets);
        }
        checked.push(of_node);
    }
    refuse_overlap(all, nodes, networks)?;
    Ok(checked)
}

fn block_key(node: &typed::Node, network: &str) -> String {
    format!("cluster.nodes[{}].blocks.{network}", node.name)
}

/// The network of a name.
pub(super) fn find<'a>(
    name: &str,
    networks: &BTreeMap<&str, &'a Network>,
) -> Result<&'a Network, Problem> {
    let found = networks.get(name).copied();
    found.ok_or_else(|| Problem::NoNetwork {
        name: name.to_owned(),
        known: names(networks.keys().copied()),
    })
}

fn block(text: &str, network: &Network) -> Result<IpNet, Problem> {
    let net = parse_net(text)?;
    if network.subnets.iter().any(|subnet| subnet.contains(&net)) {
        Ok(net)
    } else {
        Err(Problem::BlockOutside {
            net,
            subnets: list(&network.subnets),
        })
    }
}

/// Sorted, a block that holds another holds the very next one too.
fn refuse_overlap(
    mut all: Vec<(Vni, IpNet, usize)>,
    nodes: &[typed::Node],
    networks: &BTreeMap<&str, &Network>,
) -> Result<(), Refusal> {
    all.sort_unstable();
    for two in all.windows(2) {
        let [(vni, outer, first), (inner_vni, inner, second)] = [two[0], two[1]];
        if vni != inner_vni || !outer.contains(&inner) {
            continue;
        }
        // Blame the one further down in the file.
        let (net, at, other, owner) = if first > second {
            (outer, first, inner, second)
        } else {
            (inner, second, outer, first)
        };
        let network = networks.values().find(|network| network.vni == vni);
        let network = network.map_or_else(String::new, |network| network.name.clone());
        return Err(Problem::BlocksOverlap {
            net,
            other,
            node: nodes[owner].name.clone(),
        }
        .at_key(block_key(&nodes[at], &network)));
    }
    Ok(())
}
