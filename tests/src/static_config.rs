//! The agent's configuration for a cluster described in a file, the same for every host but for its name.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::Machine;

/// Who makes the outer headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Encap {
    /// The BPF program.
    Native,
    /// The kernel's collect-metadata vxlan device.
    Device,
    /// Whatever the agent finds best.
    Auto,
}

/// How the agent attaches its programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Attach {
    /// TCX links (Linux 6.6).
    Tcx,
    /// Filters of a clsact queueing discipline.
    Clsact,
}

/// Sizes of the agent's maps, in entries.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(missing_docs, reason = "the names of the configuration's keys say it")]
pub struct Limits {
    pub endpoints: u32,
    pub routes: u32,
    pub blocks: u32,
    pub peers: u32,
    pub networks: u32,
    pub flows: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            endpoints: 16384,
            routes: 65536,
            blocks: 16384,
            peers: 4096,
            networks: 4096,
            flows: 262_144,
        }
    }
}

/// A network of the cluster.
#[derive(Clone, Debug, Serialize)]
pub struct Network {
    name: String,
    vni: u32,
    subnets: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gateway: Vec<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mtu: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    internal: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    encrypted: bool,
}

impl Network {
    /// A network with default gateway and MTU.
    pub fn new(name: &str, vni: u32, subnets: &[&str]) -> Self {
        let subnets = subnets.iter().map(|&subnet| subnet.to_owned()).collect();
        Self {
            name: name.to_owned(),
            vni,
            subnets,
            gateway: Vec::new(),
            mtu: None,
            internal: false,
            encrypted: false,
        }
    }

    /// Keeps everything inside.
    #[must_use]
    pub fn internal(self) -> Self {
        Self {
            internal: true,
            ..self
        }
    }

    /// Has its packets encrypted on the underlay, with keys that a test gives: see [`StaticConfig::external_keys`].
    #[must_use]
    pub fn encrypted(self) -> Self {
        Self {
            encrypted: true,
            ..self
        }
    }

    /// Sets the inner MTU, in bytes.
    #[must_use]
    pub fn mtu(self, mtu: u32) -> Self {
        Self {
            mtu: Some(mtu),
            ..self
        }
    }

    /// Sets the gateway addresses, one for each subnet.
    #[must_use]
    pub fn gateway(self, gateway: &[IpAddr]) -> Self {
        Self {
            gateway: gateway.to_vec(),
            ..self
        }
    }
}

/// One address that a node has outside its blocks.
#[derive(Clone, Debug, Serialize)]
pub struct ExactEndpoint {
    /// Name of the network.
    pub network: String,
    /// The address.
    pub address: IpAddr,
    /// Its MAC, where that is not the one derived from the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
}

/// A node of the cluster.
#[derive(Clone, Debug, Serialize)]
pub struct Node {
    name: String,
    address: IpAddr,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    blocks: BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    endpoints: Vec<ExactEndpoint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoints_from: Option<PathBuf>,
}

impl Node {
    /// A node reached at `address` that has no addresses to give yet.
    pub fn new(name: &str, address: IpAddr) -> Self {
        Self {
            name: name.to_owned(),
            address,
            blocks: BTreeMap::new(),
            endpoints: Vec::new(),
            endpoints_from: None,
        }
    }

    /// The node that runs on `machine`.
    pub fn on(machine: &Machine) -> Self {
        Self::new(&machine.name, machine.address())
    }

    /// Lets it give the addresses of `blocks` to its endpoints on `network`.
    #[must_use]
    pub fn blocks(mut self, network: &str, blocks: &[&str]) -> Self {
        let blocks = blocks.iter().map(|&block| block.to_owned());
        self.blocks
            .entry(network.to_owned())
            .or_default()
            .extend(blocks);
        self
    }

    /// Adds one address that it has, which wins over any block.
    #[must_use]
    pub fn endpoint(mut self, network: &str, address: IpAddr, mac: Option<&str>) -> Self {
        let network = network.to_owned();
        self.endpoints.push(ExactEndpoint {
            network,
            address,
            mac: mac.map(str::to_owned),
        });
        self
    }

    /// Reads more such addresses from a file of lines `NETWORK ADDRESS [MAC]`.
    #[must_use]
    pub fn endpoints_from(self, file: &Path) -> Self {
        Self {
            endpoints_from: Some(file.to_owned()),
            ..self
        }
    }
}

/// The whole file.
#[derive(Clone, Debug, Serialize)]
pub struct StaticConfig {
    node: String,
    datapath: Datapath,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_interval: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<Events>,
    #[serde(skip_serializing_if = "Option::is_none")]
    services: Option<Services>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outside: Option<Outside>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption: Option<Encryption>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dns: Option<Dns>,
    cluster: Cluster,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Datapath {
    encap: Encap,
    #[serde(skip_serializing_if = "Option::is_none")]
    attach: Option<Attach>,
    port: u16,
    limits: Limits,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Events {
    sample: u32,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Outside {
    enabled: bool,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Encryption {
    keys: &'static str,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Dns {
    enabled: bool,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Services {
    #[serde(skip_serializing_if = "Option::is_none")]
    socket_lb: Option<bool>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    timeouts: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize)]
struct Cluster {
    mode: &'static str,
    nodes: Vec<Node>,
    networks: Vec<Network>,
}

impl StaticConfig {
    /// A cluster of `nodes` with `networks`, port 4789, automatic encapsulation and default limits.
    pub fn new(nodes: Vec<Node>, networks: Vec<Network>) -> Self {
        Self {
            node: String::new(),
            datapath: Datapath {
                encap: Encap::Auto,
                attach: None,
                port: 4789,
                limits: Limits::default(),
            },
            audit_interval: None,
            events: None,
            services: None,
            outside: None,
            encryption: None,
            dns: None,
            cluster: Cluster {
                mode: "static",
                nodes,
                networks,
            },
        }
    }

    /// Has these networks.
    #[must_use]
    pub fn networks(mut self, networks: Vec<Network>) -> Self {
        self.cluster.networks = networks;
        self
    }

    /// Chooses who makes the outer headers.
    #[must_use]
    pub fn encap(mut self, encap: Encap) -> Self {
        self.datapath.encap = encap;
        self
    }

    /// Chooses how programs are attached; left to the agent otherwise.
    #[must_use]
    pub fn attach(mut self, attach: Attach) -> Self {
        self.datapath.attach = Some(attach);
        self
    }

    /// Chooses the VXLAN UDP port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.datapath.port = port;
        self
    }

    /// Sizes the maps.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.datapath.limits = limits;
        self
    }

    /// Sets how often the agent compares kernel and wish, written like `1s`.
    #[must_use]
    pub fn audit_interval(self, interval: &str) -> Self {
        Self {
            audit_interval: Some(interval.to_owned()),
            ..self
        }
    }

    /// Sets how long silent flows of some protocols are kept, written like `1s`.
    #[must_use]
    pub fn timeouts(self, timeouts: &[(&str, &str)]) -> Self {
        let timeouts = timeouts
            .iter()
            .map(|(protocol, time)| ((*protocol).to_owned(), (*time).to_owned()));
        let timeouts = timeouts.collect();
        Self {
            services: Some(Services {
                timeouts,
                ..self.services.unwrap_or_default()
            }),
            ..self
        }
    }

    /// Gives containers no way out.
    #[must_use]
    pub fn without_outside(self) -> Self {
        Self {
            outside: Some(Outside { enabled: false }),
            ..self
        }
    }

    /// Leaves the kernel's states and policies for encrypted networks to the test.
    #[must_use]
    pub fn external_keys(self) -> Self {
        Self {
            encryption: Some(Encryption { keys: "external" }),
            ..self
        }
    }

    /// Answers no questions for names.
    #[must_use]
    pub fn without_dns(self) -> Self {
        Self {
            dns: Some(Dns { enabled: false }),
            ..self
        }
    }

    /// Makes one of `sample` drops of a reason an event.
    #[must_use]
    pub fn event_sample(self, sample: u32) -> Self {
        Self {
            events: Some(Events { sample }),
            ..self
        }
    }

    /// Switches balancing by sockets on or off.
    #[must_use]
    pub fn socket_lb(self, socket_lb: bool) -> Self {
        Self {
            services: Some(Services {
                socket_lb: Some(socket_lb),
                ..self.services.unwrap_or_default()
            }),
            ..self
        }
    }

    /// The YAML text for the node `name`.
    pub fn yaml_for(&self, name: &str) -> Result<String> {
        let own = Self {
            node: name.to_owned(),
            ..self.clone()
        };
        serde_yaml::to_string(&own)
            .with_context(|| format!("writing the configuration of node {name}"))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn yaml_has_the_keys_of_the_agent_and_leaves_out_the_unset() {
        let node = Node::new("a", Ipv4Addr::new(192, 0, 2, 1).into())
            .blocks("blue", &["10.1.0.0/26", "fd00:1::/120"]);
        let config = StaticConfig::new(
            vec![node],
            vec![Network::new("blue", 4096, &["10.1.0.0/24"])],
        );

        let yaml = config
            .encap(Encap::Native)
            .yaml_for("a")
            .expect("serializable");

        let expected = "\
node: a
datapath:
  encap: native
  port: 4789
  limits:
    endpoints: 16384
    routes: 65536
    blocks: 16384
    peers: 4096
    networks: 4096
    flows: 262144
cluster:
  mode: static
  nodes:
  - name: a
    address: 192.0.2.1
    blocks:
      blue:
      - 10.1.0.0/26
      - fd00:1::/120
  networks:
  - name: blue
    vni: 4096
    subnets:
    - 10.1.0.0/24
";
        assert_eq!(yaml, expected);
    }
}
