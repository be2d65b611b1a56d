//! What a host brings along into a swarm. Options of `overlay swarm init` and `join` win over it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{
    datapath::port_at,
    name,
    node::underlay,
    problem::{Problem, Refusal},
    typed,
};

const CONTROL_PORT: u64 = 2377;
const GOSSIP_PORT: u64 = 7946;

/// Where a host takes part in a swarm, as far as its configuration says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SwarmSettings {
    /// Where it listens as a manager; the port is that of `control_port` unless it is given here.
    pub listen: SocketAddr,
    /// Where the others reach it; chosen from the host's addresses if there is none.
    pub advertise: Option<IpAddr>,
    /// Outer source of its packets; `advertise` if there is none.
    pub data_path: Option<IpAddr>,
    /// UDP and TCP port of the gossip.
    pub gossip_port: u16,
    /// TCP port of the managers.
    pub control_port: u16,
}

/// Checks the keys of swarm mode, and refuses those of static mode.
pub(super) fn check(cluster: &typed::Cluster, node: &str) -> Result<SwarmSettings, Refusal> {
    name::check_name(node).map_err(|problem| problem.at_key("node"))?;
    let others = [
        ("nodes", cluster.nodes.is_some()),
        ("networks", cluster.networks.is_some()),
    ];
    refuse(&others, "static")?;
    let control_port = cluster.control_port.unwrap_or(CONTROL_PORT);
    let control_port = port_at("cluster.control_port", control_port)?;
    let gossip_port = cluster.gossip_port.unwrap_or(GOSSIP_PORT);
    let gossip_port = port_at("cluster.gossip_port", gossip_port)?;
    Ok(SwarmSettings {
        listen: listen(cluster.listen.as_deref(), control_port)?,
        advertise: address("cluster.advertise", cluster.advertise.as_deref())?,
        data_path: address("cluster.data_path", cluster.data_path.as_deref())?,
        gossip_port,
        control_port,
    })
}

/// Refuses the keys of swarm mode where the mode is static.
pub(super) fn refuse_keys(cluster: &typed::Cluster) -> Result<(), Refusal> {
    let keys = [
        ("listen", cluster.listen.is_some()),
        ("advertise", cluster.advertise.is_some()),
        ("data_path", cluster.data_path.is_some()),
        ("gossip_port", cluster.gossip_port.is_some()),
        ("control_port", cluster.control_port.is_some()),
    ];
    refuse(&keys, "swarm")
}

fn refuse(keys: &[(&str, bool)], mode: &'static str) -> Result<(), Refusal> {
    match keys.iter().find(|(_, is_given)| *is_given) {
        Some((key, _)) => Err(Problem::OtherMode { mode }.at_key(format!("cluster.{key}"))),
        None => Ok(()),
    }
}

fn listen(text: Option<&str>, port: u16) -> Result<SocketAddr, Refusal> {
    let Some(text) = text else {
        return Ok(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port));
    };
    let address = text.parse().map(|address| SocketAddr::new(address, port));
    address
        .or_else(|_no_address| text.parse())
        .map_err(|_no_socket| {
            Problem::NotASocketAddress {
                text: text.to_owned(),
                example: "192.0.2.1 or \"[2001:db8::1]:2377\"",
            }
            .at_key("cluster.listen")
        })
}

fn address(key: &str, text: Option<&str>) -> Result<Option<IpAddr>, Refusal> {
    let address = text.map(underlay).transpose();
    address.map_err(|problem| problem.at_key(key))
}
