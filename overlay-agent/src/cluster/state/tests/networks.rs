//! Networks that come and go.

use super::{
    super::{Change, CreateNetwork, Family},
    world::{World, address, id, net, nets, wish},
};
use crate::model::{ClusterNetwork, Vni};

fn created(world: &World, vni: Vni) -> ClusterNetwork {
    world.state.view().networks[&vni].clone()
}

fn number(vni: Vni) -> u32 {
    vni.into()
}

fn remove(number: u128) -> Change {
    Change::RemoveNetwork {
        network: id(number),
        endpoints: 0,
    }
}

#[test]
fn a_network_takes_the_lowest_vni_and_subnet() {
    let mut world = World::with_nodes(1);
    for (number, expected) in [(1, "10.0.0.0/24"), (2, "10.0.1.0/24"), (3, "10.0.2.0/24")] {
        let vni = world.create(wish(number, &format!("n{number}")));

        assert_eq!(u32::from(vni), 4095 + number as u32);
        let network = created(&world, vni).network;
        assert_eq!(network.subnets, [net(expected)]);
    }
    world.make(remove(2));

    let vni = world.create(wish(4, "n4"));
    assert_eq!(number(vni), 4097);
    assert_eq!(created(&world, vni).network.subnets, [net("10.0.1.0/24")]);
}

#[test]
fn a_vni_can_be_chosen() {
    let mut world = World::with_nodes(1);
    let mut with_vni = |id, name: &str, vni: &str| {
        let mut wish = wish(id, name);
        if !vni.is_empty() {
            let option = "com.docker.network.driver.overlay.vxlanid_list".to_owned();
            wish.options.insert(option, vni.to_owned());
        }
        number(world.create(wish))
    };

    assert_eq!(with_vni(1, "low", "256"), 256);
    assert_eq!(with_vni(2, "second", "4097"), 4097);
    assert_eq!(with_vni(3, "first", ""), 4096);
    assert_eq!(with_vni(4, "third", ""), 4098);
    assert_eq!(with_vni(5, "last", "16777215"), 16_777_215);
    assert_eq!(with_vni(6, "fourth", ""), 4099);
}

#[test]
fn all_that_was_asked_for_is_kept() {
    let mut world = World::with_nodes(1);
    let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let options = [
        option("encrypted", ""),
        option("com.docker.network.driver.mtu", "1400"),
        option("com.example.colour", "blue"),
    ];
    let vni = world.create(CreateNetwork {
        subnets: nets(&["10.1.0.0/24", "fd00:1::/64", "10.2.0.0/16"]),
        ranges: nets(&["10.2.128.0/17"]),
        gateways: vec![address("10.2.0.9"), address("fd00:1::ff")],
        families: [Family::Ipv4, Family::Ipv6].into(),
        internal: true,
        attachable: false,
        labels: [option("tier", "front")].into(),
        options: options.clone().into(),
        ..wish(1, "all")
    });

    let network = created(&world, vni);
    assert_eq!(network.id, id(1));
    assert_eq!(
        network.network.gateways,
        ["10.1.0.1", "fd00:1::ff", "10.2.0.9"].map(address)
    );
    assert_eq!(network.network.mtu, Some(1400));
    assert_eq!(network.ranges, nets(&["10.2.128.0/17"]));
    assert!(network.encrypted && network.internal && !network.attachable);
    assert_eq!(network.labels["tier"], "front");
    assert_eq!(network.options, options.into());
    assert_eq!(network.created, world.now);
}

#[test]
fn encryption_can_be_said_to_be_off() {
    let mut world = World::with_nodes(1);
    let mut wish = wish(1, "plain");
    wish.options
        .insert("encrypted".to_owned(), "false".to_owned());
    let vni = world.create(wish);

    assert!(!created(&world, vni).encrypted);
}

#[test]
fn ipv6_comes_from_the_clusters_own_pool() {
    let mut world = World::with_nodes(1);
    for (number, expected) in [(1, "fdab:cdef:123::/64"), (2, "fdab:cdef:123:1::/64")] {
        let vni = world.create(CreateNetwork {
            families: [Family::Ipv4, Family::Ipv6].into(),
            ..wish(number, &format!("n{number}"))
        });
        assert_eq!(created(&world, vni).network.subnets[1], net(expected));
    }
    let alone = world.create(CreateNetwork {
        families: [Family::Ipv6].into(),
        ..wish(3, "n3")
    });
    assert_eq!(
        created(&world, alone).network.subnets,
        nets(&["fdab:cdef:123:2::/64"])
    );
}

#[test]
fn pools_go_round_what_the_host_uses_and_default_routes_do_not_count() {
    let mut world = World::with_nodes(1);
    let vni = world.create(CreateNetwork {
        host_routes: nets(&["0.0.0.0/0", "10.0.0.0/15", "10.2.0.7/32"]),
        ..wish(1, "n1")
    });

    assert_eq!(created(&world, vni).network.subnets, [net("10.2.1.0/24")]);
}

#[test]
fn a_removed_network_leaves_nothing() {
    let mut world = World::with_nodes(2);
    world.network(1, &["10.1.0.0/24"]);
    world.lease(2, 1).unwrap();
    world.make(remove(1));

    let view = world.state.view();
    assert!(view.networks.is_empty() && view.leases.is_empty());
    world.network(1, &["10.1.0.0/24"]);
    assert!(world.state.view().leases.is_empty());
}

#[test]
fn networks_are_found_by_identifier_name_and_beginning() {
    let mut world = World::with_nodes(1);
    for (id, name) in [
        (1, "one"),
        (2, "two"),
        (u128::MAX, "000"),
        (u128::MAX - 1, "f5lxx"),
    ] {
        world.create(wish(id, name));
    }
    let find = |text: &str| {
        let found = world.state.find_network(text);
        found.map(|network| network.network.name.as_str())
    };

    assert_eq!(find("0000000000000000000000002"), Ok("two"));
    assert_eq!(find("two"), Ok("two"));
    assert_eq!(find("000"), Ok("000"));
    assert_eq!(find("f5lxx"), Ok("f5lxx"));
    let words = |text| find(text).unwrap_err().to_string();
    assert_eq!(
        words("0000"),
        "network 0000 is ambiguous (2 matches found based on ID prefix)"
    );
    assert_eq!(
        words("f5lx"),
        "network f5lx is ambiguous (2 matches found based on ID prefix)"
    );
    assert_eq!(words("three"), "network three not found");
    assert_eq!(words(""), "network  not found");
}
