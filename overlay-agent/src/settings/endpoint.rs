//! Exact endpoints: entries of the configuration and lines of files beside it.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
};

use super::{
    network::{check_host, locate},
    node::find,
    problem::{Place, Problem, Refusal},
    typed,
};
use crate::model::{MacAddress, Network, RemoteEndpoint, Vni};

/// A file of endpoints, read.
pub(super) struct EndpointFile {
    /// Position of its node in the configuration.
    pub(super) node: usize,
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// An endpoint and where it stands.
struct Found {
    endpoint: RemoteEndpoint,
    node: usize,
    at: At,
}

#[derive(Clone, Copy, Eq, PartialEq, Ord, PartialOrd)]
enum At {
    /// Position in the node's list.
    Entry(usize),
    /// Line of the node's file.
    Line(usize),
}

/// Checks all endpoints; one list for each node, in the order of the file.
pub(super) fn check_all(
    nodes: &[typed::Node],
    files: &[EndpointFile],
    networks: &BTreeMap<&str, &Network>,
) -> Result<Vec<Vec<RemoteEndpoint>>, Refusal> {
    let mut all = Vec::new();
    for (node, typed) in nodes.iter().enumerate() {
        for (index, entry) in typed.endpoints.iter().enumerate() {
            let text = (entry.network.as_str(), entry.address.as_str());
            let endpoint = endpoint(text, entry.mac.as_deref(), networks);
            let endpoint = endpoint.map_err(|problem| problem.at_key(entry_key(typed, index)))?;
            let at = At::Entry(index);
            all.push(Found { endpoint, node, at });
        }
    }
    for file in files {
        read_lines(file, networks, &mut all)?;
    }
    refuse_twice(&mut all, nodes, files, networks)?;
    let mut by_node: Vec<Vec<RemoteEndpoint>> = vec![Vec::new(); nodes.len()];
    for found in all {
        by_node[found.node].push(found.endpoint);
    }
    Ok(by_node)
}

fn entry_key(node: &typed::Node, index: usize) -> String {
    format!("cluster.nodes[{}].endpoints[{index}]", node.name)
}

fn line_place(path: &Path, line: usize) -> Place {
    let path = path.to_owned();
    Place::Line { path, line }
}

fn read_lines(
    file: &EndpointFile,
    networks: &BTreeMap<&str, &Network>,
    all: &mut Vec<Found>,
) -> Result<(), Refusal> {
    for (index, text) in file.text.lines().enumerate() {
        let content = text.split('#').next().unwrap_or_default();
        let mut words = content.split_ascii_whitespace();
        let Some(network) = words.next() else {
            continue;
        };
        let endpoint = match (words.next(), words.next(), words.next()) {
            (Some(address), mac, None) => endpoint((network, address), mac, networks),
            (None, ..) | (Some(_), _, Some(_)) => Err(Problem::NotAnEndpoint {
                line: content.trim().to_owned(),
            }),
        };
        let line = index + 1;
        let endpoint = endpoint.map_err(|problem| problem.at(line_place(&file.path, line)))?;
        all.push(Found {
            endpoint,
            node: file.node,
            at: At::Line(line),
        });
    }
    Ok(())
}

/// `text` is the network's name and the address.
fn endpoint(
    text: (&str, &str),
    mac: Option<&str>,
    networks: &BTreeMap<&str, &Network>,
) -> Result<RemoteEndpoint, Problem> {
    let network = find(text.0, networks)?;
    let address: IpAddr = text
        .1
        .parse()
        .map_err(|_unparsable| Problem::NotAnAddress {
            text: text.1.to_owned(),
            example: "10.1.0.200 or \"fd00:1::200\"",
        })?;
    let (index, net) = locate(address, &network.subnets)?;
    check_host(address, net)?;
    if network.gateways[index] == address {
        return Err(Problem::AtGateway { address, net });
    }
    let mac = mac.map(parse_mac).transpose()?;
    let vni = network.vni;
    Ok(RemoteEndpoint { vni, address, mac })
}

fn parse_mac(text: &str) -> Result<MacAddress, Problem> {
    let mac: MacAddress = text.parse()?;
    if mac.is_unicast() {
        Ok(mac)
    } else {
        Err(Problem::MacNotUnicast {
            mac: text.to_owned(),
        })
    }
}

/// Leaves the endpoints sorted by network and address.
fn refuse_twice(
    all: &mut [Found],
    nodes: &[typed::Node],
    files: &[EndpointFile],
    networks: &BTreeMap<&str, &Network>,
) -> Result<(), Refusal> {
    all.sort_unstable_by_key(|found| {
        let RemoteEndpoint { vni, address, .. } = found.endpoint;
        (vni, address, found.node, found.at)
    });
    for two in all.windows(2) {
        let [first, second] = [&two[0], &two[1]];
        let RemoteEndpoint { vni, address, .. } = second.endpoint;
        if (first.endpoint.vni, first.endpoint.address) != (vni, address) {
            continue;
        }
        let problem = Problem::EndpointTwice {
            address,
            network: network_name(vni, networks),
            other: match place(first, nodes, files) {
                Place::Key(key) => key,
                Place::Line { path, line } => format!("{}, line {line}", path.display()),
            },
        };
        return Err(problem.at(place(second, nodes, files)));
    }
    Ok(())
}

fn network_name(vni: Vni, networks: &BTreeMap<&str, &Network>) -> String {
    let network = networks.values().find(|network| network.vni == vni);
    network.map_or_else(|| vni.to_string(), |network| network.name.clone())
}

fn place(found: &Found, nodes: &[typed::Node], files: &[EndpointFile]) -> Place {
    let file = files.iter().find(|file| file.node == found.node);
    match (found.at, file) {
        (At::Line(line), Some(file)) => line_place(&file.path, line),
        (At::Entry(index) | At::Line(index), _) => Place::Key(entry_key(&nodes[found.node], index)),
    }
}
