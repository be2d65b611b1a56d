use std::collections::BTreeMap;

use overlay_common::socket::NAMESPACE_NETWORKS;

use super::*;

const BLUE: u32 = 4096;
const RED: u32 = 4097;
const VIP: Address = Address::from_v4([10, 1, 0, 2]);
const TASK: Address = Address::from_v4([10, 1, 0, 7]);
const FAR_TASK: Address = Address::from_v4([10, 1, 0, 70]);
const TRANSIT: Address = Address::from_v4([100, 127, 0, 1]);
const NODE: Address = Address::from_v4([192, 0, 2, 1]);
const PEER: Address = Address::from_v4([192, 0, 2, 2]);
const PORT: [u8; 2] = 80_u16.to_be_bytes();
const PUBLISHED: [u8; 2] = 8080_u16.to_be_bytes();
const NEAR: u32 = 1;
const FAR: u32 = 2;

#[derive(Default)]
struct World {
    vips: BTreeMap<EndpointKey, Vip>,
    ports: BTreeMap<PortKey, PublishedPort>,
    backends: BTreeMap<u32, Backend>,
    ring: Vec<u32>,
    is_closed: bool,
    leaves_packets: bool,
}

impl Tables for World {
    fn vip(&self, key: &EndpointKey) -> Option<&Vip> {
        self.vips.get(key)
    }

    fn port(&self, key: &PortKey) -> Option<&PublishedPort> {
        self.ports.get(key)
    }

    fn choose(&self, ring: Ring, hash: u32) -> Option<u32> {
        let at = ring.first + hash.checked_rem(ring.size)?;
        self.ring.get(at as usize).copied()
    }

    fn backend(&self, number: u32) -> Option<&Backend> {
        self.backends.get(&number)
    }

    fn transit(&self, backend: &Backend) -> Option<Address> {
        (backend.peer == 0).then_some(TRANSIT)
    }

    fn peer(&self, id: u32) -> Option<Address> {
        (id == 9).then_some(PEER)
    }

    fn is_own(&self, address: &Address) -> bool {
        [NODE, NAME_SERVER].contains(address)
    }

    fn balances_packets(&self) -> bool {
        !self.leaves_packets
    }

    fn has_way_out(&self) -> bool {
        !self.is_closed
    }
}

fn ring(first: u32, size: u32) -> Ring {
    Ring { first, size }
}

/// The VIP in blue, and port 8080; slots: near, far, near.
fn world() -> World {
    let mut world = World {
        ring: vec![NEAR, FAR, NEAR],
        ..World::default()
    };
    for (number, address, peer) in [(NEAR, TASK, 0), (FAR, FAR_TASK, 9)] {
        let backend = Backend {
            address,
            vni: BLUE,
            peer,
            service: 1,
            _reserved: 0,
        };
        world.backends.insert(number, backend);
    }
    let vip = Vip {
        ring: ring(0, 2),
        service: 1,
        _reserved: 0,
    };
    world.vips.insert(EndpointKey::new(BLUE, VIP), vip);
    publish(&mut world, ring(0, 2), ring(2, 1), 0);
    world
}

fn publish(world: &mut World, everywhere: Ring, here: Ring, flags: u16) {
    let key = |address| PortKey {
        address,
        port: PUBLISHED,
        protocol: TCP,
        _reserved: [0; 5],
    };
    let port = PublishedPort {
        everywhere,
        here,
        service: 1,
        vni: BLUE,
        target: PORT,
        flags,
        _reserved: 0,
    };
    for address in [EVERY_IPV4, EVERY_IPV6] {
        world.ports.insert(key(address), port);
    }
}

fn namespace(networks: &[u32]) -> Namespace {
    let mut vnis = [0; NAMESPACE_NETWORKS];
    vnis[..networks.len()].copy_from_slice(networks);
    Namespace {
        vnis,
        count: networks.len() as u32,
        flags: 0,
    }
}

fn host_namespace() -> Namespace {
    Namespace {
        flags: NAMESPACE_HOST,
        ..namespace(&[])
    }
}

fn wish(address: Address, port: [u8; 2], hash: u32) -> Wish {
    Wish {
        address,
        port,
        protocol: TCP,
        reach: Reach::V4,
        hash,
    }
}

fn led(decision: Decision) -> (Address, [u8; 2]) {
    match decision {
        Decision::Lead(lead) => (lead.address, lead.port),
        other @ (Decision::Leave | Decision::Refuse) => panic!("{other:?}"),
    }
}

#[test]
fn a_vip_becomes_a_backend_and_keeps_its_port() {
    let world = world();

    let first = decide(&world, &namespace(&[RED, BLUE]), &wish(VIP, PORT, 0));
    let second = decide(&world, &namespace(&[RED, BLUE]), &wish(VIP, PORT, 3));

    assert_eq!(led(first), (TASK, PORT));
    assert_eq!(led(second), (FAR_TASK, PORT));
}

#[test]
fn a_vip_of_another_network_is_no_vip() {
    let world = world();
    let mut hidden = namespace(&[RED]);
    // Beyond the count there may be anything.
    hidden.vnis[1] = BLUE;

    for namespace in [hidden, namespace(&[]), host_namespace()] {
        let decision = decide(&world, &namespace, &wish(VIP, PORT, 0));
        assert_eq!(decision, Decision::Leave);
    }
}

#[test]
fn other_protocols_and_addresses_are_left_alone() {
    let world = world();
    let sctp = Wish {
        protocol: 132,
        ..wish(VIP, PORT, 0)
    };

    assert_eq!(decide(&world, &namespace(&[BLUE]), &sctp), Decision::Leave);
    let direct = wish(TASK, PORT, 0);
    assert_eq!(
        decide(&world, &namespace(&[BLUE]), &direct),
        Decision::Leave
    );
}

#[test]
fn a_service_without_backends_refuses() {
    let mut world = world();
    let key = EndpointKey::new(BLUE, VIP);
    world.vips.get_mut(&key).unwrap().ring = ring(0, 0);

    let decision = decide(&world, &namespace(&[BLUE]), &wish(VIP, PORT, 0));

    assert_eq!(decision, Decision::Refuse);
    let datagram = Wish {
        protocol: UDP,
        ..wish(VIP, PORT, 0)
    };
    let decision = decide(&world, &namespace(&[BLUE]), &datagram);
    assert_eq!(decision, Decision::Leave, "packets are refused");
    world.leaves_packets = true;
    let decision = decide(&world, &namespace(&[BLUE]), &datagram);
    assert_eq!(decision, Decision::Refuse);
}

#[test]
fn a_backend_that_is_gone_is_left_to_the_packets() {
    let mut world = world();
    world.backends.remove(&NEAR);

    let decision = decide(&world, &namespace(&[BLUE]), &wish(VIP, PORT, 0));

    assert_eq!(decision, Decision::Leave);
}

#[test]
fn names_are_asked_of_the_node_where_there_is_a_way_to_it() {
    let mut world = world();
    let question = wish(Address::from_v4([127, 0, 0, 11]), DNS_PORT, 0);

    let open = decide(&world, &namespace(&[BLUE]), &question);
    assert_eq!(led(open), (NAME_SERVER, DNS_PORT));

    let other_port = wish(question.address, PORT, 0);
    assert_eq!(
        decide(&world, &namespace(&[BLUE]), &other_port),
        Decision::Leave
    );
    assert_eq!(
        decide(&world, &host_namespace(), &question),
        Decision::Leave
    );
    world.is_closed = true;
    assert_eq!(
        decide(&world, &namespace(&[BLUE]), &question),
        Decision::Leave
    );
}

#[test]
fn a_process_of_the_host_reaches_a_task_of_its_own_node_first() {
    let world = world();

    for address in [Address::from_v4([127, 0, 0, 1]), NODE] {
        let decision = decide(&world, &host_namespace(), &wish(address, PUBLISHED, 1));
        assert_eq!(led(decision), (TRANSIT, PORT), "{address:?}");
    }
    let v6 = Wish {
        reach: Reach::Both,
        ..wish(LOOPBACK_V6, PUBLISHED, 1)
    };
    assert_eq!(led(decide(&world, &host_namespace(), &v6)), (TRANSIT, PORT));
    let v6_only = Wish {
        reach: Reach::V6,
        ..v6
    };
    assert_eq!(decide(&world, &host_namespace(), &v6_only), Decision::Leave);
}

#[test]
fn a_process_of_the_host_reaches_another_node_where_its_own_has_no_task() {
    let mut world = world();
    publish(&mut world, ring(1, 1), ring(0, 0), 0);
    let local = wish(Address::from_v4([127, 0, 0, 1]), PUBLISHED, 0);

    assert_eq!(
        led(decide(&world, &host_namespace(), &local)),
        (PEER, PUBLISHED)
    );

    publish(&mut world, ring(1, 1), ring(0, 0), PORT_HOST);
    assert_eq!(decide(&world, &host_namespace(), &local), Decision::Refuse);
    publish(&mut world, ring(0, 0), ring(0, 0), 0);
    assert_eq!(decide(&world, &host_namespace(), &local), Decision::Refuse);
}

#[test]
fn a_process_of_the_host_is_left_alone_elsewhere() {
    let world = world();

    for wish in [
        wish(PEER, PUBLISHED, 0),
        wish(NODE, PORT, 0),
        Wish {
            protocol: UDP,
            ..wish(NODE, PUBLISHED, 0)
        },
    ] {
        assert_eq!(decide(&world, &host_namespace(), &wish), Decision::Leave);
    }
}

#[test]
fn a_container_reaches_its_own_node_through_the_network_that_it_shares() {
    let world = world();

    let near = decide(&world, &namespace(&[BLUE]), &wish(NODE, PUBLISHED, 0));
    let far = decide(&world, &namespace(&[BLUE]), &wish(NODE, PUBLISHED, 1));

    assert_eq!(led(near), (TASK, PORT));
    assert_eq!(led(far), (FAR_TASK, PORT));
}

#[test]
fn a_container_of_another_network_reaches_the_tasks_node() {
    let world = world();

    let far = decide(&world, &namespace(&[RED]), &wish(NODE, PUBLISHED, 1));
    let near = decide(&world, &namespace(&[RED]), &wish(NODE, PUBLISHED, 0));

    let node = Lead {
        address: PEER,
        port: PUBLISHED,
        backend: 0,
        walk: Some(Walk::SocketPublished),
    };
    assert_eq!(far, Decision::Lead(node));
    // Packets find the way.
    assert_eq!(near, Decision::Leave);
}

#[test]
fn a_containers_loopback_is_its_own() {
    let world = world();

    for address in [
        Address::from_v4([127, 0, 0, 1]),
        LOOPBACK_V6,
        PEER,
        NAME_SERVER,
    ] {
        let decision = decide(&world, &namespace(&[BLUE]), &wish(address, PUBLISHED, 0));
        assert_eq!(decision, Decision::Leave, "{address:?}");
    }
}

#[test]
fn a_container_is_refused_where_a_port_has_no_tasks() {
    let mut world = world();
    publish(&mut world, ring(1, 1), ring(0, 0), PORT_HOST);

    let decision = decide(&world, &namespace(&[BLUE]), &wish(NODE, PUBLISHED, 0));

    assert_eq!(decision, Decision::Refuse);
}

#[test]
fn sockets_spread_over_a_ring() {
    let mut counts = [0_u32; 7];
    for cookie in 1..=7000_u64 {
        counts[(hash_of(cookie) % 7) as usize] += 1;
    }

    assert!(
        counts.iter().all(|count| (850..1150).contains(count)),
        "{counts:?}"
    );
}
