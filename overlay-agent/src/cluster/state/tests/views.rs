//! Views, and the changes between them.

use super::{
    super::{Change, ViewChange, ViewGap, ViewUpdate},
    world::{World, id, node, secret, wish},
};
use crate::model::{Availability, ClusterView};

/// The one change that a command made.
fn only_change(world: &mut World, change: Change) -> ViewChange {
    let before = world.state.view_index();
    world.make(change);
    let delta = world.state.changes_since(before).unwrap();
    assert_eq!((delta.from, delta.to), (before, world.index));
    let [change] = <[ViewChange; 1]>::try_from(delta.changes).unwrap();
    change
}

#[test]
fn before_the_cluster_there_is_nothing_to_see() {
    let world = World::empty();

    assert_eq!(world.state.view(), ClusterView::default());
}

#[test]
fn a_watcher_from_the_beginning_needs_no_whole_view() {
    let world = World::with_nodes(3);
    let mut view = ClusterView::default();
    let update = world.state.update_since(0);
    assert!(matches!(update, ViewUpdate::Changes(_)));

    update.apply_to(&mut view).unwrap();
    assert_eq!(view, world.state.view());
}

#[test]
fn each_command_changes_only_its_part() {
    let mut world = World::with_nodes(2);
    let member = only_change(
        &mut world,
        Change::SetAvailability {
            node: node(2),
            availability: Availability::Pause,
        },
    );
    assert!(matches!(member, ViewChange::Member(member) if member.id == node(2)));
    let created = Change::CreateNetwork(Box::new(wish(1, "one")));
    let network = only_change(&mut world, created);
    assert!(matches!(network, ViewChange::Network(network) if network.id == id(1)));
    let before = world.state.view_index();
    let lease = world.lease(2, 1).unwrap();
    let delta = world.state.changes_since(before).unwrap();
    assert_eq!(delta.changes, [ViewChange::Lease(lease)]);
    let given = Change::GiveBack {
        node: node(2),
        network: id(1),
        blocks: [lease.block].into(),
    };
    let gone = only_change(&mut world, given);
    assert_eq!(gone, ViewChange::LeaseGone(lease.vni, lease.block));
    let removed = Change::RemoveNetwork {
        network: id(1),
        endpoints: 0,
    };
    let network = only_change(&mut world, removed);
    assert_eq!(network, ViewChange::NetworkGone(lease.vni));
    let rotated = Change::RotateKeys { secret: secret(2) };
    assert!(
        matches!(only_change(&mut world, rotated), ViewChange::Keys(keys) if keys.keys.len() == 2)
    );
}

#[test]
fn what_came_and_went_meanwhile_is_told_once() {
    let mut world = World::with_nodes(1);
    let before = world.state.view_index();
    for _ in 0..3 {
        let vni = world.create(wish(1, "one"));
        world.make(Change::RemoveNetwork {
            network: id(1),
            endpoints: 0,
        });
        let delta = world.state.changes_since(before).unwrap();
        assert_eq!(delta.changes, [ViewChange::NetworkGone(vni)]);
    }
}

#[test]
fn commands_that_change_no_view_leave_its_index() {
    let mut world = World::with_nodes(1);
    let before = world.state.view_index();
    world.make(Change::Reap { after: 0 });
    world
        .apply(Change::ForceNewCluster { node: node(9) })
        .unwrap_err();

    assert_eq!(world.state.view_index(), before);
    assert!(world.state.applied() > before);
    assert_eq!(world.state.changes_since(before).unwrap().changes, []);
}

#[test]
fn a_watcher_that_missed_too_much_gets_the_whole_view() {
    let mut world = World::with_nodes(2);
    let early = world.state.view();
    for _ in 0..=1 << 14 {
        world
            .apply_unchecked(Change::SetAvailability {
                node: node(2),
                availability: Availability::Pause,
            })
            .unwrap();
    }

    assert_eq!(world.state.changes_since(early.index), None);
    let mut view = early;
    world
        .state
        .update_since(view.index)
        .apply_to(&mut view)
        .unwrap();
    assert_eq!(view, world.state.view());
}

#[test]
fn changes_of_another_view_are_refused() {
    let world = World::with_nodes(2);
    let delta = world.state.changes_since(1).unwrap();
    let mut view = ClusterView::default();

    assert_eq!(delta.apply_to(&mut view), Err(ViewGap { from: 1, have: 0 }));
    assert_eq!(view, ClusterView::default());
}

#[test]
fn updates_survive_their_way_to_the_watcher() {
    let mut world = World::with_nodes(2);
    world.network(1, &["10.1.0.0/24", "fd00:1::/64"]);
    world.lease(2, 1).unwrap();
    let whole = ViewUpdate::Whole(Box::new(world.state.view()));
    for update in [world.state.update_since(0), whole] {
        let json = serde_json::to_string(&update).unwrap();
        assert_eq!(serde_json::from_str::<ViewUpdate>(&json).unwrap(), update);
        let bytes = postcard::to_allocvec(&update).unwrap();
        assert_eq!(postcard::from_bytes::<ViewUpdate>(&bytes).unwrap(), update);
    }
}
