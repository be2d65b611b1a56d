//! Numbers of peers.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::model::PeerId;

/// Gives every address a number: the one that it has, else the lowest that is neither in use nor
/// about to be freed. So a peer keeps its number over restarts, and a number never means two peers
/// while tables change from one state to the next.
pub fn assign(
    known: &BTreeMap<IpAddr, PeerId>,
    addresses: impl IntoIterator<Item = IpAddr>,
) -> BTreeMap<IpAddr, PeerId> {
    let mut used: BTreeSet<PeerId> = known.values().copied().collect();
    let mut next = 1;
    let mut numbers = BTreeMap::new();
    for address in addresses.into_iter().collect::<BTreeSet<_>>() {
        let number = known.get(&address).copied().unwrap_or_else(|| {
            while used.contains(&PeerId(next)) {
                next += 1;
            }
            PeerId(next)
        });
        used.insert(number);
        numbers.insert(address, number);
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn numbers_start_at_one_and_are_kept() {
        let first = assign(&BTreeMap::new(), [ip(1), ip(2)]);

        let second = assign(&first, [ip(0), ip(1), ip(2)]);

        assert_eq!(
            first,
            BTreeMap::from([(ip(1), PeerId(1)), (ip(2), PeerId(2))])
        );
        assert_eq!(second[&ip(1)], PeerId(1));
        assert_eq!(second[&ip(2)], PeerId(2));
        assert_eq!(second[&ip(0)], PeerId(3));
    }

    #[test]
    fn a_number_is_not_given_to_another_in_the_step_that_frees_it() {
        let first = assign(&BTreeMap::new(), [ip(1)]);

        let second = assign(&first, [ip(2)]);

        assert_eq!(second[&ip(2)], PeerId(2));
    }
}
