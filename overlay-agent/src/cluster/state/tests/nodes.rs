//! Nodes that come, change and go.

use std::collections::BTreeSet;

use super::{
    super::{Change, Chore, Join, Refusal, Reply, Schedule},
    world::{World, address, join, net, node},
};
use crate::model::{Availability, NodeId, Role};

const SCHEDULE: Schedule = Schedule {
    rotate_keys: 43_200,
    retire_keys: 60,
    reap: 1800,
};

fn members(world: &World) -> Vec<NodeId> {
    world.state.view().members.into_keys().collect()
}

fn keys(world: &World) -> (Vec<u32>, u32) {
    let keys = world.state.view().keys;
    let numbers = keys.keys.iter().map(|key| key.number);
    (numbers.collect(), keys.primary)
}

#[test]
fn a_node_that_joins_again_keeps_what_it_was_wanted_for() {
    let mut world = World::with_nodes(2);
    world.make(Change::SetAvailability {
        node: node(2),
        availability: Availability::Drain,
    });
    world.make(Change::SetLabels {
        node: node(2),
        add: [("rack".to_owned(), "7".to_owned())].into(),
        remove: BTreeSet::new(),
    });
    let joined = world.now;
    world.now += 100;

    world.make(Change::Join(Box::new(Join {
        hostname: "renamed".to_owned(),
        data_path: address("198.51.100.2"),
        ..join(2, Role::Worker)
    })));

    let view = world.state.view();
    let member = &view.members[&node(2)];
    assert_eq!(member.hostname, "renamed");
    assert_eq!(member.data_path, address("198.51.100.2"));
    assert_eq!(member.availability, Availability::Drain);
    assert_eq!(member.labels["rack"], "7");
    assert_eq!(member.joined, joined);
}

#[test]
fn a_node_is_wanted_for_what_it_joins_for() {
    let mut world = World::with_nodes(1);
    world.make(Change::Join(Box::new(Join {
        availability: Availability::Pause,
        ..join(2, Role::Worker)
    })));

    let view = world.state.view();
    assert_eq!(view.members[&node(2)].availability, Availability::Pause);
}

#[test]
fn labels_come_and_go() {
    let mut world = World::with_nodes(1);
    let label = |name: &str| (name.to_owned(), "1".to_owned());
    world.make(Change::SetLabels {
        node: node(1),
        add: [label("a"), label("b")].into(),
        remove: BTreeSet::new(),
    });
    world.make(Change::SetLabels {
        node: node(1),
        add: [label("c")].into(),
        remove: ["a".to_owned()].into(),
    });

    let view = world.state.view();
    assert_eq!(
        view.members[&node(1)].labels,
        [label("b"), label("c")].into()
    );
}

#[test]
fn the_address_of_a_dead_node_can_be_taken_over() {
    let mut world = World::with_nodes(2);
    world.network(1, &["10.1.0.0/24"]);
    world.lease(2, 1).unwrap();

    world.make(Change::Join(Box::new(Join {
        data_path: address("192.0.2.2"),
        down: [node(2)].into(),
        ..join(3, Role::Worker)
    })));

    assert_eq!(members(&world), [node(1), node(3)]);
    assert!(world.state.node(node(2)).unwrap().left.is_some());
    assert!(world.state.view().leases.is_empty());
}

#[test]
fn roles_change_and_a_role_that_is_there_is_no_change() {
    let mut world = World::with_nodes(2);
    world.promote(2);
    let index = world.state.view_index();
    world.promote(2);
    assert_eq!(world.state.view_index(), index);

    world.make(Change::SetRole {
        node: node(1),
        role: Role::Worker,
        down: BTreeSet::new(),
    });

    let view = world.state.view();
    assert_eq!(view.members[&node(1)].role, Role::Worker);
    assert_eq!(view.members[&node(2)].role, Role::Manager);
}

#[test]
fn a_node_that_leaves_can_come_back_until_it_is_removed() {
    let mut world = World::with_nodes(2);
    world.network(1, &["10.1.0.0/24"]);
    let lease = world.lease(2, 1).unwrap();
    world.make(Change::Leave {
        node: node(2),
        force: false,
        down: BTreeSet::new(),
    });
    assert_eq!(members(&world), [node(1)]);
    assert!(world.state.view().leases.is_empty());
    assert_eq!(world.state.nodes().count(), 2);
    assert!(matches!(world.lease(2, 1), Err(Refusal::NoNode { .. })));

    world.make(Change::Join(Box::new(join(2, Role::Worker))));
    assert_eq!(members(&world), [node(1), node(2)]);
    assert_eq!(world.state.view().leases, [lease].into());
    world.now += 10_000;
    assert_eq!(world.make(Change::Reap { after: 0 }), Reply::Reaped(0));
}

#[test]
fn a_forced_leave_ends_even_the_last_manager() {
    let mut world = World::with_nodes(1);
    world.make(Change::Leave {
        node: node(1),
        force: true,
        down: BTreeSet::new(),
    });

    assert!(members(&world).is_empty());
}

#[test]
fn a_removed_nodes_addresses_come_back_after_the_reap_period() {
    let mut world = World::with_nodes(3);
    world.network(1, &["10.1.0.0/24"]);
    let inside = world.lease(2, 1).unwrap();
    world.lease(3, 1).unwrap();
    let address = inside.block.addr().to_string();
    world.lease_address(3, 1, &address).unwrap();
    let outside = world.lease_address(2, 1, "10.1.0.77").unwrap();
    assert_eq!(inside.block, net("10.1.0.4/30"));

    world.remove_node(2).unwrap();
    assert_eq!(world.state.view().leases.len(), 2);
    assert!(world.lease_address(3, 1, "10.1.0.77").is_err());
    world.now += SCHEDULE.reap - 1;
    assert!(
        world
            .state
            .chores(world.now, &SCHEDULE)
            .iter()
            .all(|chore| !matches!(chore, Chore::Reap { .. }))
    );
    let reap = Change::Reap {
        after: SCHEDULE.reap,
    };
    assert_eq!(world.make(reap.clone()), Reply::Reaped(0));
    world.now += 1;
    let due = world.state.chores(world.now, &SCHEDULE);
    assert!(due.contains(&Chore::Reap { after: 1800 }));
    assert_eq!(world.make(reap), Reply::Reaped(2));

    world.lease_address(3, 1, "10.1.0.77").unwrap();
    let pieces = [world.lease(1, 1).unwrap(), world.lease(3, 1).unwrap()];
    assert!(!pieces.contains(&outside));
    let still = world.lease_address(1, 1, &address);
    assert!(matches!(still, Err(Refusal::AddressInUse { .. })));
}

#[test]
fn a_removed_node_knows_no_key_in_use_and_soon_none_that_is_accepted() {
    let mut world = World::with_ingress(2);
    for byte in [2, 3] {
        world.make(Change::RotateKeys {
            secret: super::world::secret(byte),
        });
    }
    assert_eq!(keys(&world), (vec![1, 2, 3], 2));

    world.remove_node(2).unwrap();
    assert_eq!(keys(&world), (vec![1, 2, 4], 4));
    assert_eq!(world.state.chores(world.now + 59, &SCHEDULE), []);
    let due = world.state.chores(world.now + 60, &SCHEDULE);
    assert_eq!(due, [Chore::RetireKeys { oldest: 4 }]);
    world.make(Change::RetireKeys { oldest: 4 });
    assert_eq!(keys(&world), (vec![4], 4));
    assert_eq!(world.state.chores(world.now + 60, &SCHEDULE), []);
    let due = world.state.chores(world.now + 43_200, &SCHEDULE);
    assert_eq!(due[0], Chore::RotateKeys);
}

#[test]
fn a_node_that_left_is_removed_without_force() {
    let mut world = World::with_nodes(2);
    world.make(Change::Leave {
        node: node(2),
        force: false,
        down: BTreeSet::new(),
    });
    world.make(Change::RemoveNode {
        node: node(2),
        force: false,
        is_down: false,
        secret: super::world::secret(7),
    });

    assert!(world.state.node(node(2)).is_none());
}

#[test]
fn one_manager_goes_on_alone() {
    let mut world = World::with_nodes(3);
    world.promote(2);
    world.promote(3);
    let before = world.state.view_index();

    world.make(Change::ForceNewCluster { node: node(2) });

    let members = world.state.view().members;
    let managers = members
        .values()
        .filter(|member| member.role == Role::Manager);
    assert_eq!(
        managers.map(|member| member.id).collect::<Vec<_>>(),
        [node(2)]
    );
    assert_eq!(world.state.changes_since(before), None);
    assert_eq!(world.state.view_index(), world.index);
}

#[test]
fn nodes_are_found_by_identifier_name_and_beginning() {
    let mut world = World::with_nodes(3);
    world.make(Change::Join(Box::new(Join {
        hostname: "host-3".to_owned(),
        ..join(4, Role::Worker)
    })));
    world.make(Change::Join(Box::new(Join {
        node: node(u128::MAX),
        ..join(5, Role::Worker)
    })));
    let find = |text: &str| {
        let found = world.state.find_node(text);
        found.map(|record| record.member.id)
    };

    assert_eq!(find("0000000000000000000000002"), Ok(node(2)));
    assert_eq!(find("host-2"), Ok(node(2)));
    assert_eq!(find("f5lxx"), Ok(node(u128::MAX)));
    let words = |text| find(text).unwrap_err().to_string();
    assert_eq!(
        words("host-3"),
        "node host-3 is ambiguous (2 matches found)"
    );
    assert_eq!(words("000"), "node 000 is ambiguous (4 matches found)");
    assert_eq!(words("host-9"), "node host-9 not found");
    assert_eq!(words(""), "node  not found");
}
