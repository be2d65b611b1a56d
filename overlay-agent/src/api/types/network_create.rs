//! New networks, and endpoints that get one more.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::model::{MacAddress, NetworkId};

/// The option that encrypts a network.
const ENCRYPTED: &str = "encrypted";
/// The option that sets its MTU.
const MTU: &str = "com.docker.network.driver.mtu";
/// Least MTU of IPv4 (RFC 791: every host takes 576 bytes) and the most that an IP packet has.
const MTU_BOUNDS: std::ops::RangeInclusive<u32> = 576..=65_535;

/// The wish for a network.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkCreate {
    /// Its name.
    pub name: String,
    /// Its subnets; none of a family: one from the cluster's pools.
    #[serde(default)]
    pub subnets: Vec<SubnetWish>,
    /// Whether it gets an IPv6 subnet even if none is named.
    #[serde(default)]
    pub ipv6: bool,
    /// Whether containers that are no tasks may join it.
    #[serde(default)]
    pub attachable: bool,
    /// Whether it has no way out.
    #[serde(default)]
    pub internal: bool,
    /// Labels by name.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Driver options by name, as typed; [`NetworkCreate::driver_options`] reads them.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

/// One subnet of a new network.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubnetWish {
    /// The subnet.
    pub subnet: IpNet,
    /// Its part from which endpoints without a wish get their addresses; `None`: all of it.
    #[serde(default)]
    pub range: Option<IpNet>,
    /// Its gateway; `None`: its first address.
    #[serde(default)]
    pub gateway: Option<IpAddr>,
}

/// What the options of a network mean.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DriverOptions {
    /// Whether the underlay carries it encrypted.
    pub encrypted: bool,
    /// Largest layer-3 packet, bytes; `None`: what the underlay leaves.
    pub mtu: Option<u32>,
}

/// An option that means nothing here.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OptionError {
    /// No option is called so.
    #[error("`{name}` is no option of a network; there are {ENCRYPTED} and {MTU}=N")]
    Unknown {
        /// What was given.
        name: String,
    },
    /// A switch with a value that is neither on nor off.
    #[error("`{value}` is neither true nor false; write {ENCRYPTED} alone to encrypt the network")]
    Encrypted {
        /// What was given.
        value: String,
    },
    /// No MTU.
    #[error("`{value}` is no MTU; choose one from {} to {}", MTU_BOUNDS.start(), MTU_BOUNDS.end())]
    Mtu {
        /// What was given.
        value: String,
    },
}

/// Subnets that make no sense together.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SubnetError {
    /// Something is set behind the prefix.
    #[error("{net} has bits set behind its prefix; write {}", net.trunc())]
    HostBits {
        /// What was given.
        net: IpNet,
    },
    /// Two subnets share addresses.
    #[error("{one} and {other} overlap; give subnets that do not")]
    Overlap {
        /// The one.
        one: IpNet,
        /// The other.
        other: IpNet,
    },
    /// A range or gateway without its subnet.
    #[error("{what} {value} is in none of the subnets; give --subnet with the one that holds it")]
    Outside {
        /// What it is.
        what: &'static str,
        /// Which.
        value: String,
    },
    /// Two ranges or gateways for one subnet.
    #[error("{subnet} has more than one {what}; give one")]
    Twice {
        /// The subnet.
        subnet: IpNet,
        /// What it has two of.
        what: &'static str,
    },
}

impl NetworkCreate {
    /// Reads the options.
    ///
    /// # Errors
    /// One is unknown, or its value makes no sense.
    pub fn driver_options(&self) -> Result<DriverOptions, OptionError> {
        let mut read = DriverOptions::default();
        for (name, value) in &self.options {
            match name.as_str() {
                ENCRYPTED => read.encrypted = switch(value)?,
                MTU => read.mtu = Some(mtu(value)?),
                _ => return Err(OptionError::Unknown { name: name.clone() }),
            }
        }
        Ok(read)
    }
}

fn switch(value: &str) -> Result<bool, OptionError> {
    match value {
        "" | "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(OptionError::Encrypted {
            value: value.to_owned(),
        }),
    }
}

fn mtu(value: &str) -> Result<u32, OptionError> {
    let number = value.parse().ok();
    let mtu = number.filter(|mtu| MTU_BOUNDS.contains(mtu));
    mtu.ok_or_else(|| OptionError::Mtu {
        value: value.to_owned(),
    })
}

impl SubnetWish {
    /// Puts ranges and gateways to the subnets that hold them.
    ///
    /// # Errors
    /// Something does not fit together.
    pub fn several(
        subnets: &[IpNet],
        ranges: &[IpNet],
        gateways: &[IpAddr],
    ) -> Result<Vec<Self>, SubnetError> {
        let mut wishes: Vec<Self> = Vec::with_capacity(subnets.len());
        for &subnet in subnets {
            if let Some(other) = wishes.iter().find(|other| overlap(other.subnet, subnet)) {
                let one = other.subnet;
                return Err(SubnetError::Overlap { one, other: subnet });
            }
            wishes.push(Self {
                subnet: whole(subnet)?,
                range: None,
                gateway: None,
            });
        }
        for &range in ranges {
            let range = whole(range)?;
            let holder = wishes.iter_mut().find(|wish| wish.subnet.contains(&range));
            let wish = holder.ok_or_else(|| outside("the range", &range))?;
            put(&mut wish.range, range, wish.subnet, "range")?;
        }
        for &gateway in gateways {
            let holder = wishes
                .iter_mut()
                .find(|wish| wish.subnet.contains(&gateway));
            let wish = holder.ok_or_else(|| outside("the gateway", &gateway))?;
            put(&mut wish.gateway, gateway, wish.subnet, "gateway")?;
        }
        Ok(wishes)
    }
}

fn put<T>(
    place: &mut Option<T>,
    value: T,
    subnet: IpNet,
    what: &'static str,
) -> Result<(), SubnetError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(SubnetError::Twice { subnet, what }),
    }
}

fn outside(what: &'static str, value: &impl ToString) -> SubnetError {
    let value = value.to_string();
    SubnetError::Outside { what, value }
}

fn whole(net: IpNet) -> Result<IpNet, SubnetError> {
    if net == net.trunc() {
        Ok(net)
    } else {
        Err(SubnetError::HostBits { net })
    }
}

fn overlap(one: IpNet, other: IpNet) -> bool {
    one.contains(&other) || other.contains(&one)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &[(&str, &str)]) -> Result<DriverOptions, OptionError> {
        let pairs = options.iter();
        let options = pairs.map(|&(name, value)| (name.to_owned(), value.to_owned()));
        let create = NetworkCreate {
            options: options.collect(),
            ..NetworkCreate::default()
        };
        create.driver_options()
    }

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn several(
        subnets: &[&str],
        ranges: &[&str],
        gateways: &[&str],
    ) -> Result<Vec<SubnetWish>, String> {
        let gateways: Vec<IpAddr> = gateways.iter().map(|text| text.parse().unwrap()).collect();
        let put = SubnetWish::several(&nets(subnets), &nets(ranges), &gateways);
        put.map_err(|error| error.to_string())
    }

    #[test]
    fn options_are_read() {
        let encrypted = |encrypted, mtu| Ok(DriverOptions { encrypted, mtu });

        assert_eq!(read(&[]), encrypted(false, None));
        assert_eq!(read(&[("encrypted", "")]), encrypted(true, None));
        assert_eq!(read(&[("encrypted", "false")]), encrypted(false, None));
        assert_eq!(
            read(&[(MTU, "1400"), ("encrypted", "true")]),
            encrypted(true, Some(1400))
        );
    }

    #[test]
    fn other_options_are_refused() {
        for (name, value, message) in [
            (
                "colour",
                "red",
                "`colour` is no option of a network; there are encrypted and \
                 com.docker.network.driver.mtu=N",
            ),
            (
                "encrypted",
                "maybe",
                "`maybe` is neither true nor false; write encrypted alone to encrypt the network",
            ),
            (MTU, "100", "`100` is no MTU; choose one from 576 to 65535"),
            (MTU, "", "`` is no MTU; choose one from 576 to 65535"),
        ] {
            assert_eq!(read(&[(name, value)]).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn ranges_and_gateways_find_their_subnets() {
        let wishes = several(
            &["10.1.0.0/24", "fd00::/64"],
            &["fd00::1:0/112", "10.1.0.128/25"],
            &["10.1.0.254"],
        );

        let [v4, v6] = wishes.unwrap().try_into().unwrap();
        assert_eq!(v4.range.unwrap().to_string(), "10.1.0.128/25");
        assert_eq!(v4.gateway, Some(IpAddr::from([10, 1, 0, 254])));
        assert_eq!(v6.range.unwrap().to_string(), "fd00::1:0/112");
        assert_eq!(v6.gateway, None);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let none: &[&str] = &[];
        for (subnets, ranges, gateways, message) in [
            (
                &["10.1.0.7/24"][..],
                none,
                none,
                "10.1.0.7/24 has bits set behind its prefix; write 10.1.0.0/24",
            ),
            (
                &["10.1.0.0/24", "10.0.0.0/8"],
                none,
                none,
                "10.1.0.0/24 and 10.0.0.0/8 overlap; give subnets that do not",
            ),
            (
                none,
                &["10.1.0.0/25"],
                none,
                "the range 10.1.0.0/25 is in none of the subnets; give --subnet with the one that \
                 holds it",
            ),
            (
                &["10.1.0.0/24"],
                none,
                &["10.2.0.1"],
                "the gateway 10.2.0.1 is in none of the subnets; give --subnet with the one that \
                 holds it",
            ),
            (
                &["10.1.0.0/24"],
                none,
                &["10.1.0.1", "10.1.0.2"],
                "10.1.0.0/24 has more than one gateway; give one",
            ),
        ] {
            assert_eq!(several(subnets, ranges, gateways), Err(message.to_owned()));
        }
    }
}
