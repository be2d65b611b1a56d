//! Whatever happens to the desired state, the underlay and the kernel: one step later they agree, and
//! on the way there no entry names something that is not there.

mod happening;
mod world;

use std::net::IpAddr;

use proptest::prelude::*;

use self::{
    happening::{Happening, Sabotage, happening},
    world::{World, attachment, desired, vni},
};
use crate::{
    control::{Action, DriftKind, Hook, Key, PortErrorKind, Program, Repair, Table, Tables},
    model::Place,
};

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
fn a_gateway_that_is_gone_is_made_again_and_followed() {
    let mut world = World::new(desired(&[(1, true)], &[], None));
    world.sync().unwrap();
    world.gateway.set(0);

    let repairs = world.audit();

    assert!(
        repairs
            .iter()
            .any(|repair| repair.kind == DriftKind::Gateway)
    );
    world.assert_settled();
    assert_eq!(world.audit(), []);
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
