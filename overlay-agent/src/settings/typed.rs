//! The configuration exactly as it was typed: shapes and spelling of keys, no meaning yet.
//!
//! Values that need explaining when they are wrong stay text or wide numbers here.

use std::{fmt, path::PathBuf};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};

use super::encryption::Keys;
use crate::model::{Attach, Encap};

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) node: Option<String>,
    #[serde(default)]
    pub(super) datapath: Datapath,
    #[serde(default)]
    pub(super) events: Events,
    #[serde(default)]
    pub(super) services: Services,
    pub(super) audit_interval: Option<Scalar>,
    #[serde(default)]
    pub(super) outside: Outside,
    #[serde(default)]
    pub(super) encryption: Encryption,
    #[serde(default)]
    pub(super) dns: Dns,
    #[serde(default)]
    pub(super) cluster: Cluster,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Datapath {
    pub(super) encap: Encap,
    pub(super) attach: Attach,
    pub(super) port: Option<u64>,
    pub(super) limits: Limits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    pub(super) endpoints: Option<u64>,
    pub(super) routes: Option<u64>,
    pub(super) blocks: Option<u64>,
    pub(super) peers: Option<u64>,
    pub(super) networks: Option<u64>,
    pub(super) vips: Option<u64>,
    pub(super) ports: Option<u64>,
    pub(super) backends: Option<u64>,
    pub(super) slots: Option<u64>,
    pub(super) flows: Option<u64>,
    pub(super) new_flows: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Events {
    pub(super) sample: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Outside {
    pub(super) enabled: Option<bool>,
    pub(super) transit_pools: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Encryption {
    pub(super) mark: Option<u64>,
    pub(super) keys: Keys,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Services {
    pub(super) socket_lb: Option<bool>,
    pub(super) packet_lb: Option<bool>,
    pub(super) timeouts: Timeouts,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Dns {
    pub(super) enabled: Option<bool>,
    pub(super) addresses: Option<Vec<String>>,
    pub(super) port: Option<u64>,
    pub(super) ttl: Option<u64>,
    pub(super) upstream: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Timeouts {
    pub(super) tcp: Option<Scalar>,
    pub(super) tcp_closing: Option<Scalar>,
    pub(super) udp: Option<Scalar>,
    pub(super) sctp: Option<Scalar>,
    pub(super) other: Option<Scalar>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cluster {
    pub(super) mode: Mode,
    pub(super) nodes: Option<Vec<Node>>,
    pub(super) networks: Option<Vec<Network>>,
    pub(super) listen: Option<String>,
    pub(super) advertise: Option<String>,
    pub(super) data_path: Option<String>,
    pub(super) gossip_port: Option<u64>,
    pub(super) control_port: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    Static,
    #[default]
    Swarm,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) address: String,
    #[serde(default)]
    pub(super) blocks: Blocks,
    #[serde(default)]
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) endpoints_from: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Endpoint {
    pub(super) network: String,
    pub(super) address: String,
    pub(super) mac: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    pub(super) name: String,
    pub(super) vni: u64,
    pub(super) subnets: Vec<String>,
    #[serde(default)]
    pub(super) gateway: Vec<String>,
    pub(super) mtu: Option<u64>,
    #[serde(default)]
    pub(super) internal: bool,
    #[serde(default)]
    pub(super) encrypted: bool,
}

/// Blocks by network in the order of the file; a map would swallow a network named twice.
#[derive(Debug, Default)]
pub(super) struct Blocks(pub(super) Vec<(String, Vec<String>)>);

impl<'de> Deserialize<'de> for Blocks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Blocks;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from networks to lists of address blocks")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Blocks, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Blocks(pairs))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}

/// One word or number, kept as it was typed.
#[derive(Debug)]
pub(super) struct Scalar(pub(super) String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;

        impl Visitor<'_> for Word {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a single value")
            }

            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(text.to_owned()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }
        }

        deserializer.deserialize_any(Word)
    }
}
