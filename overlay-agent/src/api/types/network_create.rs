//! New networks, and endpoints that get one more.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::model::{MacAddress, NetworkId};

/// The wish for a network. Whether it makes sense is for the managers to say.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of the command line"
)]
pub struct NetworkCreate {
    /// Its name.
    pub name: String,
    /// Its subnets; a family that is wanted and has none gets one from the cluster's pools.
    #[serde(default)]
    pub subnets: Vec<IpNet>,
    /// Parts of them from which endpoints without a wish get their addresses; none: all of it.
    #[serde(default)]
    pub ranges: Vec<IpNet>,
    /// Gateways of them; none: the first address.
    #[serde(default)]
    pub gateways: Vec<IpAddr>,
    /// Addresses that are never given away, by name.
    #[serde(default)]
    pub reserved: BTreeMap<String, IpAddr>,
    /// Whether it has IPv4.
    #[serde(default = "yes")]
    pub ipv4: bool,
    /// Whether it has IPv6.
    #[serde(default)]
    pub ipv6: bool,
    /// Whether containers that are no tasks may join it.
    #[serde(default)]
    pub attachable: bool,
    /// Whether nodes send each other by it what came to published ports.
    #[serde(default)]
    pub ingress: bool,
    /// Whether it has no way out.
    #[serde(default)]
    pub internal: bool,
    /// Labels by name.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Driver options by name, as typed.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

impl NetworkCreate {
    /// A network of this name, with IPv4 and otherwise nothing special.
    pub fn new(name: String) -> Self {
        Self {
            name,
            subnets: Vec::new(),
            ranges: Vec::new(),
            gateways: Vec::new(),
            reserved: BTreeMap::new(),
            ipv4: true,
            ipv6: false,
            attachable: false,
            ingress: false,
            internal: false,
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
        }
    }
}

/// A network that was made.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NetworkCreated {
    /// Its identifier.
    pub id: NetworkId,
    /// What is odd about it, though it was made.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The wish to put an endpoint of this node into one more network.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConnect {
    /// The endpoint's name, its identifier or a unique beginning of that.
    pub endpoint: String,
    /// Addresses that it must get there, at most one of a family.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// Ethernet address there, unless it follows from the IP address.
    #[serde(default)]
    pub mac: Option<MacAddress>,
}
