//! Bytes that nobody meant.

use std::{cell::RefCell, time::Duration};

use proptest::prelude::*;

use super::{
    super::{Gossip, Refused, exchange::Exchange, wire::opened},
    World, node, vni,
};
use crate::model::Claim;

fn busy() -> World {
    let mut world = World::settled(1, 3);
    for at in 0..3u8 {
        let claim = Claim {
            aliases: Vec::new(),
            task: None,
            vni: vni(0),
            address: std::net::Ipv4Addr::new(10, 0, 0, at).into(),
            name: "web".to_owned(),
            endpoint: "ab".repeat(32),
            mac: None,
            index: 1,
        };
        world.at(at.into(), |gossip, now, effects| {
            gossip.claim(&claim, now, effects).unwrap();
        });
    }
    world.run_for(Duration::from_secs(2));
    world
}

/// What nodes really say to node 0: datagrams and frames.
fn overheard(world: &mut World) -> Vec<Vec<u8>> {
    world.overheard = Some(Vec::new());
    world.run_for(Duration::from_secs(40));
    world.crash(2);
    world.boot(2, Vec::new());
    world.at(1, |gossip, now, effects| {
        gossip.attend(vni(1), now, effects);
    });
    world.run_for(Duration::from_secs(20));
    let mut said = world.overheard.take().unwrap();
    said.sort();
    said.dedup_by_key(|bytes| (bytes[1], bytes.len()));
    said
}

fn hear(gossip: &mut Gossip, bytes: &[u8]) {
    let now = Duration::from_secs(100);
    let mut effects = Vec::new();
    either(gossip.handle_datagram(node(1), bytes, now, &mut effects));
    for mut exchange in sides(gossip) {
        either(gossip.handle_frame(&mut exchange, bytes, now, &mut effects));
        while gossip.next_frame(&mut exchange).is_some() {}
        gossip.end_exchange(exchange, now, &mut effects);
    }
}

/// Whether it is taken or refused does not matter here.
fn either(_: Result<(), Refused>) {}

/// An exchange that the node has begun and waits for the answer, and one that another node begins.
fn sides(gossip: &mut Gossip) -> [Exchange; 2] {
    let mut own = gossip.begin_exchange(node(1));
    while gossip.next_frame(&mut own).is_some() {}
    [own, gossip.accept_exchange(node(1)).unwrap()]
}

#[test]
fn any_bytes_are_heard_without_harm() {
    let mut world = busy();
    let own = world.gossip(0).table.own_addresses(vni(0));
    let gossip = RefCell::new(world.gossip_mut(0));
    let strategy = (0..30u8, proptest::collection::vec(any::<u8>(), 0..300));

    proptest!(|((kind, bytes) in strategy)| {
        let message: Vec<u8> = [1, kind].into_iter().chain(bytes.iter().copied()).collect();
        hear(&mut gossip.borrow_mut(), &bytes);
        hear(&mut gossip.borrow_mut(), &message);
    });

    assert_eq!(gossip.borrow().table.own_addresses(vni(0)), own);
}

#[test]
fn what_was_changed_on_its_way_is_heard_without_harm() {
    let mut world = busy();
    let said = overheard(&mut world);
    assert!(said.len() > 15, "{}", said.len());
    let gossip = RefCell::new(world.gossip_mut(0));
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let strategy = (
        any::<prop::sample::Index>(),
        changes,
        any::<prop::sample::Index>(),
    );

    proptest!(|((which, changes, length) in strategy)| {
        let mut bytes = which.get(&said).clone();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        hear(&mut gossip.borrow_mut(), &bytes);
        bytes.truncate(length.index(bytes.len() + 1));
        hear(&mut gossip.borrow_mut(), &bytes);
    });
}

#[test]
fn a_length_that_lies_costs_nothing() {
    // A span that announces 2^60 rows.
    let mut bytes = vec![1, 2, 0];
    bytes.extend([7; 16]);
    bytes.extend([1, 0, 0, 0, 0]);
    bytes.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]);

    let (_, items) = opened(&bytes).unwrap();

    assert!(super::super::wire::spans(items).is_err());
}
