//! Default address pools, and which of their subnets are free.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::{
    Family, Refusal,
    family::{bits, size},
};
use crate::model::{
    ClusterId,
    subnet::{longest_prefix, overlap, unfit_for_containers},
};

/// An address range that is cut into subnets of one size.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// The range.
    pub net: IpNet,
    /// Prefix length of each subnet.
    pub mask_length: u8,
}

impl Pool {
    /// 10.0.0.0/8 in /24.
    pub fn default_ipv4() -> Self {
        Self {
            net: Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8).into(),
            mask_length: 24,
        }
    }

    /// A unique local /48 (RFC 4193) whose global part comes from the cluster, in /64.
    pub fn default_ipv6(cluster: ClusterId) -> Self {
        let global = cluster.bits() >> 88;
        let first = (0xfd << 120) | (global << 80);
        Self {
            net: Ipv6Net::new_assert(Ipv6Addr::from_bits(first), 48).into(),
            mask_length: 64,
        }
    }

    fn check(self) -> Result<(), Refusal> {
        let Self { net, mask_length } = self;
        if net != net.trunc() {
            return Err(Refusal::HostBits { net });
        }
        if let Some(what) = unfit_for_containers(net) {
            let what = what.to_owned();
            return Err(Refusal::NotForContainers { net, what });
        }
        if mask_length < net.prefix_len() || mask_length > longest_prefix(net) {
            let longest = longest_prefix(net);
            return Err(Refusal::MaskLength {
                net,
                mask_length,
                longest,
            });
        }
        Ok(())
    }
}

/// Checks the pools of a new cluster, and adds the defaults of families without one.
pub(super) fn complete(mut pools: Vec<Pool>, cluster: ClusterId) -> Result<Vec<Pool>, Refusal> {
    for (position, pool) in pools.iter().enumerate() {
        pool.check()?;
        let before = pools.iter().take(position);
        if let Some(other) = before
            .map(|other| other.net)
            .find(|o| overlap(*o, pool.net))
        {
            return Err(Refusal::PoolsOverlap {
                net: pool.net,
                other,
            });
        }
    }
    for default in [Pool::default_ipv4(), Pool::default_ipv6(cluster)] {
        let family = Family::of(default.net);
        if !pools.iter().any(|pool| Family::of(pool.net) == family) {
            pools.push(default);
        }
    }
    Ok(pools)
}

/// The lowest subnet of the first pool of a family that has one beside everything `used`.
pub(super) fn smallest_free(pools: &[Pool], family: Family, used: &[IpNet]) -> Option<IpNet> {
    let mut used: Vec<(u128, u128)> = used
        .iter()
        .filter(|net| Family::of(**net) == family)
        .map(|net| (bits(net.network()), bits(net.broadcast())))
        .collect();
    used.sort_unstable();
    let mut of_family = pools.iter().filter(|pool| Family::of(pool.net) == family);
    of_family.find_map(|pool| smallest_free_of(*pool, family, &used))
}

/// Walks along what is used, so that it costs as much as there is used, not as the pool is large.
fn smallest_free_of(pool: Pool, family: Family, used: &[(u128, u128)]) -> Option<IpNet> {
    let end = bits(pool.net.broadcast());
    let exponent = pool.net.max_prefix_len().saturating_sub(pool.mask_length);
    let step = size(family.net(0, exponent));
    let mut candidate = bits(pool.net.network());
    for (first, last) in used.iter().copied() {
        if last < candidate {
            continue;
        }
        if first > candidate + (step - 1) {
            break;
        }
        candidate = last.checked_add(1)?.checked_next_multiple_of(step)?;
        if candidate > end {
            return None;
        }
    }
    Some(family.net(candidate, exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn pool(text: &str, mask_length: u8) -> Pool {
        Pool {
            net: net(text),
            mask_length,
        }
    }

    #[test]
    fn the_lowest_subnet_beside_what_is_used() {
        let default = Pool::default_ipv4();
        for (used, free) in [
            (vec![], Some("10.0.0.0/24")),
            (vec!["10.0.0.0/24"], Some("10.0.1.0/24")),
            (vec!["10.0.1.0/24"], Some("10.0.0.0/24")),
            (vec!["10.0.0.5/32"], Some("10.0.1.0/24")),
            (vec!["10.0.0.0/9", "10.0.1.0/24"], Some("10.128.0.0/24")),
            (vec!["192.168.0.0/16"], Some("10.0.0.0/24")),
            (vec!["fd00::/8"], Some("10.0.0.0/24")),
            (vec!["10.0.0.0/9", "10.128.0.0/9"], None),
            (vec!["0.0.0.0/1"], None),
        ] {
            let used: Vec<IpNet> = used.into_iter().map(net).collect();

            assert_eq!(
                smallest_free(&[default], Family::Ipv4, &used),
                free.map(net),
                "{used:?}"
            );
        }
    }

    #[test]
    fn the_next_pool_serves_when_the_first_is_used_up() {
        let pools = [pool("10.9.0.0/24", 25), pool("10.1.0.0/16", 20)];
        let mut used = Vec::new();
        for expected in ["10.9.0.0/25", "10.9.0.128/25", "10.1.0.0/20"] {
            let free = smallest_free(&pools, Family::Ipv4, &used).unwrap();
            assert_eq!(free, net(expected));
            used.push(free);
        }
    }

    #[test]
    fn the_ipv6_pool_is_unique_local_and_the_clusters_own() {
        let one = Pool::default_ipv6(ClusterId::from_random(u128::MAX));
        let other = Pool::default_ipv6(ClusterId::from_random(1 << 100));

        assert_eq!(one.net, net("fdff:ffff:ffff::/48"));
        assert_eq!(other.net, net("fd00:0:1000::/48"));
        assert_eq!(
            smallest_free(&[one], Family::Ipv6, &[net("fdff:ffff:ffff::/64")]),
            Some(net("fdff:ffff:ffff:1::/64"))
        );
    }

    #[test]
    fn the_end_of_all_addresses_is_no_trouble() {
        let last = pool("fdff:ffff:ffff::/48", 64);
        let all = net("8000::/1");

        assert_eq!(smallest_free(&[last], Family::Ipv6, &[all]), None);
    }
}
