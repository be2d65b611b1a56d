//! Many nodes join at 50 per second while one in a hundred datagrams is lost.

use std::time::{Duration, Instant};

use super::{World, print_row, size, vni};
use crate::model::Claim;

/// Networks that one node attends, and nodes that attend one network.
const SHARE: usize = 5;

fn claims(at: usize, nodes: usize, endpoints: usize) -> Vec<Claim> {
    (0..endpoints)
        .map(|number| {
            let network = (at + number % SHARE) % nodes;
            let host = u32::try_from(at * endpoints + number).unwrap();
            Claim {
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
    let nodes = size("OVERLAY_SIM_NODES", 60);
    let endpoints = size("OVERLAY_SIM_ENDPOINTS", 20);
    let mut world = World::new(5);
    world.wires.loss = 0.01;
    let began = Instant::now();
    for at in 0..nodes {
        world.admit(at);
        world.boot(at, claims(at, nodes, endpoints));
        world.run_for(Duration::from_millis(20));
    }
    let last = world.now;
    let is_met = world.wait(
        Duration::from_millis(500),
        Duration::from_secs(120),
        |world| world.all_agree_on_members(),
    );
    let met = world.now - last;
    let is_right = world.wait(
        Duration::from_millis(500),
        Duration::from_secs(120),
        World::all_right,
    );
    let right = world.now - last;
    let joining = world.total();

    world.run_for(Duration::from_secs(30));
    let rest = world.total();
    let per_second = |bytes: u64| format!("{:.0}", bytes as f64 / 30.0 / nodes as f64);
    print_row(
        &format!("{nodes} nodes x {endpoints}, 50 joins/s, 1 % loss"),
        &[
            ("members", format!("{met:?}")),
            ("tables", format!("{right:?}")),
            (
                "UDP MB/node",
                format!("{:.2}", joining.bytes as f64 / 1e6 / nodes as f64),
            ),
            (
                "TCP MB/node",
                format!("{:.2}", joining.stream_bytes as f64 / 1e6 / nodes as f64),
            ),
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
        is_met && is_right,
        "{:?}",
        world.alive().into_iter().find_map(|at| world.wrong(at))
    );
    assert!(met <= Duration::from_secs(60) && right <= Duration::from_secs(60));
}
