//! Thirty nodes share a default /24, and every address of it serves in the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use proptest::prelude::*;

use super::{
    super::{Family, Refusal, policy},
    world::{World, net, node, wish},
};

const NODES: u128 = 30;

/// 10.0.0.0/24 without network, broadcast and gateway address.
const USABLE: usize = 253;

/// The nodes of a network, each with the addresses that its endpoints have.
struct Sharing {
    world: World,
    used: BTreeMap<u128, BTreeSet<IpAddr>>,
}

impl Sharing {
    fn new() -> Self {
        let mut world = World::with_nodes(NODES as u8);
        world.create(wish(1, "shared"));
        Self {
            world,
            used: BTreeMap::new(),
        }
    }

    /// One endpoint more on a node: from its own leases, else from a new one.
    fn attach(&mut self, owner: u128) -> Result<(), Refusal> {
        let address = match self.unused(owner) {
            Some(address) => address,
            None => self.world.lease(owner, 1)?.block.network(),
        };
        assert!(self.used.entry(owner).or_default().insert(address));
        Ok(())
    }

    /// Every node gives back what it does not use.
    fn give_back(&mut self) {
        let view = self.world.state.view();
        for lease in &view.leases {
            let used = self.used.entry(lease.node.bits()).or_default();
            let unused = policy::unused_parts(lease.block, used);
            if !unused.is_empty() {
                let owner = lease.node.bits();
                self.world.give_back(owner, 1, &unused).unwrap();
            }
        }
    }

    fn unused(&mut self, owner: u128) -> Option<IpAddr> {
        let used = self.used.entry(owner).or_default();
        let view = self.world.state.view();
        let own = view.leases.iter().filter(|lease| lease.node == node(owner));
        let unused = own.flat_map(|lease| policy::unused_parts(lease.block, used));
        unused.map(|part| part.network()).next()
    }

    fn is_scarce(&self) -> bool {
        let view = self.world.state.view();
        let network = view.network("shared").unwrap();
        let all = view.leases_of(network.network.vni);
        let leased = all.map(|lease| lease.block);
        policy::is_scarce(network, Family::Ipv4, leased)
    }

    fn all_used(&self) -> BTreeSet<IpAddr> {
        self.used.values().flatten().copied().collect()
    }
}

#[test]
fn thirty_nodes_fit_and_have_room_left() {
    let mut sharing = Sharing::new();
    for owner in (1..=NODES).chain(1..=NODES).chain(1..=NODES) {
        sharing.attach(owner).unwrap();
    }

    assert_eq!(sharing.all_used().len(), 90);
    assert_eq!(sharing.world.state.view().leases.len(), 30);
}

#[test]
fn one_greedy_node_leaves_addresses_for_the_others() {
    let mut sharing = Sharing::new();
    for _ in 0..200 {
        sharing.attach(1).unwrap();
    }
    for owner in 2..=NODES {
        sharing.attach(owner).unwrap();
    }

    assert_eq!(sharing.all_used().len(), 229);
}

#[test]
fn scarcity_shows_in_the_view() {
    let mut sharing = Sharing::new();
    for _ in 0..200 {
        sharing.attach(1).unwrap();
    }
    assert!(!sharing.is_scarce());
    for _ in 200..USABLE {
        sharing.attach(1).unwrap();
    }
    assert!(sharing.is_scarce());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// However endpoints are spread over nodes: as long as one address is nobody's, a node that asks
    /// gets one, at the latest when the others have given back what they do not use.
    #[test]
    fn every_address_serves(
        greedy in 1..=NODES,
        part in 0..=100_u32,
        order in prop::collection::vec((0..100_u32, 1..=NODES), USABLE),
    ) {
        let mut sharing = Sharing::new();
        for (roll, other) in order {
            let owner = if roll < part { greedy } else { other };
            if sharing.attach(owner).is_err() {
                sharing.give_back();
                sharing.attach(owner).unwrap();
            }
        }
        let used = sharing.all_used();
        prop_assert_eq!(used.len(), USABLE);
        prop_assert!(used.iter().all(|address| net("10.0.0.0/24").contains(address)));
        for reserved in ["10.0.0.0", "10.0.0.1", "10.0.0.255"] {
            prop_assert!(!used.contains(&reserved.parse().unwrap()));
        }
        prop_assert!(sharing.attach(1).is_err());
    }
}
