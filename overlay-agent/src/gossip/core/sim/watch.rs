//! Nodes that look after one another.

use std::{collections::BTreeSet, time::Duration};

use super::{super::Event, World, node};

/// Five nodes, of which each looks after all others.
fn watchful(seed: u64) -> World {
    let mut world = World::settled(seed, 5);
    watch(&mut world);
    world.run_for(Duration::from_secs(2));
    for at in 0..5 {
        drop(world.gossip_mut(at).take_changes());
    }
    world.events.clear();
    world
}

fn watch(world: &mut World) {
    for at in world.alive() {
        let others: BTreeSet<_> = (0..5).filter(|other| *other != at).map(node).collect();
        world.at(at, |gossip, now, effects| {
            gossip.watch(&others, now, effects);
        });
    }
}

/// How long it takes until every other node suspects a node, or holds it to have failed.
fn found_out(world: &mut World, gone: usize) -> (Duration, Duration) {
    let begun = world.now;
    let (mut suspected, mut failed) = (BTreeSet::new(), BTreeSet::new());
    let (mut all_suspect, mut all_failed) = (None, None);
    while all_failed.is_none() && world.since(begun) < Duration::from_secs(30) {
        world.run_for(Duration::from_millis(10));
        for at in world.alive() {
            let changes = world.gossip_mut(at).take_changes();
            if changes.suspects.get(&node(gone)) == Some(&true) {
                suspected.insert(at);
            }
            if changes.failed.get(&node(gone)) == Some(&true) {
                failed.insert(at);
                suspected.insert(at);
            }
        }
        if suspected.len() == world.alive().len() {
            all_suspect.get_or_insert(world.since(begun));
        }
        if failed.len() == world.alive().len() {
            all_failed.get_or_insert(world.since(begun));
        }
    }
    (all_suspect.expect("suspected"), all_failed.expect("failed"))
}

#[test]
fn a_node_that_is_gone_is_suspected_and_failed_in_time() {
    for seed in 0..40 {
        let mut world = watchful(seed);
        // At any moment between two questions.
        world.run_for(Duration::from_millis(seed * 25));

        world.crash(4);
        let (suspected, failed) = found_out(&mut world, 4);

        assert!(
            suspected <= Duration::from_millis(1500),
            "seed {seed}: {suspected:?}"
        );
        assert!(
            failed <= Duration::from_millis(2900),
            "seed {seed}: {failed:?}"
        );
    }
}

#[test]
fn a_node_that_is_gone_is_found_out_although_packets_are_lost() {
    for seed in 100..120 {
        let mut world = watchful(seed);
        world.wires.loss = 0.02;

        world.crash(4);
        let (suspected, failed) = found_out(&mut world, 4);

        assert!(
            suspected <= Duration::from_millis(1500),
            "seed {seed}: {suspected:?}"
        );
        assert!(failed <= Duration::from_secs(3), "seed {seed}: {failed:?}");
    }
}

#[test]
fn nobody_who_answers_fails_because_packets_are_lost() {
    let mut world = watchful(7);
    world.wires.loss = 0.05;

    world.run_for(Duration::from_mins(10));

    let failed = |event: &Event| matches!(event, Event::MemberFailed(_));
    let failures = world
        .events
        .iter()
        .filter(|(_, _, event)| failed(event))
        .count();
    assert_eq!(failures, 0);
    world.wires.loss = 0.0;
    world.run_for(Duration::from_secs(3));
    for at in 0..5 {
        let suspects = world.gossip_mut(at).take_changes().suspects;
        assert!(
            suspects.values().all(|is_suspect| !is_suspect),
            "{suspects:?}"
        );
    }
}

#[test]
fn who_cannot_reach_a_node_sends_it_no_new_flows_and_leaves_it_in_the_cluster() {
    let mut world = watchful(9);
    world.cut(0, 4);

    world.run_for(Duration::from_secs(20));

    assert_eq!(
        world.gossip_mut(0).take_changes().suspects.get(&node(4)),
        Some(&true)
    );
    assert_eq!(
        world.gossip_mut(1).take_changes().suspects.get(&node(4)),
        None
    );
    let failed = |event: &Event| matches!(event, Event::MemberFailed(_));
    assert!(
        !world.events.iter().any(|(_, _, event)| failed(event)),
        "{:?}",
        world.events
    );
    world.mend();
    world.run_for(Duration::from_secs(2));
    assert_eq!(
        world.gossip_mut(0).take_changes().suspects.get(&node(4)),
        Some(&false)
    );
}

#[test]
fn a_withdrawal_is_known_to_all_within_200_ms() {
    let mut late = Vec::new();
    for seed in 0..20 {
        let mut world = World::settled(seed, 25);
        world.wires.loss = 0.01;
        for at in 0..25 {
            let claim = super::quiet::claim(at, 1);
            world.at(at, |gossip, now, effects| {
                gossip.claim(&claim, now, effects).unwrap();
            });
        }
        world.run_for(Duration::from_secs(5));

        let gone = super::quiet::claim(3, 1);
        world.at(3, |gossip, now, effects| {
            assert!(gossip.withdraw(gone.vni, gone.address, now, effects));
        });
        let known = |world: &World| {
            (0..25).all(|at| {
                let claims = world.gossip(at).observed().claims;
                at == 3 || !claims.contains_key(&(gone.vni, gone.address))
            })
        };
        let begun = world.now;
        world.wait(Duration::from_millis(5), Duration::from_secs(5), known);
        late.push(world.since(begun));
    }
    late.sort();
    assert!(late[17] <= Duration::from_millis(200), "{late:?}");
    assert!(late[19] <= Duration::from_secs(2), "{late:?}");
}
