//! A node that is cut off for a minute, and halves that lose each other.

use std::time::Duration;

use super::{super::Event, World, node, print_row, size, vni};
use crate::model::Claim;

const NODES: usize = 25;

fn claim(at: usize, number: usize) -> Claim {
    let at8 = u8::try_from(at).unwrap();
    Claim {
        aliases: Vec::new(),
        task: None,
        vni: vni(0),
        address: std::net::Ipv4Addr::new(10, 0, at8, u8::try_from(number).unwrap()).into(),
        name: format!("web-{at}-{number}"),
        endpoint: format!("{:064x}", at * 1000 + number),
        mac: None,
        index: 1,
    }
}

fn busy(seed: u64) -> World {
    let mut world = World::settled(seed, NODES);
    world.wires.loss = 0.01;
    for at in 0..NODES {
        for number in 0..20 {
            let claim = claim(at, number);
            world.at(at, |gossip, now, effects| {
                gossip.claim(&claim, now, effects).unwrap();
            });
        }
    }
    world.run_for(Duration::from_secs(10));
    assert!(world.all_right());
    world.events.clear();
    world
}

fn change_something(world: &mut World) {
    for at in 0..NODES {
        let (gone, new) = (claim(at, 0), claim(at, 100));
        world.at(at, |gossip, now, effects| {
            gossip.withdraw(gone.vni, gone.address, now, effects);
            gossip.claim(&new, now, effects).unwrap();
        });
    }
}

#[test]
fn a_node_cut_off_for_a_minute_is_back_within_two_seconds() {
    for seed in 0..size("OVERLAY_SIM_SPLITS", 2) as u64 {
        let mut world = busy(10 + seed);
        world.split(7, 1);
        world.run_for(Duration::from_secs(30));
        change_something(&mut world);
        world.run_for(Duration::from_secs(30));
        let cut: Vec<_> = std::mem::take(&mut world.events);
        let failed =
            |event: &Event| matches!(event, Event::MemberFailed(other) if *other != node(7));
        assert!(!cut.iter().any(|(_, at, event)| *at != 7 && failed(event)));

        world.heal();
        let healed = world.now;
        let is_back = world.wait(
            Duration::from_millis(20),
            Duration::from_secs(10),
            |world| world.all_agree_on_members() && world.all_right(),
        );
        let took = world.since(healed);

        print_row(
            "25 nodes, one cut off for 60 s: all tables right",
            &[("after", format!("{took:?}"))],
        );
        world.run_for(Duration::from_secs(20));
        let disturbed = world
            .events
            .iter()
            .find(|(_, _, event)| matches!(event, Event::MemberFailed(_)));
        assert!(is_back && took <= Duration::from_secs(2));
        assert_eq!(disturbed, None);
        assert!(world.all_right());
    }
}

#[test]
fn two_halves_find_each_other_again() {
    let mut world = busy(3);
    for at in 0..NODES / 2 {
        world.split(at, 1);
    }
    world.run_for(Duration::from_secs(30));
    change_something(&mut world);
    world.run_for(Duration::from_secs(30));
    world.heal();
    let healed = world.now;

    let is_back = world.wait(
        Duration::from_millis(20),
        Duration::from_secs(30),
        |world| world.all_agree_on_members() && world.all_right(),
    );

    print_row(
        "25 nodes, halves apart for 60 s: all tables right",
        &[("after", format!("{:?}", world.since(healed)))],
    );
    assert!(is_back && world.since(healed) <= Duration::from_secs(10));
}
