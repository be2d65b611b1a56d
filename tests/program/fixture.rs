//! The loaded object with a small world in its maps.
//!
//! This node has one endpoint, `CLIENT`, whose host end is interface 1 (the loopback device, which the
//! kernel gives to test packets), and a second one, `SERVER`. Peer 1 on IPv4 has the block around
//! `REMOTE`, peer 2 on IPv6 has `FAR`, peer 3 is reached through the vxlan device.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{
        Array, HashMap, MapData, PerCpuArray,
        lpm_trie::{Key, LpmTrie},
    },
    programs::{SchedClassifier, TestRun as _, TestRunOptions},
};
use overlay_common::{
    abi,
    address::Address,
    config::Config,
    endpoint::{Endpoint, EndpointKey},
    interface::Interface,
    network::{NETWORK_INTERNAL, Network},
    node::Node,
    peer::{ENCAP_DEVICE, ENCAP_NATIVE, Peer},
    reason::Reason,
    route::{self, BlockKey, Route},
    walk::{Count, Walk},
};

pub(crate) const VNI: u32 = 4096;
pub(crate) const OTHER_VNI: u32 = 4097;
pub(crate) const PORT: u16 = 4789;
pub(crate) const TUNNEL_IFINDEX: u32 = 77;

pub(crate) const CLIENT: [u8; 4] = [10, 1, 0, 2];
pub(crate) const CLIENT_V6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
pub(crate) const CLIENT_MAC: [u8; 6] = [2, 0x42, 10, 1, 0, 2];
pub(crate) const SERVER: [u8; 4] = [10, 1, 0, 3];
pub(crate) const SERVER_V6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3];
pub(crate) const SERVER_MAC: [u8; 6] = [2, 0x42, 10, 1, 0, 3];
pub(crate) const GATEWAY: [u8; 4] = [10, 1, 0, 1];
/// In the block of peer 1.
pub(crate) const REMOTE: [u8; 4] = [10, 1, 0, 70];
pub(crate) const REMOTE_V6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2];
/// An exact route to peer 2, inside the block of peer 1, with an Ethernet address of its own.
pub(crate) const FAR: [u8; 4] = [10, 1, 0, 71];
pub(crate) const FAR_MAC: [u8; 6] = [2, 0x99, 9, 9, 9, 9];
/// An exact route to peer 3.
pub(crate) const THROUGH_DEVICE: [u8; 4] = [10, 1, 0, 72];
/// An exact route to peer 4, to which the host has no way.
pub(crate) const UNREACHABLE: [u8; 4] = [10, 1, 0, 73];
pub(crate) const NOBODY: [u8; 4] = [10, 1, 0, 200];

/// What stands for `CLIENT` and for `SERVER` in the host, once there is a way out.
pub(crate) const TRANSIT: [u8; 4] = [100, 127, 0, 1];
pub(crate) const TRANSIT_V6: [u8; 16] = [
    0xfd, 0x6f, 0x76, 0x65, 0x72, 0x6c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
];
pub(crate) const TRANSIT_SERVER: [u8; 4] = [100, 127, 0, 2];
pub(crate) const GATEWAY_NEAR_MAC: [u8; 6] = [2, 0x42, 0, 0, 0, 2];

pub(crate) const LOCAL_VTEP: [u8; 4] = [192, 0, 2, 1];
pub(crate) const PEER_VTEP: [u8; 4] = [192, 0, 2, 2];
pub(crate) const LOCAL_VTEP_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
pub(crate) const PEER_VTEP_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

/// What a program returned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    /// `TC_ACT_UNSPEC`
    Pass,
    /// `TC_ACT_SHOT`
    Drop,
    /// `TC_ACT_REDIRECT`
    Redirect,
}

/// One packet's way through a program.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) action: Action,
    pub(crate) packet: Vec<u8>,
    /// Every walk that was counted, by how much.
    pub(crate) walks: Vec<(Walk, u64)>,
    /// Every reason that was counted, by how much.
    pub(crate) reasons: Vec<(Reason, u64)>,
}

/// The loaded object. Its maps are not shared with anybody.
pub(crate) struct Fixture {
    object: Ebpf,
    pins: PathBuf,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with_flows(1024)
    }

    /// One whose table of established flows has `flows` entries.
    pub(crate) fn with_flows(flows: u32) -> Self {
        let pins = pin_directory();
        let config = Config {
            local_ipv4: Address::from_v4(LOCAL_VTEP),
            local_ipv6: Address::from_v6(LOCAL_VTEP_V6),
            tunnel_ifindex: TUNNEL_IFINDEX,
            event_sample: 1,
            port: PORT,
            source_port_first: 32768,
            source_port_last: 60999,
            decap_l3: u16::from(can_mix_families()),
            mark: overlay_common::encryption::MARK,
            set_retval: 0,
            packet_lb: 1,
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bpf/overlay.o");
        let bytes = std::fs::read(&path).unwrap_or_else(|error| {
            panic!("{}: {error}; run `cargo xtask build-ebpf`", path.display())
        });
        let mut object = EbpfLoader::new()
            .override_global(abi::CONFIG, &config, true)
            .map_max_entries(abi::map::FLOW, flows)
            .default_map_pin_directory(&pins)
            .load(&bytes)
            .expect("load the object");
        for name in abi::program::ALL {
            let program: &mut SchedClassifier = object
                .program_mut(name)
                .expect(name)
                .try_into()
                .expect(name);
            program.load().expect(name);
        }
        let mut fixture = Self { object, pins };
        fixture.fill();
        fixture
    }

    /// The same world with a way out of it.
    pub(crate) fn with_way_out() -> Self {
        let mut fixture = Self::new();
        let v4 = Address::from_v4;
        let mut interfaces: HashMap<_, u32, Interface> = fixture.map(abi::map::INTERFACE);
        let mut interface = interfaces.get(&1, 0).expect("the client");
        interface.transit_ipv4 = v4(TRANSIT);
        interface.transit_ipv6 = Address::from_v6(TRANSIT_V6);
        interfaces.insert(1, interface, 0).expect("insert");

        let mut transit: HashMap<_, Address, EndpointKey> = fixture.map(abi::map::TRANSIT);
        for (stand_in, address) in [
            (v4(TRANSIT), v4(CLIENT)),
            (Address::from_v6(TRANSIT_V6), Address::from_v6(CLIENT_V6)),
            (v4(TRANSIT_SERVER), v4(SERVER)),
        ] {
            let place = EndpointKey::new(VNI, address);
            transit.insert(stand_in, place, 0).expect("insert");
        }

        let mut nodes: Array<_, Node> = fixture.map(abi::map::NODE);
        let node = Node {
            gateway_ifindex: 9,
            gateway_mtu: 1450,
            ingress_vni: 0,
            gateway_mac: GATEWAY_NEAR_MAC,
            _reserved: [0; 10],
            _reserved_too: 0,
        };
        nodes.set(0, node, 0).expect("set");

        let mut blocks: LpmTrie<_, BlockKey, Route> = fixture.map(abi::map::BLOCK);
        let nobodys = Route {
            peer: route::NOBODY,
            mac: [0; 6],
            _reserved: [0; 2],
        };
        let subnet = BlockKey::new(VNI, v4([10, 1, 0, 0]));
        let subnet = Key::new(BlockKey::VNI_BITS + 96 + 24, subnet);
        blocks.insert(&subnet, nobodys, 0).expect("insert");
        fixture
    }

    /// Makes the network internal.
    pub(crate) fn make_internal(&mut self) {
        let mut networks: HashMap<_, u32, Network> = self.map(abi::map::NETWORK);
        let mut network = networks.get(&VNI, 0).expect("the network");
        network.flags = NETWORK_INTERNAL;
        networks.insert(VNI, network, 0).expect("insert");
    }

    /// Leaves the client without anything that stands for it outside.
    pub(crate) fn take_transit_addresses(&mut self) {
        let mut interfaces: HashMap<_, u32, Interface> = self.map(abi::map::INTERFACE);
        let mut interface = interfaces.get(&1, 0).expect("the client");
        interface.transit_ipv4 = Address::UNSPECIFIED;
        interfaces.insert(1, interface, 0).expect("insert");
    }

    /// Runs one packet through a program and says what changed.
    pub(crate) fn run(&mut self, program: &str, packet: &[u8]) -> Outcome {
        let before = self.counters();
        let (action, packet) = self.run_uncounted(program, packet);
        let after = self.counters();
        outcome(action, packet, &before, &after)
    }

    /// Runs one packet that has this mark, and says which one it has afterwards.
    pub(crate) fn run_marked(&mut self, program: &str, packet: &[u8], mark: u32) -> (Outcome, u32) {
        let before = self.counters();
        let (action, packet, mark) = self.run_in(program, packet, mark);
        let after = self.counters();
        (outcome(action, packet, &before, &after), mark)
    }

    pub(crate) fn run_uncounted(&mut self, program: &str, packet: &[u8]) -> (Action, Vec<u8>) {
        let (action, packet, _) = self.run_in(program, packet, 0);
        (action, packet)
    }

    fn run_in(&mut self, program: &str, packet: &[u8], mark: u32) -> (Action, Vec<u8>, u32) {
        let program: &SchedClassifier = self
            .object
            .program(program)
            .expect(program)
            .try_into()
            .expect("a classifier");
        let mut out = vec![0; 4096];
        // `struct __sk_buff`, of which only the mark is given.
        let mut context = [0; 192];
        context[8..12].copy_from_slice(&mark.to_ne_bytes());
        let mut context_out = [0; 192];
        let result = program
            .test_run(TestRunOptions {
                data_in: Some(packet),
                data_out: Some(&mut out),
                ctx_in: Some(&context),
                ctx_out: Some(&mut context_out),
                ..TestRunOptions::default()
            })
            .expect("run the program");
        out.truncate(result.data_size_out as usize);
        let action = match result.return_value.cast_signed() {
            -1 => Action::Pass,
            2 => Action::Drop,
            7 => Action::Redirect,
            other => panic!("unexpected action {other}"),
        };
        let mark = context_out[8..12].try_into().expect("four bytes");
        (action, out, u32::from_ne_bytes(mark))
    }

    /// Packets counted by walk and by reason, over all CPUs.
    pub(crate) fn counters(&self) -> (Vec<u64>, Vec<u64>) {
        (
            self.packets(abi::map::WALK_COUNT),
            self.packets(abi::map::REASON_COUNT),
        )
    }

    pub(crate) fn remove_endpoint(&mut self, address: [u8; 4]) {
        let mut endpoints: HashMap<_, EndpointKey, Endpoint> = self.map(abi::map::ENDPOINT);
        endpoints
            .remove(&EndpointKey::new(VNI, Address::from_v4(address)))
            .expect("remove");
    }

    pub(crate) fn set_peer_mtu(&mut self, id: u32, mtu: u32) {
        let mut peers: HashMap<_, u32, Peer> = self.map(abi::map::PEER);
        let mut peer = peers.get(&id, 0).expect("the peer");
        peer.mtu = mtu;
        peers.insert(id, peer, 0).expect("insert");
    }

    fn packets(&self, name: &str) -> Vec<u64> {
        let map = self.object.map(name).expect(name);
        let counters: PerCpuArray<&MapData, Count> = map.try_into().expect(name);
        (0..counters.len())
            .map(|index| {
                counters
                    .get(&index, 0)
                    .expect(name)
                    .iter()
                    .map(|count| count.packets)
                    .sum()
            })
            .collect()
    }

    pub(crate) fn map<'a, T>(&'a mut self, name: &str) -> T
    where
        T: TryFrom<&'a mut aya::maps::Map, Error = aya::maps::MapError>,
    {
        self.object
            .map_mut(name)
            .expect(name)
            .try_into()
            .expect(name)
    }

    fn fill(&mut self) {
        let v4 = Address::from_v4;
        let v6 = Address::from_v6;
        let mut interfaces: HashMap<_, u32, Interface> = self.map(abi::map::INTERFACE);
        let interface = Interface {
            ipv4: v4(CLIENT),
            ipv6: v6(CLIENT_V6),
            transit_ipv4: Address::UNSPECIFIED,
            transit_ipv6: Address::UNSPECIFIED,
            vni: VNI,
            mac: CLIENT_MAC,
            flags: 0,
            _reserved: [0; 4],
        };
        interfaces.insert(1, interface, 0).expect("insert");

        let mut endpoints: HashMap<_, EndpointKey, Endpoint> = self.map(abi::map::ENDPOINT);
        let local = [
            (v4(CLIENT), 1, CLIENT_MAC),
            (v6(CLIENT_V6), 1, CLIENT_MAC),
            (v4(SERVER), 2, SERVER_MAC),
            (v6(SERVER_V6), 2, SERVER_MAC),
        ];
        for (address, ifindex, mac) in local {
            let endpoint = Endpoint {
                ifindex,
                mtu: 1450,
                mac,
                flags: 0,
            };
            endpoints
                .insert(EndpointKey::new(VNI, address), endpoint, 0)
                .expect("insert");
        }

        let mut networks: HashMap<_, u32, Network> = self.map(abi::map::NETWORK);
        let network = Network {
            gateway_ipv4: v4(GATEWAY),
            gateway_ipv6: Address::UNSPECIFIED,
            mtu: 1450,
            flags: 0,
        };
        networks.insert(VNI, network, 0).expect("insert");

        self.fill_peers();
        self.fill_routes();
        self.fill_services();
    }

    fn fill_peers(&mut self) {
        let v4 = |remote: [u8; 4], ifindex, encap| Peer {
            local: Address::from_v4(LOCAL_VTEP),
            remote: Address::from_v4(remote),
            next_hop: Address::from_v4(remote),
            ifindex,
            mtu: 1500,
            encap,
            _reserved: 0,
        };
        let over_v6 = Peer {
            local: Address::from_v6(LOCAL_VTEP_V6),
            remote: Address::from_v6(PEER_VTEP_V6),
            next_hop: Address::UNSPECIFIED,
            ..v4(PEER_VTEP, 5, ENCAP_NATIVE)
        };
        let peers = [
            (1, v4(PEER_VTEP, 5, ENCAP_NATIVE)),
            (2, over_v6),
            (3, v4([192, 0, 2, 3], 5, ENCAP_DEVICE)),
            (4, v4([192, 0, 2, 4], 0, ENCAP_NATIVE)),
        ];
        for (id, peer) in peers {
            let mut by_id: HashMap<_, u32, Peer> = self.map(abi::map::PEER);
            by_id.insert(id, peer, 0).expect("insert");
            let mut by_address: HashMap<_, Address, u32> = self.map(abi::map::PEER_BY_ADDR);
            by_address.insert(peer.remote, id, 0).expect("insert");
        }
    }

    fn fill_routes(&mut self) {
        let route = |peer, mac| Route {
            peer,
            mac,
            _reserved: [0; 2],
        };
        let mut blocks: LpmTrie<_, BlockKey, Route> = self.map(abi::map::BLOCK);
        let v4_block = BlockKey::new(VNI, Address::from_v4([10, 1, 0, 64]));
        let v6_block = BlockKey::new(
            VNI,
            Address::from_v6({
                let mut first = REMOTE_V6;
                first[15] = 0;
                first
            }),
        );
        let bits = BlockKey::VNI_BITS;
        blocks
            .insert(&Key::new(bits + 96 + 26, v4_block), route(1, [0; 6]), 0)
            .expect("insert");
        blocks
            .insert(&Key::new(bits + 120, v6_block), route(1, [0; 6]), 0)
            .expect("insert");

        let mut routes: HashMap<_, EndpointKey, Route> = self.map(abi::map::ROUTE);
        let exact = [
            (FAR, route(2, FAR_MAC)),
            (THROUGH_DEVICE, route(3, [0; 6])),
            (UNREACHABLE, route(4, [0; 6])),
            ([10, 1, 0, 74], route(9, [0; 6])),
        ];
        for (address, route) in exact {
            routes
                .insert(EndpointKey::new(VNI, Address::from_v4(address)), route, 0)
                .expect("insert");
        }
    }
}

/// An exact route that names a peer which does not exist.
pub(crate) const PEERLESS: [u8; 4] = [10, 1, 0, 74];

impl Drop for Fixture {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.pins).expect("remove the pins");
    }
}

fn outcome(
    action: Action,
    packet: Vec<u8>,
    before: &(Vec<u64>, Vec<u64>),
    after: &(Vec<u64>, Vec<u64>),
) -> Outcome {
    let walks = Walk::ALL.iter().map(|walk| (*walk, *walk as usize));
    let reasons = Reason::ALL.iter().map(|reason| (*reason, *reason as usize));
    Outcome {
        action,
        packet,
        walks: grown(walks, &before.0, &after.0),
        reasons: grown(reasons, &before.1, &after.1),
    }
}

fn grown<T: Copy>(
    counters: impl Iterator<Item = (T, usize)>,
    before: &[u64],
    after: &[u64],
) -> Vec<(T, u64)> {
    counters
        .map(|(counter, index)| (counter, after[index] - before[index]))
        .filter(|(_, packets)| *packets != 0)
        .collect()
}

/// Whether the kernel takes a packet of one family out of one of the other (Linux 6.3).
pub(crate) fn can_mix_families() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("read the release");
    let mut numbers = release
        .split('.')
        .map(|number| number.parse::<u32>().expect("a number"));
    (numbers.next(), numbers.next()) >= (Some(6), Some(3))
}

/// A directory of its own in the bpffs, which is mounted if the machine has none.
pub(crate) fn pin_directory() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let bpffs = Path::new("/sys/fs/bpf");
    let mounts = std::fs::read_to_string("/proc/mounts").expect("read /proc/mounts");
    if !mounts
        .lines()
        .any(|line| line.contains(" /sys/fs/bpf bpf "))
    {
        let status = Command::new("mount")
            .args(["-t", "bpf", "bpf"])
            .arg(bpffs)
            .status();
        assert!(
            status.expect("run mount").success(),
            "cannot mount a bpffs; run the tests as root"
        );
    }
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let directory = bpffs.join(format!("overlay-test-{}-{number}", std::process::id()));
    std::fs::create_dir(&directory).expect("create a pin directory");
    directory
}
