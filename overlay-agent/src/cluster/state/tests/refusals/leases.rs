//! Leases.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::{
    super::{
        super::{
            Change, CreateNetwork, Family,
            RefusalKind::{BadRequest, Conflict, NotFound},
        },
        world::{World, address, id, net, nets, node, wish},
    },
    check,
};

fn lease(owner: u128, network: u128, families: &[Family]) -> Change {
    Change::LeaseBlocks {
        node: node(owner),
        network: id(network),
        families: families.iter().copied().collect(),
    }
}

fn lease_address(owner: u128, network: u128, wish: &str) -> Change {
    Change::LeaseAddress {
        node: node(owner),
        network: id(network),
        address: address(wish),
    }
}

fn give_back(owner: u128, blocks: &[&str]) -> Change {
    let blocks: BTreeSet<IpNet> = blocks.iter().map(|text| net(text)).collect();
    Change::GiveBack {
        node: node(owner),
        network: id(1),
        blocks,
    }
}

/// Network 1 is 10.1.0.0/29 with .4 kept; .5 and .6 are node 1's, .2 and .3 node 2's.
fn world() -> World {
    let mut world = World::with_nodes(2);
    world.create(CreateNetwork {
        subnets: nets(&["10.1.0.0/29"]),
        kept: vec![address("10.1.0.4")],
        ..wish(1, "small")
    });
    for (owner, expected) in [(1, "10.1.0.5/32"), (1, "10.1.0.6/32")] {
        assert_eq!(world.lease(owner, 1).unwrap().block, net(expected));
    }
    for wish in ["10.1.0.2", "10.1.0.3"] {
        world.lease_address(2, 1, wish).unwrap();
    }
    world
}

#[test]
fn addresses_that_cannot_be_had() {
    let no_node = "node 0000000000000000000000009 not found";
    let no_network = "network 0000000000000000000000009 not found";
    check(
        &mut world(),
        [
            (lease(9, 1, &[Family::Ipv4]), NotFound, no_node),
            (lease(1, 9, &[Family::Ipv4]), NotFound, no_network),
            (
                lease(1, 1, &[]),
                BadRequest,
                "the request names no address family",
            ),
            (
                lease(1, 1, &[Family::Ipv4, Family::Ipv6]),
                BadRequest,
                "network small has no IPv6 subnet",
            ),
            (
                lease(1, 1, &[Family::Ipv4]),
                Conflict,
                "no available IPv4 addresses in network small: all are leased to nodes",
            ),
            (lease_address(9, 1, "10.1.0.2"), NotFound, no_node),
            (lease_address(1, 9, "10.1.0.2"), NotFound, no_network),
            (
                lease_address(1, 1, "10.1.0.9"),
                BadRequest,
                "10.1.0.9 is in no subnet of network small",
            ),
            (
                lease_address(1, 1, "10.1.0.0"),
                Conflict,
                "10.1.0.0 is the network address of network small",
            ),
            (
                lease_address(1, 1, "10.1.0.7"),
                Conflict,
                "10.1.0.7 is the broadcast address of network small",
            ),
            (
                lease_address(1, 1, "10.1.0.1"),
                Conflict,
                "10.1.0.1 is the gateway of network small",
            ),
            (
                lease_address(1, 1, "10.1.0.4"),
                Conflict,
                "10.1.0.4 is a reserved address of network small",
            ),
            (
                lease_address(1, 1, "10.1.0.2"),
                Conflict,
                "address 10.1.0.2 of network small is already in use by node \
                 0000000000000000000000002",
            ),
        ],
    );
}

#[test]
fn addresses_that_cannot_be_given_back() {
    check(
        &mut world(),
        [
            (give_back(1, &[]), BadRequest, "the request names no block"),
            (
                give_back(1, &["10.1.0.5/31"]),
                BadRequest,
                "10.1.0.5/31 has bits set behind its prefix",
            ),
            (
                give_back(1, &["10.1.0.5/32", "10.1.0.2/32"]),
                NotFound,
                "node 0000000000000000000000001 has no lease of 10.1.0.2/32 in network small",
            ),
            (
                give_back(1, &["10.1.0.0/29"]),
                NotFound,
                "node 0000000000000000000000001 has no lease of 10.1.0.0/29 in network small",
            ),
            (
                give_back(1, &["10.1.0.4/31", "10.1.0.5/32"]),
                BadRequest,
                "10.1.0.5/32 is given back together with 10.1.0.4/31, which shares addresses with it",
            ),
        ],
    );
}
