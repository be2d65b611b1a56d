//! One node that knows very many endpoints.

use std::time::{Duration, Instant};

use super::{super::topic::Topic, World, print_row, size, vni};
use crate::model::Claim;

/// A network with many endpoints: one node claims them all, and others come one after the other. What
/// the first of them needed for a moment only is used again by the next.
#[test]
fn a_large_network_is_learned_by_one_exchange() {
    let endpoints = size("OVERLAY_SIM_ROWS", 2_000);
    let mut world = World::new(9);
    for at in 0..5 {
        world.admit(at);
    }
    world.boot(0, claims(endpoints));
    for at in 1..5 {
        world.boot(at, Vec::new());
    }
    world.run_for(Duration::from_millis(3300));
    learn(&mut world, 1, endpoints);
    let before = (resident(), world.total());

    let began = Instant::now();
    for at in 2..5 {
        learn(&mut world, at, endpoints);
    }
    let took = began.elapsed() / 3;

    let sent = world.total().stream_bytes - before.1.stream_bytes;
    let rows = 3 * endpoints as u64;
    print_row(
        &format!("{endpoints} endpoints learned by one exchange"),
        &[
            ("computed in", format!("{took:?}")),
            ("bytes on the wire each", (sent / rows).to_string()),
            (
                "resident bytes each",
                (resident().saturating_sub(before.0) / rows).to_string(),
            ),
        ],
    );
    assert!(sent / rows < 100);
}

fn claims(endpoints: usize) -> Vec<Claim> {
    (0..endpoints)
        .map(|number| {
            let host = u32::try_from(number).unwrap();
            Claim {
                aliases: Vec::new(),
                task: None,
                vni: vni(0),
                address: std::net::Ipv4Addr::from(0x0a00_0000 + host).into(),
                name: format!("web-{number}"),
                endpoint: format!("{host:064x}"),
                mac: None,
                index: 1,
            }
        })
        .collect()
}

fn learn(world: &mut World, at: usize, endpoints: usize) {
    world.at(at, |gossip, now, effects| {
        gossip.attend(vni(0), now, effects);
    });
    let knows_all = |world: &World| {
        let ledger = world.gossip(at).table.ledger(Topic::Network(vni(0)));
        ledger.unwrap().addresses().count() == endpoints
    };
    let most = Duration::from_secs(10);
    assert!(world.wait(Duration::from_millis(100), most, knows_all));
    drop(world.gossip_mut(at).take_changes());
    // Once around everything that is done from time to time.
    world.run_for(Duration::from_secs(31));
}

/// Resident memory of this process, bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = status.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}
