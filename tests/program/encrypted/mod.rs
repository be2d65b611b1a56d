//! Encrypted networks: what leaves is marked and goes by way of the kernel, what comes otherwise is dropped.
//!
//! The kernel gives test packets no tunnel metadata, so what `from_tunnel` does is tested with its device.

mod mesh;
mod way_in;
mod way_out;

use aya::maps::HashMap;
use overlay_common::{
    abi,
    encryption::{MARK, inbound, outbound},
    endpoint::{ENDPOINT_ENCRYPTED, Endpoint, EndpointKey},
    interface::{INTERFACE_ENCRYPTED, Interface},
    network::{NETWORK_ENCRYPTED, Network},
    reason::Reason,
    walk::Walk,
};

use crate::{
    fixture::{Action, CLIENT, CLIENT_MAC, CLIENT_V6, Fixture, Outcome, SERVER, SERVER_V6, VNI},
    packet::{self, Ipv4, ethernet},
};

/// A mark that is somebody else's.
const FOREIGN: u32 = 0x1200_0034;

/// The small world with its network encrypted.
fn encrypted() -> Fixture {
    let mut fixture = Fixture::new();
    let mut networks: HashMap<_, u32, Network> = fixture.map(abi::map::NETWORK);
    let mut network = networks.get(&VNI, 0).expect("the network");
    network.flags |= NETWORK_ENCRYPTED;
    networks.insert(VNI, network, 0).expect("insert");

    let mut interfaces: HashMap<_, u32, Interface> = fixture.map(abi::map::INTERFACE);
    let mut interface = interfaces.get(&1, 0).expect("the client");
    interface.flags |= INTERFACE_ENCRYPTED;
    interfaces.insert(1, interface, 0).expect("insert");

    let mut endpoints: HashMap<_, EndpointKey, Endpoint> = fixture.map(abi::map::ENDPOINT);
    let keys: Vec<EndpointKey> = endpoints.keys().map(|key| key.expect("a key")).collect();
    for key in keys {
        let mut endpoint = endpoints.get(&key, 0).expect("an endpoint");
        endpoint.flags |= ENDPOINT_ENCRYPTED;
        endpoints.insert(key, endpoint, 0).expect("insert");
    }
    fixture
}

fn to(destination: [u8; 4], payload: usize) -> Vec<u8> {
    let ip = Ipv4 {
        flags_offset: Ipv4::DF,
        ..Ipv4::udp()
    };
    let udp = packet::udp(1000, 2000, &vec![7; payload]);
    ethernet(
        CLIENT_MAC,
        [2, 1, 1, 1, 1, 1],
        0x0800,
        &ip.around(CLIENT, destination, &udp),
    )
}

fn to_v6(destination: [u8; 16], payload: usize) -> Vec<u8> {
    let udp = packet::udp(1000, 2000, &vec![7; payload]);
    let ip = packet::ipv6(CLIENT_V6, destination, 17, &udp);
    ethernet(CLIENT_MAC, [2, 1, 1, 1, 1, 1], 0x86dd, &ip)
}

fn expect(outcome: &Outcome, action: Action, walk: Walk) {
    assert_eq!(outcome.reasons, []);
    assert_eq!(outcome.walks, [(walk, 1)]);
    assert_eq!(outcome.action, action);
}

fn expect_drop(outcome: &Outcome, reason: Reason) {
    assert_eq!(outcome.walks, []);
    assert_eq!(outcome.reasons, [(reason, 1)]);
    assert_eq!(outcome.action, Action::Drop);
}

/// Passed on untouched and uncounted.
fn expect_pass(outcome: &Outcome, packet: &[u8]) {
    assert_eq!(outcome.action, Action::Pass);
    assert_eq!(
        (&outcome.walks[..], &outcome.reasons[..]),
        (&[][..], &[][..])
    );
    assert_eq!(outcome.packet, packet);
}
