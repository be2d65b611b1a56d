//! What may happen to an agent.

use std::{net::IpAddr, rc::Rc, sync::Arc};

use proptest::prelude::*;

use super::world::{TUNNEL, World, attachment, desired, pools, underlay_address, vni};
use crate::{
    control::{
        Datapath as _, Hook, Key, Plumbing as _, PortErrorKind, Ports, Program, Reconciler, Row,
        Table, UnderlayDevice,
        fake::{FakePlumbing, FakeUnderlay},
    },
    model::{Encap, Exact, MacAddress, PeerId, Place, RouteEntry, Way},
};

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    Want(Vec<(u8, bool)>, Vec<(u8, u8)>, Vec<(u8, u8)>, Option<u32>),
    Move(u8, Option<u8>),
    Way(u8, Option<(u32, u32, bool)>),
    Attach(u32),
    Detach(u32),
    Break(Sabotage),
    FailAfter(u32),
    Restart,
}

/// One thing that somebody does behind the agent's back.
#[derive(Clone, Debug)]
pub(super) enum Sabotage {
    LoseEntry(prop::sample::Index),
    LoseTable(usize),
    AddEntry(u8),
    Spoil(prop::sample::Index),
    LoseHook(prop::sample::Index),
    LoseTunnel,
}

pub(super) fn happening() -> impl Strategy<Value = Happening> {
    let nodes = prop::collection::btree_map(1_u8..9, any::<bool>(), 0..6);
    let singles = prop::collection::btree_map(2_u8..9, 1_u8..9, 0..6);
    let exact = prop::collection::btree_map(2_u8..9, 1_u8..9, 0..6);
    let wanted = (nodes, singles, exact, prop::option::of(1280_u32..1500));
    prop_oneof![
        3 => wanted.prop_map(|(nodes, singles, exact, mtu)| Happening::Want(
            nodes.into_iter().collect(),
            singles.into_iter().map(|(last, at)| (at, last)).collect(),
            exact.into_iter().collect(),
            mtu,
        )),
        2 => (1_u8..9, prop::option::of((2_u32..5, 1280_u32..9000, any::<bool>())))
            .prop_map(|(node, way)| Happening::Way(node, way)),
        3 => (2_u8..9, prop::option::of(1_u8..9)).prop_map(|(last, at)| Happening::Move(last, at)),
        3 => (1_u32..9).prop_map(Happening::Attach),
        2 => (1_u32..9).prop_map(Happening::Detach),
        6 => sabotage().prop_map(Happening::Break),
        1 => (0_u32..6).prop_map(Happening::FailAfter),
        1 => Just(Happening::Restart),
    ]
}

pub(super) fn sabotage() -> impl Strategy<Value = Sabotage> {
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
    pub(super) fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Want(nodes, singles, exact, mtu) => {
                let desired = desired(&nodes, &singles, mtu).into();
                let exact = exact
                    .into_iter()
                    .map(|(last, at)| (moving(last), at_node(at)));
                let exact = exact.collect();
                self.reconciler
                    .follow(desired, exact, self.attachments.values())
                    .expect("room");
            }
            Happening::Move(last, at) => {
                let moved = (moving(last), at.map(at_node));
                self.reconciler.reroute(&[moved]).expect("room");
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

    pub(super) fn break_something(&mut self, sabotage: &Sabotage) {
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
    pub(super) fn fail_after(&mut self, writes: u32) {
        self.datapath.state.borrow_mut().writes_left = Some(writes);
        let outcome = self.sync();
        self.datapath.state.borrow_mut().writes_left = None;
        if let Err(error) = outcome {
            assert_eq!(error.kind, PortErrorKind::Full);
        }
    }

    /// Another agent takes over what this one leaves.
    pub(super) fn restart(&mut self) {
        let desired = Arc::clone(self.reconciler.desired());
        let plumbing = FakePlumbing {
            tunnel: Rc::clone(&self.tunnel),
            next_ifindex: self.tunnel.get().max(TUNNEL).max(self.gateway.get() + 1),
            held: Rc::default(),
            taken: Rc::default(),
            gateway: Rc::clone(&self.gateway),
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
        self.reconciler =
            Reconciler::new(ports, desired, Encap::Auto, tunnel).with_transit_pools(pools());
        self.sync().expect("a first sync");
    }
}

/// An address that no block tells.
fn moving(last: u8) -> Place {
    Place {
        vni: vni(7),
        address: IpAddr::from([10, 1, 201, last]),
    }
}

fn at_node(number: u8) -> Exact {
    Exact {
        node: underlay_address(number),
        mac: None,
    }
}

pub(super) fn spoil(row: &mut Row) {
    match row {
        Row::Peer(_, entry) => entry.mtu += 1,
        Row::Network(_, entry) => entry.mtu += 1,
        Row::Endpoint(_, entry) => entry.mtu += 1,
        Row::Route(_, entry) | Row::Block(_, _, entry) => {
            entry.mac = Some(MacAddress([2, 0, 0, 0, 0, 99]));
        }
        Row::Namespace(_, entry) => *entry = entry.without(vni(7)),
        Row::Interface(_, entry) => entry.ipv6 = Some(IpAddr::from([0; 16])),
        Row::Backend(_, entry) => entry.service += 1,
        Row::Slots(_, slots) => slots[0] = 0,
        Row::Vip(_, entry) => entry.service += 1,
        Row::Port(_, entry) => entry.target += 1,
        Row::OwnAddress(_, ifindex) => *ifindex += 1,
        Row::Node(entry) => entry.gateway_mtu += 1,
        Row::PeerAddress(..) | Row::Transit(..) => {}
    }
}
