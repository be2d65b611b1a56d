//! The real object in the real kernel; takes root. Everything happens in a namespace without a name
//! and below a temporary run directory.

use std::path::Path;

use tempfile::TempDir;

use super::traffic::KernelTraffic;
use crate::{
    control::{Datapath as _, Hook, Inspect as _, Program, Row, SocketCall, conformance},
    datapath::{
        self, AttachMode, Capacity, Counters, DatapathConfig, Features, KernelDatapath,
        KernelInspector, Pins, Total, map_uses, remove_pins,
    },
    model::{Attach, EncryptionMark, PeerId},
    netlink::{Direction, Namespace, Socket, VethPair},
};

const CAPACITY: Capacity = Capacity {
    endpoints: 16,
    routes: 32,
    blocks: 16,
    peers: 4,
    networks: 4,
    vips: 4,
    ports: 4,
    backends: 8,
    slots: 64,
    flows: 16,
    new_flows: 16,
};

/// A namespace with a device in it, and a run directory whose bpffs goes with it.
struct Host {
    namespace: Namespace,
    _peer: Namespace,
    ifindex: u32,
    run_dir: TempDir,
}

impl Host {
    fn new() -> Self {
        let namespace = Namespace::create().expect("making a network namespace takes root");
        let peer = Namespace::create().unwrap();
        let mut socket = Socket::open_in(&namespace).unwrap();
        let pair = VethPair {
            name: "eth0",
            mac: None,
            peer_name: "eth0",
            peer_mac: None,
            peer_namespace: &peer,
            mtu: 1500,
        };
        let ifindex = socket.create_veth(&pair).unwrap().ifindex;
        Self {
            namespace,
            _peer: peer,
            ifindex,
            run_dir: tempfile::tempdir().unwrap(),
        }
    }

    fn run<T: Send>(&self, task: impl FnOnce(&Self) -> T + Send) -> T {
        self.namespace.run(|| task(self)).unwrap()
    }

    fn load(&self, wish: Attach, capacity: Capacity) -> KernelDatapath {
        let features = Features::probe(wish).unwrap();
        let pins = Pins::prepare(self.run_dir(), &capacity).unwrap();
        let config = DatapathConfig {
            address: [192, 0, 2, 1].into(),
            tunnel_ifindex: self.ifindex,
            port: 4789,
            source_ports: (32_768, 60_999),
            event_sample: 1,
            decap_l3: features.decap_l3,
            mark: EncryptionMark::default(),
            sockets: features.sockets,
            packet_lb: true,
            capacity,
        };
        let traffic = KernelTraffic::open().unwrap();
        KernelDatapath::load(pins, config, features.attach, traffic, self.run_dir()).unwrap()
    }

    fn run_dir(&self) -> &Path {
        self.run_dir.path()
    }

    fn hook(&self) -> Hook {
        Hook {
            program: Program::FromUnderlay,
            ifindex: self.ifindex,
        }
    }
}

impl std::ops::Drop for Host {
    fn drop(&mut self) {
        remove_pins(self.run_dir()).expect("the bpffs goes");
    }
}

fn remove_filters(host: &Host) -> usize {
    datapath::remove_filters(host.run_dir(), &mut *KernelTraffic::open().unwrap()).unwrap()
}

#[test]
fn the_kernel_does_what_a_data_plane_must() {
    for wish in [Attach::Auto, Attach::Clsact] {
        Host::new().run(|host| {
            let mut datapath = host.load(wish, CAPACITY);

            conformance::tables_hold_what_is_written(&mut datapath);
            conformance::blocks_are_told_apart(&mut datapath);
            conformance::hooks_come_and_go(&mut datapath, host.hook());
            let hook = Hook::of_sockets(SocketCall::Connect4);
            conformance::hooks_come_and_go(&mut datapath, hook);
        });
    }
}

#[test]
fn the_next_agent_finds_what_this_one_wrote_and_attached() {
    for wish in [Attach::Auto, Attach::Clsact] {
        Host::new().run(|host| {
            let row = Row::PeerAddress([192, 0, 2, 9].into(), PeerId(9));
            let mut first = host.load(wish, CAPACITY);
            first.put(&row).unwrap();
            first.attach(host.hook()).unwrap();
            drop(first);

            let mut second = host.load(wish, CAPACITY);

            assert_eq!(second.get(&row.key()).unwrap(), Some(row));
            assert_eq!(second.hooks().unwrap(), [host.hook()]);
            assert!(
                !second.is_attached(host.hook()).unwrap(),
                "the old program still runs"
            );
            second.attach(host.hook()).unwrap();
            assert!(second.is_attached(host.hook()).unwrap());
        });
    }
}

#[test]
fn other_sizes_make_other_maps_under_the_same_links() {
    Host::new().run(|host| {
        let row = Row::PeerAddress([192, 0, 2, 9].into(), PeerId(9));
        let mut small = host.load(Attach::Auto, CAPACITY);
        small.put(&row).unwrap();
        small.attach(host.hook()).unwrap();
        let large = Capacity {
            peers: 8,
            ..CAPACITY
        };

        let mut datapath = host.load(Attach::Auto, large);
        assert_eq!(datapath.get(&row.key()).unwrap(), None);
        datapath.attach(host.hook()).unwrap();
        let pins = Pins::prepare(host.run_dir(), &large).unwrap();
        pins.drop_other_generations().unwrap();

        assert!(datapath.is_attached(host.hook()).unwrap());
        let uses = map_uses(&pins, &large).unwrap();
        assert!(
            uses.iter().any(|map| map.capacity == 8 && map.bytes > 0),
            "{uses:?}"
        );
        let old = Pins::prepare(host.run_dir(), &CAPACITY).unwrap();
        assert!(
            KernelInspector::open(&old, AttachMode::Tcx, KernelTraffic::open().unwrap()).is_err(),
            "its maps are gone"
        );
    });
}

#[test]
fn a_full_table_says_so() {
    Host::new().run(|host| {
        let mut datapath = host.load(Attach::Auto, CAPACITY);
        let mut put =
            |number: u8| datapath.put(&Row::PeerAddress([192, 0, 2, number].into(), PeerId(1)));
        (1..=4).for_each(|number| put(number).unwrap());

        let error = put(5).unwrap_err();

        assert_eq!(error.kind, crate::control::PortErrorKind::Full);
        assert!(error.to_string().contains("datapath.limits"), "{error}");
    });
}

#[test]
fn a_device_that_is_gone_is_told_from_other_failures() {
    for wish in [Attach::Auto, Attach::Clsact] {
        Host::new().run(|host| {
            let mut datapath = host.load(wish, CAPACITY);
            let gone = Hook {
                ifindex: 4711,
                ..host.hook()
            };

            let error = datapath.attach(gone).unwrap_err();

            assert_eq!(error.kind, crate::control::PortErrorKind::Gone, "{error}");
            assert!(!datapath.is_attached(gone).unwrap());
            datapath.detach(gone).unwrap();
        });
    }
}

#[test]
fn another_way_of_attaching_replaces_the_first_one() {
    Host::new().run(|host| {
        host.load(Attach::Clsact, CAPACITY)
            .attach(host.hook())
            .unwrap();
        let mut datapath = host.load(Attach::Auto, CAPACITY);
        datapath.attach(host.hook()).unwrap();
        datapath.drop_other_mode().unwrap();

        let mut socket = Socket::open().unwrap();
        assert!(
            socket
                .bpf_filters(host.ifindex, Direction::Ingress)
                .unwrap()
                .is_empty()
        );
        assert!(!socket.has_clsact(host.ifindex).unwrap(), "we added it");
        assert!(datapath.is_attached(host.hook()).unwrap());

        let mut datapath = host.load(Attach::Clsact, CAPACITY);
        datapath.attach(host.hook()).unwrap();
        datapath.drop_other_mode().unwrap();
        assert!(datapath.is_attached(host.hook()).unwrap());
        assert_eq!(remove_filters(host), 1);
    });
}

#[test]
fn a_discipline_that_others_use_stays() {
    Host::new().run(|host| {
        let mut socket = Socket::open().unwrap();
        socket.add_clsact(host.ifindex).unwrap();
        host.load(Attach::Clsact, CAPACITY)
            .attach(host.hook())
            .unwrap();

        assert_eq!(remove_filters(host), 1);

        assert!(
            socket.has_clsact(host.ifindex).unwrap(),
            "we did not add it"
        );
    });
}

#[test]
fn counters_begin_at_zero() {
    Host::new().run(|host| {
        drop(host.load(Attach::Auto, CAPACITY));
        let pins = Pins::prepare(host.run_dir(), &CAPACITY).unwrap();

        let counters = Counters::read(&pins).unwrap();

        assert!(
            counters
                .drops
                .iter()
                .all(|(_, total)| *total == Total::default())
        );
        assert!(
            counters
                .walks
                .iter()
                .all(|(_, total)| *total == Total::default())
        );
    });
}
