//! What holds in small clusters.

use std::time::Duration;

use super::{
    super::{ClaimError, Event, Gossip, Refused},
    World, node, vni,
};
use crate::model::Claim;

fn claim(last: u8, index: u64) -> Claim {
    Claim {
        aliases: Vec::new(),
        task: None,
        vni: vni(0),
        address: std::net::Ipv4Addr::new(10, 0, 0, last).into(),
        name: format!("web-{last}-{index}"),
        endpoint: String::new(),
        mac: None,
        index,
    }
}

/// Three nodes, each with one claim in the same network.
fn three() -> World {
    let mut world = World::settled(1, 3);
    for at in 0..3 {
        let claim = claim(u8::try_from(at).unwrap(), 1);
        world.at(at, |gossip, now, effects| {
            gossip.claim(&claim, now, effects).unwrap();
        });
    }
    world.run_for(Duration::from_secs(5));
    assert!(world.all_agree_on_members() && world.all_right());
    world.events.clear();
    world
}

fn owners(world: &World, at: usize) -> Vec<usize> {
    let claims = world.gossip(at).observed().claims;
    (0..3)
        .filter(|other| claims.values().any(|(owner, _)| *owner == node(*other)))
        .collect()
}

#[test]
fn a_node_that_the_managers_remove_is_forgotten_at_once() {
    let mut world = three();

    world.remove(2);
    world.run_for(Duration::from_millis(250));

    assert_eq!(owners(&world, 0), [1]);
    assert!(
        world
            .gossip(0)
            .table
            .attendees(vni(0))
            .all(|attendee| attendee != node(2))
    );
    // It goes on as if nothing had happened, and nobody listens.
    world.run_for(Duration::from_mins(1));
    assert_eq!(owners(&world, 0), [1]);
    assert!(world.gossip(0).counters().strangers > 0);
}

#[test]
fn the_endpoints_of_a_failed_node_are_hidden_and_come_back_within_a_second_of_it() {
    let mut world = three();
    world.crash(2);
    world.run_for(Duration::from_secs(20));
    assert_eq!(owners(&world, 0), [1]);
    assert!(world.gossip(0).observed().failed.contains(&node(2)));

    world.boot(2, vec![claim(2, 1)]);
    world.run_for(Duration::from_secs(1));

    assert_eq!(owners(&world, 0), [1, 2]);
    assert!(world.gossip(0).observed().failed.is_empty());
}

#[test]
fn a_restart_disturbs_nobody() {
    let mut world = three();
    drop(world.gossip_mut(0).take_changes());

    world.crash(2);
    world.boot(2, vec![claim(2, 1)]);
    for _ in 0..200 {
        world.run_for(Duration::from_millis(50));
        assert_eq!(owners(&world, 0), [1, 2]);
    }

    assert!(world.gossip_mut(0).take_changes().claims.is_empty());
}

#[test]
fn what_a_node_had_before_its_restart_and_not_after_is_gone() {
    let mut world = three();

    world.crash(2);
    world.boot(2, Vec::new());
    world.run_for(Duration::from_secs(3));

    assert_eq!(owners(&world, 0), [1]);
}

#[test]
fn a_clock_that_went_back_changes_nothing() {
    let mut world = three();

    world.crash(2);
    world.boot_as(2, vec![claim(7, 1)], 1);
    world.run_for(Duration::from_secs(5));

    assert!(world.all_agree_on_members() && world.all_right());
    let place = (vni(0), claim(7, 1).address);
    assert!(world.gossip(0).observed().claims.contains_key(&place));
}

#[test]
fn a_node_that_leaves_is_missed_at_once() {
    let mut world = three();

    world.at(2, Gossip::leave);
    world.run_for(Duration::from_millis(50));

    assert_eq!(owners(&world, 0), [1]);
    let left = world
        .events
        .iter()
        .filter(|(_, _, event)| *event == Event::MemberLeft(node(2)));
    assert_eq!(left.count(), 2);
}

#[test]
fn an_address_that_another_node_has_is_refused_with_its_name() {
    let mut world = three();
    let taken = Claim {
        aliases: Vec::new(),
        task: None,
        index: 0,
        ..claim(1, 1)
    };

    let refused = world.at(2, |gossip, now, effects| gossip.claim(&taken, now, effects));

    assert_eq!(refused, Err(ClaimError::Taken { winner: node(1) }));
}

#[test]
fn of_two_claims_in_a_split_the_later_wins_and_the_loser_withdraws() {
    let mut world = three();
    world.split(2, 1);
    world.run_for(Duration::from_secs(15));
    for (at, index) in [(0, 5), (2, 6)] {
        let claim = claim(50, index);
        world.at(at, |gossip, now, effects| {
            gossip.claim(&claim, now, effects).unwrap();
        });
    }
    world.run_for(Duration::from_secs(5));
    world.events.clear();

    world.heal();
    world.run_for(Duration::from_secs(3));

    let place = (vni(0), claim(50, 0).address);
    for at in 0..2 {
        assert_eq!(world.gossip(at).observed().claims[&place].0, node(2));
    }
    let lost: Vec<_> = world
        .events
        .iter()
        .filter(|(_, _, event)| matches!(event, Event::ClaimLost { .. }))
        .map(|(_, at, event)| (*at, event.clone()))
        .collect();
    let expected = Event::ClaimLost {
        claim: claim(50, 5),
        winner: node(2),
        index: 6,
    };
    assert_eq!(lost, [(0, expected)]);
    assert!(world.all_right());
}

#[test]
fn a_withdrawal_is_told_after_a_partition_that_outlived_its_memory() {
    let mut world = World::new(4);
    world.pace.tombstone = Duration::from_secs(5);
    for at in 0..3 {
        world.admit(at);
    }
    for at in 0..3 {
        let claims = (0..5).map(|number| claim(u8::try_from(at * 10 + number).unwrap(), 1));
        world.boot(at, claims.collect());
    }
    world.run_for(Duration::from_secs(10));
    assert!(world.all_right());

    world.split(2, 1);
    world.at(0, |gossip, now, effects| {
        assert!(gossip.withdraw(vni(0), claim(3, 1).address, now, effects));
    });
    world.at(2, |gossip, now, effects| {
        gossip.leave_network(vni(0), now, effects);
    });
    world.run_for(Duration::from_mins(2));
    world.heal();
    world.at(2, |gossip, now, effects| {
        gossip.attend(vni(0), now, effects);
    });
    world.run_for(Duration::from_secs(5));

    assert!(world.all_right(), "{:?}", world.wrong(1).or(world.wrong(2)));
    assert_eq!(owners(&world, 1), [0]);
}

#[test]
fn who_does_not_attend_a_network_keeps_nothing_of_it() {
    let mut world = three();

    world.at(0, |gossip, now, effects| {
        gossip.leave_network(vni(0), now, effects);
    });
    world.run_for(Duration::from_secs(40));

    assert!(world.gossip(0).observed().claims.is_empty());
    assert_eq!(owners(&world, 1), [2]);
    world.at(0, |gossip, now, effects| {
        gossip.attend(vni(0), now, effects);
    });
    world.run_for(Duration::from_secs(1));
    assert_eq!(owners(&world, 0), [1, 2]);
}

#[test]
fn strangers_and_other_versions_are_refused_and_counted() {
    let mut world = three();

    let stranger = world.at(0, |gossip, now, effects| {
        gossip.handle_datagram(node(77), &[1, 2], now, effects)
    });
    let version = world.at(0, |gossip, now, effects| {
        gossip.handle_datagram(node(1), &[9, 2], now, effects)
    });

    assert_eq!(stranger, Err(Refused::Stranger { node: node(77) }));
    assert_eq!(version, Err(Refused::Version { version: 9 }));
    let counters = world.gossip(0).counters();
    assert_eq!((counters.strangers, counters.malformed), (1, 1));
    assert!(world.gossip_mut(0).accept_exchange(node(77)).is_err());
}
