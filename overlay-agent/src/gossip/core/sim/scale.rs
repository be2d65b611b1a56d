//! One node that knows very many endpoints.

use std::time::{Duration, Instant};

use super::{World, print_row, size, vni};
use crate::model::Claim;

/// A network with many endpoints that two nodes attend: one claims them all, the other comes later.
#[test]
fn a_large_network_is_learned_by_one_exchange() {
    let endpoints = size("OVERLAY_SIM_ROWS", 5_000);
    let mut world = World::new(9);
    world.admit(0);
    world.admit(1);
    let claims = (0..endpoints)
        .map(|number| {
            let host = u32::try_from(number).unwrap();
            Claim {
                vni: vni(0),
                address: std::net::Ipv4Addr::from(0x0a00_0000 + host).into(),
                name: format!("web-{number}"),
                endpoint: format!("{host:064x}"),
                mac: None,
                index: 1,
            }
        })
        .collect();
    world.boot(0, claims);
    world.boot(1, Vec::new());
    world.run_for(Duration::from_secs(3));
    let before = (resident(), world.total());

    let began = Instant::now();
    world.at(1, |gossip, now, effects| {
        gossip.attend(vni(0), now, effects);
    });
    let has_all = world.wait(
        Duration::from_millis(100),
        Duration::from_secs(10),
        |world| {
            let ledger = world
                .gossip(1)
                .table
                .ledger(super::super::topic::Topic::Network(vni(0)));
            ledger.unwrap().addresses().count() == endpoints
        },
    );
    let took = began.elapsed();
    drop(world.gossip_mut(1).take_changes());

    let sent = world.total().stream_bytes - before.1.stream_bytes;
    let rows = endpoints as u64;
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
    assert!(has_all);
}

/// Resident memory of this process, bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = status.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}
