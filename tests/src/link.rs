//! What the kernel says about an interface in a namespace.

use std::net::IpAddr;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::namespace::Namespace;

/// One interface, as `ip -json address show` reports it.
#[derive(Clone, Debug, Deserialize)]
pub struct Link {
    /// Its name.
    #[serde(rename = "ifname")]
    pub name: String,
    /// Its index.
    #[serde(rename = "ifindex")]
    pub index: u32,
    /// In bytes.
    pub mtu: u32,
    /// Its MAC, lower case with colons.
    #[serde(rename = "address", default)]
    pub mac: String,
    operstate: String,
    #[serde(default, rename = "addr_info")]
    addresses: Vec<LinkAddress>,
}

#[derive(Clone, Debug, Deserialize)]
struct LinkAddress {
    local: Option<IpAddr>,
    scope: String,
}

impl Link {
    /// Whether the kernel has noticed that packets can pass.
    pub fn is_up(&self) -> bool {
        self.operstate == "UP"
    }

    /// Its addresses of global scope, in the kernel's order.
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.addresses
            .iter()
            .filter(|address| address.scope == "global")
            .filter_map(|address| address.local)
            .collect()
    }
}

/// All interfaces of `namespace`, loopback included, by rising index.
pub fn list(namespace: &Namespace) -> Result<Vec<Link>> {
    let json = namespace.exec("ip", &["-json", "address", "show"])?;
    serde_json::from_str(&json)
        .with_context(|| format!("reading the interfaces of {}", namespace.name()))
}

/// The interface `name` of `namespace`.
pub fn find(namespace: &Namespace, name: &str) -> Result<Link> {
    let links = list(namespace)?;
    links
        .into_iter()
        .find(|link| link.name == name)
        .with_context(|| format!("{} has no interface {name}", namespace.name()))
}

/// Packets that the interface `name` of `namespace` has received.
pub fn received(namespace: &Namespace, name: &str) -> Result<u64> {
    let json = namespace.exec("ip", &["-json", "-statistics", "link", "show", name])?;
    let [row]: [Statistics; 1] = serde_json::from_str(&json)
        .with_context(|| format!("reading the counters of {name} in {}", namespace.name()))?;
    Ok(row.stats64.rx.packets)
}

#[derive(Deserialize)]
struct Statistics {
    stats64: BothWays,
}

#[derive(Deserialize)]
struct BothWays {
    rx: OneWay,
}

#[derive(Deserialize)]
struct OneWay {
    packets: u64,
}
