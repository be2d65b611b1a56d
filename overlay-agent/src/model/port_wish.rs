//! Ports to be published, as they are asked for.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::{Protocol, PublishMode, PublishedPort};

/// A port to be published, before the open ends are chosen.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortWish {
    /// The protocol.
    #[serde(default)]
    pub protocol: Protocol,
    /// The port of the nodes, never 0; `None`: one that is free.
    #[serde(default)]
    pub published: Option<u16>,
    /// The port of the tasks, never 0.
    pub target: u16,
    /// Which nodes answer.
    #[serde(default)]
    pub mode: PublishMode,
    /// The only address of a node at which it answers; `None`: all of them.
    #[serde(default)]
    pub address: Option<IpAddr>,
}

impl PortWish {
    /// The port that is published, with `published` where the wish leaves it open.
    pub fn at(self, published: u16) -> PublishedPort {
        PublishedPort {
            protocol: self.protocol,
            published: self.published.unwrap_or(published),
            target: self.target,
            mode: self.mode,
            address: self.address,
        }
    }
}

/// `192.0.2.1:8080->80/tcp`, and `*:8080->80/tcp` for all addresses.
impl fmt::Display for PublishedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(IpAddr::V4(address)) => write!(f, "{address}")?,
            Some(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            None => f.write_str("*")?,
        }
        write!(f, ":{}->{}/{}", self.published, self.target, self.protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_says_where_it_leads() {
        let wish = PortWish {
            protocol: Protocol::Udp,
            published: None,
            target: 53,
            mode: PublishMode::Host,
            address: None,
        };
        let at = |address: &str| PortWish {
            address: Some(address.parse().unwrap()),
            published: Some(5353),
            ..wish
        };

        assert_eq!(wish.at(32768).to_string(), "*:32768->53/udp");
        assert_eq!(at("192.0.2.1").at(1).to_string(), "192.0.2.1:5353->53/udp");
        assert_eq!(
            at("2001:db8::1").at(1).to_string(),
            "[2001:db8::1]:5353->53/udp"
        );
    }
}
