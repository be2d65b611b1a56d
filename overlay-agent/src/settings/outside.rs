//! The way out: whether there is one, and which addresses stand for containers on it.

use ipnet::IpNet;

use super::{
    network::parse_net,
    problem::{Problem, Refusal},
    typed,
};
use crate::model::{
    TransitPools, last_transit_position,
    subnet::{overlap, unfit_for_containers},
};

const KEY: &str = "outside.transit_pools";

/// Of the range for carriers' own use (RFC 6598), and of a unique local one (RFC 4193) whose bytes spell the name.
const DEFAULT_POOLS: [&str; 2] = ["100.127.0.0/16", "fd6f:7665:726c::/64"];

/// The gateway's own addresses.
const GATEWAY: [&str; 2] = ["169.254.53.52/30", "fd6f:7665:726c:53::/64"];

/// How containers reach the outside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OutsideSettings {
    /// Whether they do.
    pub enabled: bool,
    /// The addresses that stand for them in the host.
    pub pools: TransitPools,
}

impl OutsideSettings {
    /// The pools, if there is a way out.
    pub fn in_use(self) -> Option<TransitPools> {
        self.enabled.then_some(self.pools)
    }
}

pub(super) fn check(typed: &typed::Outside) -> Result<OutsideSettings, Refusal> {
    let defaults = || DEFAULT_POOLS.map(str::to_owned).to_vec();
    let texts = typed.transit_pools.clone().unwrap_or_else(defaults);
    let pools = pools(&texts).map_err(|problem| problem.at_key(KEY))?;
    Ok(OutsideSettings {
        enabled: typed.enabled.unwrap_or(true),
        pools,
    })
}

fn pools(texts: &[String]) -> Result<TransitPools, Problem> {
    let mut pools = TransitPools::default();
    for text in texts {
        let net = parse_net(text)?;
        if let Some(what) = unfit_for_containers(net) {
            return Err(Problem::NotForContainers { net, what });
        }
        let gateway = GATEWAY
            .iter()
            .filter_map(|gateway| gateway.parse::<IpNet>().ok());
        if let Some(other) = gateway.into_iter().find(|gateway| overlap(net, *gateway)) {
            return Err(Problem::PoolOverlapsGateway { net, other });
        }
        if last_transit_position(net) == 0 {
            return Err(Problem::PoolTooSmall { net });
        }
        let of_family = match net {
            IpNet::V4(_) => &mut pools.ipv4,
            IpNet::V6(_) => &mut pools.ipv6,
        };
        if let Some(other) = of_family.replace(net) {
            return Err(Problem::PoolsOfOneFamily { net, other });
        }
    }
    Ok(pools)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(texts: &[&str]) -> Result<OutsideSettings, String> {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        let typed = typed::Outside {
            enabled: None,
            transit_pools: Some(texts),
        };
        check(&typed).map_err(|refusal| refusal.problem.to_string())
    }

    #[test]
    fn without_a_word_there_is_a_way_out_for_both_families() {
        let settings = check(&typed::Outside::default())
            .map_err(|_refused| ())
            .unwrap();

        assert!(settings.enabled);
        assert_eq!(settings.pools.last(), 65_534);
        assert_eq!(settings.in_use(), Some(settings.pools));
    }

    #[test]
    fn one_family_alone_can_be_let_out() {
        let settings = checked(&["100.64.0.0/24"]).unwrap();

        assert_eq!((settings.pools.ipv6, settings.pools.last()), (None, 254));
    }

    #[test]
    fn what_cannot_be_a_pool_is_refused() {
        for (texts, word) in [
            (vec!["100.127.0.1/16"], "100.127.0.0/16"),
            (vec!["pool"], "pool"),
            (vec!["127.0.0.0/16"], "loopback"),
            (vec!["100.127.0.0/31"], "no address"),
            (vec!["100.127.0.0/16", "100.126.0.0/16"], "one family"),
            (vec!["169.254.0.0/16"], "169.254.53.52/30"),
            (vec!["fd6f:7665:726c::/48"], "fd6f:7665:726c:53::/64"),
        ] {
            let refused = checked(&texts).unwrap_err();

            assert!(refused.contains(word), "{texts:?}: {refused}");
        }
    }
}
