//! Leases of one network.

use super::{
    super::{Change, CreateNetwork, Family, Refusal, Reply},
    world::{World, address, id, net, nets, node, wish},
};

fn blocks(world: &mut World, owner: u128, count: usize) -> Vec<String> {
    let leases = (0..count).map(|_| world.lease(owner, 1).unwrap());
    leases.map(|lease| lease.block.to_string()).collect()
}

#[test]
fn blocks_go_round_reserved_addresses_and_grow() {
    let mut world = World::with_nodes(2);
    world.network(1, &["10.1.0.0/22"]);

    assert_eq!(
        blocks(&mut world, 1, 4),
        [
            "10.1.0.16/28",
            "10.1.3.224/28",
            "10.1.0.32/27",
            "10.1.3.192/27"
        ]
    );
    assert_eq!(blocks(&mut world, 2, 1), ["10.1.0.64/28"]);
}

#[test]
fn the_pieces_beside_reserved_addresses_go_in_the_end() {
    let mut world = World::with_nodes(1);
    world.network(1, &["10.1.0.0/28"]);
    let all = blocks(&mut world, 1, 13);

    let mut expected: Vec<String> = (2..15).map(|last| format!("10.1.0.{last}/32")).collect();
    let mut given = all.clone();
    given.sort();
    expected.sort();
    assert_eq!(given, expected);
    assert!(matches!(
        world.lease(1, 1),
        Err(Refusal::AddressesExhausted { .. })
    ));
}

#[test]
fn blocks_come_from_the_range_and_wishes_from_all_of_the_subnet() {
    let mut world = World::with_nodes(2);
    world.create(CreateNetwork {
        subnets: nets(&["10.1.0.0/24"]),
        ranges: nets(&["10.1.0.16/30"]),
        gateways: vec![address("10.1.0.17")],
        ..wish(1, "ranged")
    });
    assert_eq!(
        blocks(&mut world, 1, 3),
        ["10.1.0.16/32", "10.1.0.18/32", "10.1.0.19/32"]
    );
    assert!(world.lease(1, 1).is_err());

    let outside = world.lease_address(2, 1, "10.1.0.200").unwrap();
    world.give_back(2, 1, &[outside.block]).unwrap();
    assert!(world.lease(1, 1).is_err());
    world.give_back(1, 1, &[net("10.1.0.18/32")]).unwrap();
    assert_eq!(blocks(&mut world, 2, 1), ["10.1.0.18/32"]);
}

#[test]
fn both_families_are_given_at_once_or_none() {
    let mut world = World::with_nodes(1);
    world.network(1, &["10.1.0.0/30", "fd00:1::/64"]);
    let both = Change::LeaseBlocks {
        node: node(1),
        network: id(1),
        families: [Family::Ipv4, Family::Ipv6].into(),
    };
    let Reply::Leases(leases) = world.make(both.clone()) else {
        panic!("no leases");
    };
    let blocks: Vec<String> = leases.iter().map(|lease| lease.block.to_string()).collect();
    assert_eq!(blocks, ["10.1.0.2/32", "fd00:1::40/122"]);

    assert!(matches!(
        world.apply(both),
        Err(Refusal::AddressesExhausted { family, .. }) if family == "IPv4"
    ));
}

#[test]
fn an_address_inside_anothers_block_is_leased_by_itself() {
    let mut world = World::with_nodes(3);
    world.network(1, &["10.1.0.0/24"]);
    let block = world.lease(1, 1).unwrap();
    let inside = world.lease_address(2, 1, "10.1.0.5").unwrap();
    assert_eq!(block.block, net("10.1.0.4/30"));
    assert_eq!(inside.block, net("10.1.0.5/32"));
    assert!(inside.index > block.index);
    assert_eq!(world.state.view().leases, [block, inside].into());

    let own = world.lease_address(1, 1, "10.1.0.6").unwrap();
    assert_eq!(own, block);
    assert_eq!(world.lease_address(2, 1, "10.1.0.5").unwrap(), inside);
    assert!(world.lease_address(3, 1, "10.1.0.5").is_err());
    let held = world.lease_address(1, 1, "10.1.0.5");
    assert!(matches!(held, Err(Refusal::AddressInUse { node: holder, .. }) if holder == node(2)));

    world.give_back(2, 1, &[inside.block]).unwrap();
    assert_eq!(world.lease_address(1, 1, "10.1.0.5").unwrap(), block);
}

#[test]
fn the_lease_inside_outlives_the_block() {
    let mut world = World::with_nodes(3);
    world.network(1, &["10.1.0.0/24"]);
    let block = world.lease(1, 1).unwrap();
    let inside = world.lease_address(2, 1, "10.1.0.5").unwrap();

    world.give_back(1, 1, &[block.block]).unwrap();
    assert_eq!(world.state.view().leases, [inside].into());
    let next = world.lease(3, 1).unwrap();
    assert_eq!(next.block, net("10.1.0.248/30"));
    world.give_back(2, 1, &[inside.block]).unwrap();
    let again = world.lease(2, 1).unwrap();
    assert_eq!(again.block, net("10.1.0.4/30"));
}

#[test]
fn what_is_left_of_a_block_keeps_its_index() {
    let mut world = World::with_nodes(2);
    world.network(1, &["10.1.0.0/24"]);
    let block = world.lease(1, 1).unwrap();
    world
        .give_back(1, 1, &[net("10.1.0.4/32"), net("10.1.0.7/32")])
        .unwrap();

    let left: Vec<_> = world.state.view().leases.into_iter().collect();
    let expected = ["10.1.0.5/32", "10.1.0.6/32"];
    assert_eq!(left.len(), 2);
    for (lease, expected) in left.into_iter().zip(expected) {
        assert_eq!(lease.block, net(expected));
        assert_eq!((lease.node, lease.index), (node(1), block.index));
    }
    assert!(world.lease_address(2, 1, "10.1.0.4").is_ok());
}

#[test]
fn what_is_left_of_a_block_is_not_what_another_node_has_inside() {
    let mut world = World::with_nodes(3);
    world.network(1, &["10.1.0.0/24"]);
    let block = world.lease(1, 1).unwrap();
    let inside = world.lease_address(2, 1, "10.1.0.5").unwrap();
    world.give_back(1, 1, &[net("10.1.0.4/32")]).unwrap();

    let leases = world.state.view().leases.into_iter();
    let left: Vec<_> = leases
        .map(|lease| (lease.block, lease.node, lease.index))
        .collect();
    let expected = [
        (net("10.1.0.5/32"), node(2), inside.index),
        (net("10.1.0.6/31"), node(1), block.index),
    ];
    assert_eq!(left, expected);
    assert!(world.lease_address(1, 1, "10.1.0.5").is_err());
    assert!(world.give_back(1, 1, &[inside.block]).is_err());
    world.give_back(2, 1, &[inside.block]).unwrap();
    assert!(world.lease_address(3, 1, "10.1.0.5").is_ok());
}

/// Its time is that of the number of leases, not of its square: with 27 400 leases anything else
/// would be noticed.
#[test]
fn many_networks_and_many_nodes() {
    let mut world = World::with_nodes(250);
    for number in 0..40 {
        world.create(wish(number, &format!("small-{number}")));
        for owner in 1..=60 {
            world.lease(owner, number).unwrap();
        }
    }
    world.network(99, &["100.64.0.0/10"]);
    for _ in 0..100 {
        for owner in 1..=250 {
            world.lease(owner, 99).unwrap();
        }
    }
    let view = world.state.view();

    assert_eq!(view.leases.len(), 40 * 60 + 100 * 250);
}
