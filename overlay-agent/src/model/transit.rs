//! Transit addresses: which address of a pool stands for which position.
//!
//! A position is kept with an attachment and is the same in the pools of both families, so that one number
//! names an endpoint whichever family a packet has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// The pools of transit addresses, at most one of each family.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TransitPools {
    /// For IPv4.
    pub ipv4: Option<IpNet>,
    /// For IPv6.
    pub ipv6: Option<IpNet>,
}

impl TransitPools {
    /// Those that there are, IPv4 first.
    pub fn iter(self) -> impl Iterator<Item = IpNet> {
        self.ipv4.into_iter().chain(self.ipv6)
    }

    /// The last position that every pool has an address for; 0 without pools.
    pub fn last(self) -> u32 {
        self.iter().map(last_transit_position).min().unwrap_or(0)
    }

    /// What stands outside for `address` of an endpoint at a position.
    pub fn stand_in(self, address: IpAddr, position: Option<u32>) -> Option<IpAddr> {
        let pool = match address {
            IpAddr::V4(_) => self.ipv4,
            IpAddr::V6(_) => self.ipv6,
        };
        transit_address(pool?, position?)
    }
}

/// The address at a position of a pool, counted from the pool's own address, which is position 0 and nobody's.
/// `None` behind the pool's end; an IPv4 pool's broadcast address is behind it.
pub fn transit_address(pool: IpNet, position: u32) -> Option<IpAddr> {
    if position == 0 || position > last_transit_position(pool) {
        return None;
    }
    Some(match pool {
        IpNet::V4(pool) => Ipv4Addr::from_bits(pool.network().to_bits() + position).into(),
        IpNet::V6(pool) => {
            Ipv6Addr::from_bits(pool.network().to_bits() + u128::from(position)).into()
        }
    })
}

/// The position of an address in a pool; `None` if it is none of those that [`transit_address`] gives.
pub fn transit_position(pool: IpNet, address: IpAddr) -> Option<u32> {
    let distance = match (pool, address) {
        (IpNet::V4(pool), IpAddr::V4(address)) => {
            u128::from(address.to_bits()).checked_sub(pool.network().to_bits().into())
        }
        (IpNet::V6(pool), IpAddr::V6(address)) => {
            address.to_bits().checked_sub(pool.network().to_bits())
        }
        (IpNet::V4(_), IpAddr::V6(_)) | (IpNet::V6(_), IpAddr::V4(_)) => None,
    };
    let position = u32::try_from(distance?).ok()?;
    (1..=last_transit_position(pool))
        .contains(&position)
        .then_some(position)
}

/// The last position that a pool has an address for; 0 if it is too small for any.
pub fn last_transit_position(pool: IpNet) -> u32 {
    let host_bits = u32::from(pool.max_prefix_len() - pool.prefix_len());
    let addresses = 1_u128.checked_shl(host_bits).unwrap_or(u128::MAX);
    let unusable = match pool {
        // The pool's own address and the broadcast address.
        IpNet::V4(_) => 2,
        IpNet::V6(_) => 1,
    };
    u32::try_from(addresses.saturating_sub(unusable)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn one_position_has_an_address_in_each_family() {
        let address = |pool, position| transit_address(net(pool), position).unwrap().to_string();

        assert_eq!(address("100.127.0.0/16", 1), "100.127.0.1");
        assert_eq!(address("100.127.0.0/16", 258), "100.127.1.2");
        assert_eq!(address("fd6f:7665:726c::/64", 1), "fd6f:7665:726c::1");
        assert_eq!(
            address("fd6f:7665:726c::/64", 65_537),
            "fd6f:7665:726c::1:1"
        );
    }

    #[test]
    fn a_pool_ends() {
        for (pool, last) in [
            ("100.127.0.0/16", 65_534),
            ("192.0.2.0/30", 2),
            ("192.0.2.0/31", 0),
            ("192.0.2.0/32", 0),
            ("0.0.0.0/0", u32::MAX - 1),
            ("2001:db8::/126", 3),
            ("2001:db8::/128", 0),
            ("2001:db8::/64", u32::MAX),
            ("::/0", u32::MAX),
        ] {
            let pool = net(pool);

            assert_eq!(last_transit_position(pool), last, "{pool}");
            assert_eq!(transit_address(pool, 0), None, "{pool}");
            assert_eq!(transit_address(pool, last).is_some(), last > 0, "{pool}");
            if let Some(behind) = last.checked_add(1) {
                assert_eq!(transit_address(pool, behind), None, "{pool}");
            }
        }
    }

    #[test]
    fn an_address_leads_back_to_its_position() {
        for pool in [
            "100.127.0.0/16",
            "192.0.2.0/30",
            "fd6f:7665:726c::/64",
            "2001:db8::/126",
        ] {
            let pool = net(pool);
            let last = last_transit_position(pool);
            for position in [1, 2, last / 2 + 1, last] {
                let address = transit_address(pool, position).unwrap();

                assert_eq!(transit_position(pool, address), Some(position), "{address}");
            }
        }
    }

    #[test]
    fn an_address_elsewhere_has_no_position() {
        let v4 = net("100.127.0.0/16");
        let v6 = net("fd6f:7665:726c::/64");
        for address in [
            "100.126.255.255",
            "100.127.0.0",
            "100.127.255.255",
            "100.128.0.1",
            "::1",
        ] {
            assert_eq!(
                transit_position(v4, address.parse().unwrap()),
                None,
                "{address}"
            );
        }
        for address in [
            "fd6f:7665:726c::",
            "fd6f:7665:726c:0:1::",
            "fd6f:7665:726d::1",
            "100.127.0.1",
        ] {
            assert_eq!(
                transit_position(v6, address.parse().unwrap()),
                None,
                "{address}"
            );
        }
    }
}
