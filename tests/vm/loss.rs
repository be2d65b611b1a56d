//! An underlay that loses packets and lets them overtake one another.

use overlay_tests::traffic::Exchange;

use crate::{
    kernel,
    scene::{Scene, of_family},
};

/// Some packets do not wait as long as the others.
const REORDERING: &str = "netem delay 5ms reorder 30% 50%";

/// The same, and some are lost.
const LOSS: &str = "netem delay 5ms reorder 30% 50% loss 1%";

/// How often a datagram of several fragments is sent anew. Its answer is lost where a later fragment overtakes the
/// first, which alone says whose it is.
const ATTEMPTS: usize = 12;

/// Payload of three packets.
const LARGE: usize = 4000;

/// Makes the ways between the hosts bad, in both directions.
fn impair(scene: &Scene, how: &str) {
    for host in &scene.swarm.hosts()[..2] {
        let mut command = vec!["qdisc", "replace", "dev", "eth0", "root"];
        command.extend(how.split(' '));
        host.namespace().exec("tc", &command).expect("netem");
    }
}

#[test]
fn virtual_addresses_bear_loss_and_reordering() {
    kernel::load("sch_netem");
    let scene = Scene::new("tcp").expect("a scene");
    let exchanges = scene.vips.iter().map(|vip| {
        let address = of_family(&scene.task.1.addresses(), *vip).expect("an address");
        let exchange = Exchange {
            client: scene.client.0.namespace(),
            server: scene.task.0.namespace(),
            address,
        };
        (exchange, *vip)
    });
    let exchanges: Vec<_> = exchanges.collect();

    impair(&scene, REORDERING);
    for (exchange, vip) in &exchanges {
        exchange.udp_by(*vip, &[1000; 20]).expect("datagrams");
        let mut attempts = (0..ATTEMPTS).map(|_attempt| exchange.udp_by(*vip, &[LARGE]));
        assert!(attempts.any(|answered| answered.is_ok()), "{vip}");
    }
    impair(&scene, LOSS);
    for (exchange, vip) in &exchanges {
        let seen = exchange.tcp_by(*vip, &[1, 1000, 300_000]).expect("TCP");
        assert!(scene.client.1.addresses().contains(&seen), "{seen}");
    }
}
