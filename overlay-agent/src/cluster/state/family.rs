//! Addresses as numbers, so that one piece of arithmetic serves both families.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

/// Which of the two kinds of addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub enum Family {
    /// 32 bits.
    Ipv4,
    /// 128 bits.
    Ipv6,
}

impl Family {
    /// The family of a subnet.
    pub fn of(net: IpNet) -> Self {
        match net {
            IpNet::V4(_) => Self::Ipv4,
            IpNet::V6(_) => Self::Ipv6,
        }
    }

    /// The family of an address.
    pub fn of_address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        }
    }

    /// The 2^`exponent` addresses from `start` on, which has as many bits clear.
    pub(super) fn net(self, start: u128, exponent: u8) -> IpNet {
        match self {
            Self::Ipv4 => Ipv4Net::new_assert(
                Ipv4Addr::from_bits(start as u32),
                32_u8.saturating_sub(exponent),
            )
            .into(),
            Self::Ipv6 => {
                Ipv6Net::new_assert(Ipv6Addr::from_bits(start), 128_u8.saturating_sub(exponent))
                    .into()
            }
        }
    }
}

/// An address as a number.
pub(super) fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The binary logarithm of how many addresses a subnet has.
pub(super) fn exponent(net: IpNet) -> u8 {
    net.max_prefix_len().saturating_sub(net.prefix_len())
}

/// How many addresses a subnet has; one less for all of IPv6.
pub(super) fn size(net: IpNet) -> u128 {
    1_u128
        .checked_shl(exponent(net).into())
        .unwrap_or(u128::MAX)
}

/// The subnet of one address.
pub(super) fn single(address: IpAddr) -> IpNet {
    IpNet::from(address)
}

/// Whether a subnet is one address.
pub(super) fn is_single(net: IpNet) -> bool {
    net.prefix_len() == net.max_prefix_len()
}
