//! Addresses: thirty hosts on one small network.

use std::{collections::BTreeSet, net::IpAddr};

use overlay_tests::{
    Swarm,
    swarm::{AGREED, await_reply},
};

const HOSTS: usize = 30;

#[test]
fn thirty_nodes_attach_to_one_default_network() {
    let names: Vec<String> = (0..HOSTS).map(|number| format!("h{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let swarm = Swarm::start(&names, 1).expect("a swarm");
    swarm.network("small", &[]).expect("a network");

    let mut guests = Vec::new();
    for place in 0..HOSTS {
        let name = format!("c{place}");
        guests.push(swarm.guest(place, "small", &name).expect("a container"));
    }

    let addresses: BTreeSet<IpAddr> = guests
        .iter()
        .flat_map(|(_, eth0)| eth0.addresses())
        .collect();
    assert_eq!(addresses.len(), HOSTS, "no address is given twice");
    let (first, _) = &guests[0];
    for address in &addresses {
        await_reply(first, *address, AGREED).expect("every one of them answers");
    }
}
