//! A reconciler over fakes, and what the test knows of them.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    rc::Rc,
};

use crate::{
    control::{
        Hook, PortError, Ports, Reconciler, Repair, Tables, UnderlayDevice,
        fake::{FakeDatapath, FakePlumbing, FakeUnderlay},
        planner,
    },
    model::{
        Attachment, Desired, Encap, MacAddress, NamespaceId, Network, Node, RemoteEndpoint,
        TransitPools, Vni, Way,
    },
};

type FakeReconciler = Reconciler<FakeDatapath, FakeUnderlay, FakePlumbing>;

pub(super) const TUNNEL: u32 = 100;

pub(super) struct World {
    pub(super) datapath: FakeDatapath,
    pub(super) ways: Rc<RefCell<BTreeMap<IpAddr, Way>>>,
    pub(super) tunnel: Rc<Cell<u32>>,
    pub(super) gateway: Rc<Cell<u32>>,
    pub(super) attachments: BTreeMap<u32, Attachment>,
    pub(super) reconciler: FakeReconciler,
}

impl World {
    pub(super) fn new(desired: Desired) -> Self {
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
        let gateway = Rc::default();
        let plumbing = FakePlumbing {
            tunnel: Rc::clone(&tunnel),
            next_ifindex: TUNNEL,
            held: Rc::default(),
            taken: Rc::default(),
            gateway: Rc::clone(&gateway),
        };
        let ports = Ports {
            datapath: datapath.clone(),
            underlay,
            plumbing,
        };
        let reconciler =
            Reconciler::new(ports, desired, Encap::Auto, TUNNEL).with_transit_pools(pools());
        Self {
            datapath,
            ways,
            tunnel,
            gateway,
            attachments: BTreeMap::new(),
            reconciler,
        }
    }

    pub(super) fn sync(&mut self) -> Result<usize, PortError> {
        self.reconciler.sync(self.attachments.values())
    }

    pub(super) fn audit(&mut self) -> Vec<Repair> {
        let (_, repairs) = self
            .reconciler
            .audit(self.attachments.values())
            .expect("an audit");
        repairs
    }

    pub(super) fn assert_settled(&self) {
        let remote = planner::remote_tables(self.reconciler.facts());
        let local = planner::local_tables(self.attachments.values(), pools());
        let planned = Tables {
            node: self.reconciler.node_entry(),
            ..Tables::new(remote, local)
        };
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

/// Where transit addresses come from.
pub(super) fn pools() -> TransitPools {
    TransitPools {
        ipv4: Some("100.127.0.0/16".parse().unwrap()),
        ipv6: None,
    }
}

pub(super) fn vni(number: u32) -> Vni {
    Vni::try_from(number).unwrap()
}

pub(super) fn underlay_address(node: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, node])
}

pub(super) fn block(node: u8) -> ipnet::IpNet {
    ipnet::IpNet::new(IpAddr::from([10, 1, node, 0]), 24).unwrap()
}

/// Nodes by number, each with its block or not, and single addresses that wander between them.
pub(super) fn desired(nodes: &[(u8, bool)], singles: &[(u8, u8)], mtu: Option<u32>) -> Desired {
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
        ingress: None,
        this: underlay_address(0),
        nodes,
        networks: vec![Network {
            name: "blue".to_owned(),
            vni: vni(7),
            subnets: vec!["10.1.0.0/16".parse().unwrap()],
            gateways: vec![IpAddr::from([10, 1, 0, 1])],
            mtu,
        }],
        internal: std::collections::BTreeSet::new(),
        encrypted: std::collections::BTreeSet::new(),
    }
}

pub(super) fn attachment(number: u32) -> Attachment {
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
        cookie: None,
        conflict: None,
        aliases: Vec::new(),
        service: None,
        follows_service: false,
        ports: Vec::new(),
        encrypted: false,
        transit: Some(number + 1),
    }
}
