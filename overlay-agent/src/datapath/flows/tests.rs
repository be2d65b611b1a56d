use overlay_common::{
    address::Address,
    flow::{FLOW_FORWARD, FLOW_REVERSE, STATE_OPEN},
};

use super::*;

const VIP: Address = Address::from_v4([10, 0, 0, 9]);
const CLIENT: Address = Address::from_v4([10, 0, 0, 2]);
const TASK: Address = Address::from_v4([10, 0, 0, 3]);

fn key(protocol: u8, port: u16) -> FlowKey {
    FlowKey {
        source: CLIENT,
        destination: VIP,
        scope: FlowKey::scope(7, protocol),
        source_port: port.to_be_bytes(),
        destination_port: [0, 80],
    }
}

fn flow(kind: u8, address: Address, state: u8) -> Flow {
    Flow {
        address,
        partner: Address::UNSPECIFIED,
        backend: 1,
        service: 1,
        vni: 7,
        peer: 0,
        seen: 0,
        port: [0, 80],
        kind,
        state,
        flags: 0,
        partner_port: [0; 2],
        _reserved: [0; 5],
    }
}

#[test]
fn every_protocol_has_its_time() {
    let seconds = Duration::from_secs;
    let timeouts = Timeouts {
        tcp: seconds(5),
        tcp_closing: seconds(4),
        udp: seconds(3),
        sctp: seconds(2),
        other: seconds(1),
    };
    let cases = [
        (6, STATE_OPEN, 5),
        (6, STATE_CLOSING, 4),
        (6, STATE_NEW, 4),
        (17, STATE_NEW, 3),
        (17, STATE_OPEN, 3),
        (136, STATE_OPEN, 3),
        (132, STATE_OPEN, 2),
        (33, STATE_OPEN, 2),
        (1, STATE_OPEN, 1),
        (47, STATE_OPEN, 1),
    ];
    for (protocol, state, expected) in cases {
        let flow = flow(FLOW_FORWARD, TASK, state);
        assert_eq!(
            timeouts.of(&key(protocol, 1), &flow),
            expected,
            "{protocol}"
        );
    }
    assert_eq!(timeouts.shortest(), seconds(1));
}

#[test]
fn a_table_makes_room_before_it_is_full() {
    assert_eq!(excess(0, 1600), 0);
    assert_eq!(excess(1500, 1600), 0);
    assert_eq!(excess(1501, 1600), 101);
    assert_eq!(excess(1600, 1600), 200);
    assert_eq!(excess(2, 2), 0, "a small table is used whole");
}

/// Flows by age; the answers came `later` seconds after the last packet of the client.
fn table(ages: &[u64], later: u64) -> BTreeMap<FlowKey, (FlowKey, u64)> {
    let mut flows = BTreeMap::new();
    for (port, age) in (1..).zip(ages) {
        let there = key(6, port);
        let forward = flow(FLOW_FORWARD, TASK, STATE_OPEN);
        let back = forward.twin(&there);
        let reverse = flow(FLOW_REVERSE, VIP, STATE_OPEN);
        assert_eq!(reverse.twin(&back), there);
        flows.insert(there, (back, *age));
        flows.insert(back, (there, age - later));
    }
    flows
}

fn ports(keys: &[FlowKey]) -> Vec<u16> {
    let mut ports: Vec<u16> = keys
        .iter()
        .filter(|key| key.destination == VIP)
        .map(|key| u16::from_be_bytes(key.source_port))
        .collect();
    ports.sort_unstable();
    ports
}

#[test]
fn the_oldest_flows_leave_first_and_whole() {
    let flows = table(&[50, 900, 10, 70, 800], 5);

    let four = oldest(&flows, 4);
    assert_eq!((four.len(), ports(&four)), (4, vec![2, 5]));
    let three = oldest(&flows, 3);
    assert_eq!((three.len(), ports(&three)), (4, vec![2, 5]));
    assert_eq!(oldest(&flows, 100).len(), 10);
    assert_eq!(oldest(&flows, 0), []);
}

#[test]
fn a_flow_is_as_young_as_its_last_packet_in_either_direction() {
    let mut flows = table(&[50, 900], 0);
    let back = flows[&key(6, 2)].0;
    flows.get_mut(&back).unwrap().1 = 1;

    assert_eq!(ports(&oldest(&flows, 2)), [1]);
}
