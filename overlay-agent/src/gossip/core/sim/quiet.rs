//! How fast news reaches everybody in a cluster of 25.

use std::{collections::BTreeMap, time::Duration};

use rand::{RngExt, seq::IndexedRandom};

use super::{World, each, node, percentile, print_row, size, vni};
use crate::model::{Claim, NodeId};

const NODES: usize = 25;

pub(super) fn claim(number: usize, index: u64) -> Claim {
    let number = u32::try_from(number).unwrap();
    Claim {
        aliases: Vec::new(),
        task: None,
        vni: vni(0),
        address: std::net::Ipv4Addr::from(0x0a00_0000 + number).into(),
        name: format!("web-{number}"),
        endpoint: format!("{number:064x}"),
        mac: None,
        index,
    }
}

fn everyone_attends(world: &mut World) {
    for at in 0..NODES {
        world.at(at, |gossip, now, effects| {
            gossip.attend(vni(0), now, effects);
        });
    }
    world.run_for(Duration::from_secs(10));
    assert!(world.all_agree_on_members());
}

/// How long each of the others took to see what `act` does at one node.
fn reach(
    world: &mut World,
    from: usize,
    claim: &Claim,
    is_claim: bool,
    most: Duration,
) -> Vec<Duration> {
    let start = world.now;
    world.at(from, |gossip, now, effects| {
        if is_claim {
            gossip.claim(claim, now, effects).unwrap();
        } else {
            assert!(gossip.withdraw(claim.vni, claim.address, now, effects));
        }
    });
    let mut seen: BTreeMap<usize, Duration> = BTreeMap::new();
    world.wait(Duration::from_millis(1), most, |world| {
        for at in world.alive() {
            let winner = world.gossip(at).table.winner(claim.vni, claim.address);
            if winner.is_some() == is_claim {
                seen.entry(at).or_insert(world.since(start));
            }
        }
        seen.len() + usize::from(is_claim) >= NODES
    });
    (0..NODES)
        .filter(|at| *at != from)
        .map(|at| seen.get(&at).copied().unwrap_or(most))
        .collect()
}

fn measure(world: &mut World, what: &str, rounds: usize) -> Duration {
    let mut claims = Vec::new();
    let mut withdrawals = Vec::new();
    let before = world.total();
    let start = world.now;
    for round in 0..rounds {
        let from = world.rng.random_range(0..NODES);
        let claim = claim(round, 1);
        claims.extend(reach(world, from, &claim, true, Duration::from_mins(1)));
        withdrawals.extend(reach(world, from, &claim, false, Duration::from_mins(1)));
        world.run_for(Duration::from_millis(300));
    }
    let sent = world.total().bytes - before.bytes;
    let rate = each(sent / world.since(start).as_secs().max(1), NODES);
    for (word, times) in [("claims", &mut claims), ("withdrawals", &mut withdrawals)] {
        print_row(
            &format!("{what}: {word}"),
            &[
                ("p50", format!("{:?}", percentile(times, 50))),
                ("p99", format!("{:?}", percentile(times, 99))),
                ("worst", format!("{:?}", percentile(times, 100))),
                ("bytes/s/node", rate.clone()),
            ],
        );
    }
    percentile(&mut claims, 99).max(percentile(&mut withdrawals, 99))
}

#[test]
fn news_reaches_25_quiet_nodes_within_the_bar() {
    let rounds = size("OVERLAY_SIM_ROUNDS", 30);
    let mut world = World::settled(1, NODES);
    everyone_attends(&mut world);

    assert!(measure(&mut world, "25 nodes quiet", rounds) <= Duration::from_millis(800));

    world.wires.loss = 0.01;
    assert!(measure(&mut world, "25 nodes quiet, 1 % loss", rounds) <= Duration::from_millis(800));
}

/// Nodes crash and come back, containers come and go everywhere, and one in fifty datagrams is lost.
#[test]
fn news_reaches_25_nodes_under_churn_within_the_bar() {
    let mut world = World::settled(2, NODES);
    everyone_attends(&mut world);
    world.wires.loss = 0.02;
    let mut times = Vec::new();
    let mut own: BTreeMap<NodeId, Vec<Claim>> = BTreeMap::new();
    let mut pending: Vec<(Duration, usize, Claim)> = Vec::new();
    let mut down: Vec<usize> = Vec::new();
    for step in 0..size("OVERLAY_SIM_ROUNDS", 30) * 30 {
        let alive = world.alive();
        let at = *alive.choose(&mut world.rng).unwrap();
        let fresh = claim(1000 + step, 1);
        let claims = own.entry(node(at)).or_default();
        claims.push(fresh.clone());
        let old = (claims.len() > 20).then(|| claims.remove(0));
        world.at(at, |gossip, now, effects| {
            gossip.claim(&fresh, now, effects).unwrap();
            if let Some(old) = old {
                gossip.withdraw(old.vni, old.address, now, effects);
            }
        });
        pending.push((world.now, at, fresh));
        if step % 100 == 50 && down.len() < 3 {
            world.crash(at);
            down.push(at);
            pending.retain(|(_, owner, _)| *owner != at);
        }
        if step % 100 == 0 && !down.is_empty() {
            let back = down.remove(0);
            let claims = own.get(&node(back)).cloned().unwrap_or_default();
            world.boot(back, claims);
        }
        world.run_for(Duration::from_millis(20));
        collect(&world, &mut pending, &mut times);
    }
    world.run_for(Duration::from_secs(2));
    collect(&world, &mut pending, &mut times);
    times.extend(pending.iter().map(|(since, ..)| world.since(*since)));

    print_row(
        "25 nodes under churn, 2 % loss: known by all",
        &[
            ("p50", format!("{:?}", percentile(&mut times, 50))),
            ("p90", format!("{:?}", percentile(&mut times, 90))),
            ("p99", format!("{:?}", percentile(&mut times, 99))),
            ("worst", format!("{:?}", percentile(&mut times, 100))),
        ],
    );
    assert!(percentile(&mut times, 90) <= Duration::from_secs(2));
}

/// Takes the claims that all know by now.
fn collect(world: &World, pending: &mut Vec<(Duration, usize, Claim)>, times: &mut Vec<Duration>) {
    pending.retain(|(since, owner, claim)| {
        let is_gone = world
            .gossip(*owner)
            .table
            .own_claim(claim.vni, claim.address)
            .is_none();
        let knows = |at: usize| {
            at == *owner
                || world
                    .gossip(at)
                    .table
                    .winner(claim.vni, claim.address)
                    .is_some()
        };
        let is_known = world.alive().into_iter().all(knows);
        if is_known {
            times.push(world.since(*since));
        }
        !is_known && !is_gone
    });
}
