//! Whatever happens to the desired state, the underlay and the kernel: one step later they agree, and
//! on the way there no entry names something that is not there.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    net::IpAddr,
    rc::Rc,
};

use proptest::prelude::*;

use super::*;
use crate::{
    control::{
        Action, DriftKind, Key, Repair, Row, Table,
        fake::{FakeDatapath, FakePlumbing, FakeUnderlay},
    },
    model::{MacAddress, NamespaceId, Network, Node, Place, RemoteEndpoint, RouteEntry, Vni},
};

type FakeReconciler = Reconciler<FakeDatapath, FakeUnderlay, FakePlumbing>;

const TUNNEL: u32 = 100;

struct World {
    datapath: FakeDatapath,
    ways: Rc<RefCell<BTreeMap<IpAddr, Way>>>,
    tunnel: Rc<Cell<u32>>,
    attachments: BTreeMap<u32, Attachment>,
    reconciler: FakeReconciler,
}

impl World {
    fn new(desired: Desired) -> Self {
        let datapath = FakeDatapath::default();
        datapath.state.borrow_mut().tunnel = TUNNEL;
        let tunnel = Rc::new(Cell::new(TUNNEL));
        let underlay = FakeUnderlay {
            own_device: Some(UnderlayDevice {
                ifindex: 2,
                mtu: 1500,
                is_ethernet: true,
            }),
            ..FakeUnderlay::default()
        };
        let ways = Rc::clone(&underlay.ways);
        let plumbing = FakePlumbing {
            tunnel: Rc::clone(&tunnel),
            next_ifindex: TUNNEL,
        };
        let ports = Ports {
            datapath: datapath.clone(),
            underlay,
            plumbing,
        };
        let reconciler = Reconciler::new(ports, desired, Encap::Auto, TUNNEL);
        Self {
            datapath,
            ways,
            tunnel,
            attachments: BTreeMap::new(),
            reconciler,
        }
    }

    fn sync(&mut self) -> Result<usize, PortError> {
        self.reconciler.sync(self.attachments.values())
    }

    fn audit(&mut self) -> Vec<Repair> {
        let (_, repairs) = self
            .reconciler
            .audit(self.attachments.values())
            .expect("an audit");
        repairs
    }

    fn assert_settled(&self) {
        let remote = planner::remote_tables(self.reconciler.facts());
        let local = planner::local_tables(self.attachments.values());
        let planned = Tables::new(remote, local);
        assert_eq!(Tables::read(&self.datapath).unwrap(), planned);
        assert_eq!(self.reconciler.tables(), Some(&planned));

        let wanted = self.reconciler.wanted_hooks(self.attachments.values());
        let state = self.datapath.state.borrow();
        let attached: BTreeSet<Hook> = state.hooks.keys().copied().collect();
        assert_eq!(attached, wanted);
        assert!(state.hooks.values().all(|tunnel| *tunnel == state.tunnel));
        assert_eq!(state.tunnel, self.tunnel.get());
    }
}

fn vni(number: u32) -> Vni {
    Vni::try_from(number).unwrap()
}

fn underlay_address(node: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, node])
}

fn block(node: u8) -> ipnet::IpNet {
    ipnet::IpNet::new(IpAddr::from([10, 1, node, 0]), 24).unwrap()
}

/// Nodes by number, each with its block or not, and single addresses that wander between them.
fn desired(nodes: &[(u8, bool)], singles: &[(u8, u8)], mtu: Option<u32>) -> Desired {
    let node = |number: u8, has_block: bool| Node {
        name: format!("n{number}"),
        address: underlay_address(number),
        blocks: has_block
            .then(|| (vni(7), vec![block(number)]))
            .into_iter()
            .collect(),
        endpoints: singles
            .iter()
            .filter(|(at, _)| *at == number)
            .map(|(_, last)| RemoteEndpoint {
                vni: vni(7),
                address: IpAddr::from([10, 1, 200, *last]),
                mac: None,
            })
            .collect(),
    };
    let others = nodes.iter().filter(|(number, _)| *number != 0);
    let mut nodes: Vec<Node> = others.map(|(number, has)| node(*number, *has)).collect();
    nodes.insert(0, node(0, true));
    nodes.dedup_by(|a, b| a.name == b.name);
    Desired {
        this: "n0".to_owned(),
        nodes,
        networks: vec![Network {
            name: "blue".to_owned(),
            vni: vni(7),
            subnets: vec!["10.1.0.0/16".parse().unwrap()],
            gateways: vec![IpAddr::from([10, 1, 0, 1])],
            mtu,
        }],
    }
}

fn attachment(number: u32) -> Attachment {
    let last = u8::try_from(number).unwrap();
    Attachment {
        id: format!("{number:064x}"),
        name: format!("c{number}"),
        network: "blue".to_owned(),
        vni: vni(7),
        ipv4: Some(([10, 1, 0, last].into(), 16)),
        ipv6: None,
        mac: MacAddress([2, 0, 0, 0, 0, last]),
        mtu: 1450,
        netns: "/run/netns/c".into(),
        namespace: NamespaceId {
            device: 4,
            inode: u64::from(number),
        },
        host_interface: format!("ov{number}"),
        host_ifindex: 1000 + number,
        interface: "eth0".to_owned(),
        created: 0,
    }
}

/// One thing that happens.
#[derive(Clone, Debug)]
enum Happening {
    Want(Vec<(u8, bool)>, Vec<(u8, u8)>, Option<u32>),
    Way(u8, Option<(u32, u32, bool)>),
    Attach(u32),
    Detach(u32),
    Break(Sabotage),
    FailAfter(u32),
    Restart,
}

/// One thing that somebody does behind the agent's back.
#[derive(Clone, Debug)]
enum Sabotage {
    LoseEntry(prop::sample::Index),
    LoseTable(usize),
    AddEntry(u8),
    Spoil(prop::sample::Index),
    LoseHook(prop::sample::Index),
    LoseTunnel,
}

fn happening() -> impl Strategy<Value = Happening> {
    let nodes = prop::collection::btree_map(1_u8..9, any::<bool>(), 0..6);
    let singles = prop::collection::btree_map(2_u8..9, 1_u8..9, 0..6);
    let wanted = (nodes, singles, prop::option::of(1280_u32..1500));
    prop_oneof![
        3 => wanted.prop_map(|(nodes, singles, mtu)| Happening::Want(
            nodes.into_iter().collect(),
            singles.into_iter().map(|(last, at)| (at, last)).collect(),
            mtu,
        )),
        2 => (1_u8..9, prop::option::of((2_u32..5, 1280_u32..9000, any::<bool>())))
            .prop_map(|(node, way)| Happening::Way(node, way)),
        3 => (1_u32..9).prop_map(Happening::Attach),
        2 => (1_u32..9).prop_map(Happening::Detach),
        6 => sabotage().prop_map(Happening::Break),
        1 => (0_u32..6).prop_map(Happening::FailAfter),
        1 => Just(Happening::Restart),
    ]
}

fn sabotage() -> impl Strategy<Value = Sabotage> {
    prop_oneof![
        2 => any::<prop::sample::Index>().prop_map(Sabotage::LoseEntry),
        1 => (0..Table::ALL.len()).prop_map(Sabotage::LoseTable),
        1 => (1_u8..9).prop_map(Sabotage::AddEntry),
        1 => any::<prop::sample::Index>().prop_map(Sabotage::Spoil),
        1 => any::<prop::sample::Index>().prop_map(Sabotage::LoseHook),
        1 => Just(Sabotage::LoseTunnel),
    ]
}

impl World {
    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Want(nodes, singles, mtu) => {
                self.reconciler.set_desired(desired(&nodes, &singles, mtu));
                self.sync().expect("a sync");
            }
            Happening::Way(node, way) => {
                let address = underlay_address(node);
                let way = way.map(|(ifindex, mtu, is_ethernet)| Way {
                    ifindex,
                    next_hop: address,
                    mtu,
                    is_ethernet,
                });
                match way {
                    Some(way) => drop(self.ways.borrow_mut().insert(address, way)),
                    None => drop(self.ways.borrow_mut().remove(&address)),
                }
                self.reconciler.refresh().expect("a look around");
            }
            Happening::Attach(number) => {
                let attachment = attachment(number);
                self.reconciler.add(&attachment).expect("room");
                self.attachments.insert(number, attachment);
            }
            Happening::Detach(number) => {
                if let Some(attachment) = self.attachments.remove(&number) {
                    self.reconciler.remove(&attachment).expect("a removal");
                }
            }
            Happening::FailAfter(writes) => self.fail_after(writes),
            Happening::Restart => self.restart(),
            Happening::Break(sabotage) => self.break_something(&sabotage),
        }
    }

    fn break_something(&mut self, sabotage: &Sabotage) {
        let mut state = self.datapath.state.borrow_mut();
        let keys: Vec<Key> = state.rows.keys().copied().collect();
        let hooks: Vec<Hook> = state.hooks.keys().copied().collect();
        match sabotage {
            Sabotage::LoseEntry(index) => {
                if !keys.is_empty() {
                    state.steal(*index.get(&keys));
                }
            }
            Sabotage::LoseTable(table) => {
                let lost = keys
                    .into_iter()
                    .filter(|key| key.table() == Table::ALL[*table]);
                lost.for_each(|key| state.steal(key));
            }
            Sabotage::AddEntry(last) => {
                let place = Place {
                    vni: vni(9),
                    address: IpAddr::from([10, 9, 0, *last]),
                };
                let entry = RouteEntry {
                    peer: PeerId(99),
                    mac: None,
                };
                let row = Row::Route(place, entry);
                state.rows.insert(row.key(), row);
                state.stolen.insert(Key::Peer(entry.peer));
            }
            Sabotage::Spoil(index) => {
                if let Some(row) = state.rows.values_mut().nth(index.index(keys.len().max(1))) {
                    spoil(row);
                }
            }
            Sabotage::LoseHook(index) => {
                if !hooks.is_empty() {
                    state.hooks.remove(index.get(&hooks));
                }
            }
            Sabotage::LoseTunnel => {
                self.tunnel.set(0);
                let tunnel = Hook {
                    program: Program::FromTunnel,
                    ifindex: state.tunnel,
                };
                state.hooks.remove(&tunnel);
            }
        }
    }

    /// Tables fill up in the middle of a sync, and have room again later.
    fn fail_after(&mut self, writes: u32) {
        self.datapath.state.borrow_mut().writes_left = Some(writes);
        let outcome = self.sync();
        self.datapath.state.borrow_mut().writes_left = None;
        if let Err(error) = outcome {
            assert_eq!(error.kind, PortErrorKind::Full);
        }
    }

    /// Another agent takes over what this one leaves.
    fn restart(&mut self) {
        let desired = self.reconciler.desired().clone();
        let fresh = Self::new(desired);
        let plumbing = FakePlumbing {
            tunnel: Rc::clone(&self.tunnel),
            next_ifindex: self.tunnel.get().max(TUNNEL),
        };
        let mut underlay = FakeUnderlay {
            own_device: Some(UnderlayDevice {
                ifindex: 2,
                mtu: 1500,
                is_ethernet: true,
            }),
            ..FakeUnderlay::default()
        };
        underlay.ways = Rc::clone(&self.ways);
        let datapath = self.datapath.clone();
        let mut ports = Ports {
            datapath,
            underlay,
            plumbing,
        };
        let (tunnel, _) = ports.plumbing.ensure_tunnel().unwrap();
        ports.datapath.retarget(tunnel).unwrap();
        self.reconciler = Reconciler::new(
            ports,
            fresh.reconciler.desired().clone(),
            Encap::Auto,
            tunnel,
        );
        self.sync().expect("a first sync");
    }
}

fn spoil(row: &mut Row) {
    match row {
        Row::Peer(_, entry) => entry.mtu += 1,
        Row::Network(_, entry) => entry.mtu += 1,
        Row::Endpoint(_, entry) => entry.mtu += 1,
        Row::Route(_, entry) | Row::Block(_, _, entry) => {
            entry.mac = Some(MacAddress([2, 0, 0, 0, 0, 99]));
        }
        Row::Interface(_, entry) => entry.ipv6 = Some(IpAddr::from([0; 16])),
        Row::PeerAddress(..) => {}
    }
}

proptest! {
    #[test]
    fn one_audit_settles_whatever_happened(happenings in prop::collection::vec(happening(), 1..24)) {
        let mut world = World::new(desired(&[(1, true)], &[], None));
        world.sync().expect("a first sync");

        for happening in happenings {
            world.happen(happening);
        }
        world.audit();

        world.assert_settled();
        prop_assert_eq!(world.audit(), []);
    }

    #[test]
    fn a_sync_settles_without_an_audit(happenings in prop::collection::vec(happening(), 1..8)) {
        let mut world = World::new(desired(&[(1, true)], &[], None));
        for happening in happenings {
            world.happen(happening);
        }
        world.restart();

        world.assert_settled();
    }
}

#[test]
fn a_second_sync_writes_nothing() {
    let mut world = World::new(desired(&[(1, true), (2, true)], &[(2, 5)], None));
    world.sync().unwrap();
    let writes = world.datapath.state.borrow().writes;

    assert_eq!(world.sync().unwrap(), 0);

    assert_eq!(world.datapath.state.borrow().writes, writes);
}

#[test]
fn every_repair_is_counted_once_and_named() {
    let mut world = World::new(desired(&[(1, true)], &[(1, 5)], None));
    world.sync().unwrap();
    let hook = Hook {
        program: Program::FromUnderlay,
        ifindex: 2,
    };
    {
        let mut state = world.datapath.state.borrow_mut();
        let route = Place {
            vni: vni(7),
            address: IpAddr::from([10, 1, 200, 5]),
        };
        state.rows.remove(&Key::Route(route));
        state.hooks.remove(&hook);
    }

    let repairs = world.audit();

    assert_eq!(
        repairs,
        [
            Repair {
                kind: DriftKind::Entry(Table::Route),
                object: "10.1.200.5 in vni 7".to_owned(),
                action: Action::Added,
            },
            Repair {
                kind: DriftKind::Hook(Program::FromUnderlay),
                object: "interface 2".to_owned(),
                action: Action::Added,
            },
        ]
    );
    assert_eq!(world.audit(), []);
}

#[test]
fn a_failed_attachment_leaves_nothing() {
    let mut world = World::new(desired(&[], &[], None));
    world.sync().unwrap();
    let before = Tables::read(&world.datapath).unwrap();
    let hooks = world.datapath.state.borrow().hooks.clone();
    world.datapath.state.borrow_mut().writes_left = Some(1);

    let error = world.reconciler.add(&attachment(3)).unwrap_err();

    world.datapath.state.borrow_mut().writes_left = None;
    assert_eq!(error.kind, PortErrorKind::Full);
    assert_eq!(world.datapath.state.borrow().hooks, hooks);
    world.audit();
    assert_eq!(Tables::read(&world.datapath).unwrap(), before);
}

#[test]
fn a_lost_vxlan_device_comes_back_under_every_hook() {
    let mut world = World::new(desired(&[(1, true)], &[], None));
    world.sync().unwrap();
    world.happen(Happening::Attach(1));
    world.happen(Happening::Break(Sabotage::LoseTunnel));

    let repairs = world.audit();

    assert_eq!(repairs.len(), 1, "{repairs:?}");
    assert_eq!(repairs[0].kind, DriftKind::Tunnel);
    world.assert_settled();
}
