//! Many nodes join at 50 per second while one in a hundred datagrams is lost.

use std::time::{Duration, Instant};

use super::{World, each, print_row, size, vni};
use crate::model::Claim;

fn claims(at: usize, networks: usize, share: usize, endpoints: usize) -> Vec<Claim> {
    (0..endpoints)
        .map(|number| {
            let network = (at + number % share) % networks;
            let host = u32::try_from(at * endpoints + number).unwrap();
            Claim {
                aliases: Vec::new(),
                task: None,
                vni: vni(network),
                address: std::net::Ipv4Addr::from(0x0a00_0000 + host).into(),
                name: format!("web-{number}"),
                endpoint: format!("{host:064x}"),
                mac: None,
                index: 1,
            }
        })
        .collect()
}

#[test]
fn all_agree_a_minute_after_the_last_of_many_joins() {
    let nodes = size("OVERLAY_SIM_NODES", 40);
    let endpoints = size("OVERLAY_SIM_ENDPOINTS", 10);
    // Each node attends `share` of the networks; by default so many nodes attend each.
    let share = size("OVERLAY_SIM_SHARE", 5);
    let networks = size("OVERLAY_SIM_NETWORKS", nodes);
    let mut world = World::new(5);
    world.wires.loss = 0.01;
    let began = Instant::now();
    for at in 0..nodes {
        world.admit(at);
        world.boot(at, claims(at, networks, share, endpoints));
        world.run_for(Duration::from_millis(20));
    }
    let last = world.now;
    let is_met = world.wait(
        Duration::from_millis(500),
        Duration::from_mins(2),
        World::all_agree_on_members,
    );
    let met = world.since(last);
    let is_right = world.wait(
        Duration::from_millis(500),
        Duration::from_mins(2),
        World::all_tables_are_equal,
    );
    let right = world.since(last);
    let joining = world.total();

    world.run_for(Duration::from_secs(30));
    let rest = world.total();
    let per_second = |bytes: u64| each(bytes / 30, nodes);
    print_row(
        &format!("{nodes} nodes x {endpoints}, 50 joins/s, 1 % loss"),
        &[
            ("members", format!("{met:?}")),
            ("tables", format!("{right:?}")),
            ("UDP kB/node", each(joining.bytes / 1000, nodes)),
            ("TCP kB/node", each(joining.stream_bytes / 1000, nodes)),
            (
                "at rest UDP B/s/node",
                per_second(rest.bytes - joining.bytes),
            ),
            (
                "TCP B/s/node",
                per_second(rest.stream_bytes - joining.stream_bytes),
            ),
            ("computed in", format!("{:?}", began.elapsed())),
        ],
    );
    assert!(
        is_met && is_right && world.all_right(),
        "{:?}",
        world.alive().into_iter().find_map(|at| world.wrong(at))
    );
    assert!(met <= Duration::from_mins(1) && right <= Duration::from_mins(1));
}
