//! With whom this node has to exchange encrypted packets, by its own knowledge. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::{
    model::{ClusterView, NodeId, PeerId, Vni},
    xfrm::{Peer, Surroundings},
};

/// What follows from the managers' word, the networks that this node has to do with, and the numbers of its peers.
///
/// Whoever has addresses in an encrypted network may have endpoints in it. A node that only leads outside clients
/// there has none; it asks those that do, and they answer.
pub(super) fn surroundings(
    view: &ClusterView,
    this: NodeId,
    attended: &BTreeSet<Vni>,
    numbers: &BTreeMap<IpAddr, PeerId>,
) -> Surroundings {
    let others = view.members.values().filter(|member| member.id != this);
    let peer = |address: IpAddr| Peer {
        address,
        number: numbers.get(&address).map(|number| number.0),
    };
    let encrypted = view.networks.values().filter(|network| network.encrypted);
    let here = encrypted
        .clone()
        .map(|network| network.network.vni)
        .filter(|vni| attended.contains(vni));
    let wanted = here
        .flat_map(|vni| view.leases_of(vni))
        .map(|lease| lease.node)
        .filter(|node| *node != this && view.members.contains_key(node))
        .collect();
    Surroundings {
        peers: others
            .map(|member| (member.id, peer(member.data_path)))
            .collect(),
        wanted,
        guards: encrypted.count() > 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        agent::swarm::tests::{encrypted_view, member_at},
        model::Lease,
    };

    #[test]
    fn those_with_addresses_in_an_encrypted_network_of_this_node_are_partners() {
        let node = |number: u8| member_at(number).id;
        let mut view = encrypted_view(4096);
        for number in 1..=4 {
            view.members.insert(node(number), member_at(number));
        }
        let lease = |number: u8, block: &str| Lease {
            vni: Vni::try_from(4096).unwrap(),
            block: block.parse().unwrap(),
            node: node(number),
            index: 1,
        };
        view.leases = [
            lease(1, "10.0.0.0/30"),
            lease(2, "10.0.0.4/30"),
            lease(9, "10.0.0.8/30"),
        ]
        .into();
        let vni = Vni::try_from(4096).unwrap();
        let numbers = BTreeMap::from([(member_at(2).data_path, PeerId(7))]);

        let away = surroundings(&view, node(1), &BTreeSet::new(), &numbers);
        let there = surroundings(&view, node(1), &[vni].into(), &numbers);

        assert!(away.wanted.is_empty());
        assert!(away.guards);
        assert_eq!(there.wanted, [node(2)].into());
        let known: Vec<_> = there.peers.keys().copied().collect();
        assert_eq!(known, [node(2), node(3), node(4)]);
        assert_eq!(there.peers[&node(2)].number, Some(7));
        assert_eq!(there.peers[&node(3)].number, None);
    }

    #[test]
    fn without_an_encrypted_network_nothing_is_guarded() {
        let mut view = encrypted_view(4096);
        for network in view.networks.values_mut() {
            network.encrypted = false;
        }
        let vni = Vni::try_from(4096).unwrap();

        let plain = surroundings(
            &view,
            NodeId::from_random(1),
            &[vni].into(),
            &BTreeMap::new(),
        );

        assert!(!plain.guards);
        assert!(plain.wanted.is_empty());
    }
}
