//! Networks.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A VXLAN network identifier, 1 to 16 777 215 (RFC 7348: 24 bits).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Vni(u32);

/// The number does not fit the 24 bits of a VNI, or is 0.
#[derive(Debug, thiserror::Error)]
#[error("{number} is no VNI; choose one from 1 to 16777215")]
pub struct VniError {
    /// What was given.
    pub number: u32,
}

impl Vni {
    /// The first of all.
    pub const LEAST: Self = Self(1);
}

impl TryFrom<u32> for Vni {
    type Error = VniError;

    fn try_from(number: u32) -> Result<Self, VniError> {
        if (1..1 << 24).contains(&number) {
            Ok(Self(number))
        } else {
            Err(VniError { number })
        }
    }
}

impl From<Vni> for u32 {
    fn from(vni: Vni) -> Self {
        vni.0
    }
}

impl fmt::Display for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A network: one layer-2 segment over all nodes.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Its name, unique in the cluster.
    pub name: String,
    /// What separates its packets from other networks'.
    pub vni: Vni,
    /// Its subnets, of either family; none overlaps another of the same network.
    pub subnets: Vec<IpNet>,
    /// One gateway for each subnet, in the same order; reserved, answered by the data plane.
    pub gateways: Vec<IpAddr>,
    /// Largest layer-3 packet inside the network, bytes; `None`: what the underlay leaves.
    pub mtu: Option<u32>,
}

impl Network {
    /// The subnet that holds `address`.
    pub fn subnet_of(&self, address: IpAddr) -> Option<IpNet> {
        self.subnets
            .iter()
            .copied()
            .find(|subnet| subnet.contains(&address))
    }
}
