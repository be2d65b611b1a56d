//! Steps of random histories.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use ipnet::IpNet;
use proptest::prelude::*;

use super::super::{
    super::{Change, CreateNetwork, CreateService, Family, Join, PortPattern, ServiceEdit, family},
    world::{
        INGRESS, World, address, id, join, nets, node, port, secret, service, service_wish, wish,
    },
};
use crate::model::{ClusterView, EndpointMode, NetworkId, NodeId, Protocol, PublishMode, Role};

/// Something to be done to what is there, chosen by small numbers.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Create {
        number: u8,
        form: u8,
    },
    RemoveNetwork {
        number: u8,
    },
    Join {
        number: u8,
        address: u8,
        is_manager: bool,
    },
    Leave {
        number: u8,
        force: bool,
    },
    RemoveNode {
        number: u8,
    },
    SetRole {
        number: u8,
        is_manager: bool,
    },
    Lease {
        owner: u8,
        network: u8,
        families: u8,
    },
    LeaseAddress {
        owner: u8,
        network: u8,
        offset: u8,
    },
    GiveBack {
        which: u8,
        narrower: u8,
        offset: u8,
    },
    Reap {
        after: u8,
    },
    RotateKeys,
    RetireKeys {
        oldest: u8,
    },
    ForceNew {
        number: u8,
    },
    Serve {
        number: u8,
        network: u8,
        form: u8,
    },
    EditService {
        number: u8,
        network: u8,
        form: u8,
    },
    RemoveService {
        number: u8,
    },
    Again,
    Wait,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let number = 1..6_u8;
    prop_oneof![
        3 => (0..5_u8, 0..5_u8).prop_map(|(number, form)| Step::Create { number, form }),
        1 => (0..10_u8).prop_map(|number| Step::RemoveNetwork { number }),
        4 => (number.clone(), 1..7_u8, any::<bool>())
            .prop_map(|(number, address, is_manager)| Step::Join { number, address, is_manager }),
        1 => (number.clone(), any::<bool>())
            .prop_map(|(number, force)| Step::Leave { number, force }),
        1 => number.clone().prop_map(|number| Step::RemoveNode { number }),
        1 => (number.clone(), any::<bool>())
            .prop_map(|(number, is_manager)| Step::SetRole { number, is_manager }),
        16 => (0..20_u8, 0..60_u8, 0..20_u8)
            .prop_map(|(owner, network, families)| Step::Lease { owner, network, families }),
        8 => (0..20_u8, 0..60_u8, 0..20_u8)
            .prop_map(|(owner, network, offset)| Step::LeaseAddress { owner, network, offset }),
        8 => (any::<u8>(), 0..4_u8, any::<u8>())
            .prop_map(|(which, narrower, offset)| Step::GiveBack { which, narrower, offset }),
        2 => (0..3_u8).prop_map(|after| Step::Reap { after }),
        1 => Just(Step::RotateKeys),
        1 => (0..8_u8).prop_map(|oldest| Step::RetireKeys { oldest }),
        1 => number.prop_map(|number| Step::ForceNew { number }),
        4 => (0..6_u8, 0..8_u8, 0..6_u8)
            .prop_map(|(number, network, form)| Step::Serve { number, network, form }),
        4 => (0..6_u8, 0..8_u8, 0..6_u8)
            .prop_map(|(number, network, form)| Step::EditService { number, network, form }),
        1 => (0..6_u8).prop_map(|number| Step::RemoveService { number }),
        2 => Just(Step::Again),
        2 => Just(Step::Wait),
    ]
}

/// Some addresses are in several forms' subnets, so that some of them are refused.
fn creation(number: u8, form: u8) -> CreateNetwork {
    let plain = wish(number.into(), &format!("n{number}"));
    match form {
        0 => plain,
        1 => CreateNetwork {
            subnets: nets(&["10.1.0.0/28"]),
            kept: vec![address("10.1.0.6")],
            ..plain
        },
        2 => CreateNetwork {
            subnets: nets(&["10.1.0.0/24", "10.2.0.0/30", "10.2.0.4/30"]),
            families: [Family::Ipv4, Family::Ipv6].into(),
            ..plain
        },
        3 => CreateNetwork {
            subnets: nets(&["10.3.0.0/24"]),
            ranges: nets(&["10.3.0.8/29"]),
            gateways: vec![address("10.3.0.10")],
            ..plain
        },
        _ => CreateNetwork {
            families: [Family::Ipv6].into(),
            ..plain
        },
    }
}

/// What a step means here and now; `None` for one that is no command.
pub(super) fn change(world: &World, step: &Step) -> Option<Change> {
    let view = world.state.view();
    Some(match step.clone() {
        Step::Create { number, form } => Change::CreateNetwork(Box::new(creation(number, form))),
        Step::RemoveNetwork { number } => Change::RemoveNetwork {
            network: if number == 9 {
                id(INGRESS)
            } else {
                id(number.into())
            },
            endpoints: 0,
        },
        Step::Join {
            number,
            address,
            is_manager,
        } => {
            let role = if is_manager {
                Role::Manager
            } else {
                Role::Worker
            };
            Change::Join(Box::new(Join {
                data_path: IpAddr::from(Ipv4Addr::new(192, 0, 2, address)),
                down: [node(3), node(4)].into(),
                ..join(number, role)
            }))
        }
        Step::Leave { number, force } => Change::Leave {
            node: node(number.into()),
            force,
            down: BTreeSet::new(),
        },
        Step::RemoveNode { number } => Change::RemoveNode {
            node: node(number.into()),
            force: true,
            is_down: false,
            secret: secret(number),
        },
        Step::SetRole { number, is_manager } => Change::SetRole {
            node: node(number.into()),
            role: if is_manager {
                Role::Manager
            } else {
                Role::Worker
            },
            down: [node(2)].into(),
        },
        Step::Lease {
            owner,
            network,
            families,
        } => lease(&view, owner, network, families)?,
        Step::LeaseAddress {
            owner,
            network,
            offset,
        } => lease_address(&view, owner, network, offset)?,
        Step::GiveBack {
            which,
            narrower,
            offset,
        } => give_back(&view, which, narrower, offset)?,
        Step::Reap { after } => Change::Reap {
            after: after.into(),
        },
        Step::RotateKeys => Change::RotateKeys {
            secret: secret(world.index as u8),
        },
        Step::RetireKeys { oldest } => Change::RetireKeys {
            oldest: oldest.into(),
        },
        Step::ForceNew { number } => Change::ForceNewCluster {
            node: node(number.into()),
        },
        Step::Serve {
            number,
            network,
            form,
        } => Change::CreateService(Box::new(serving(&view, number, network, form))),
        Step::EditService {
            number,
            network,
            form,
        } => Change::UpdateService {
            service: service(number.into()),
            edit: Box::new(editing(&view, network, form)),
        },
        Step::RemoveService { number } => Change::RemoveService {
            service: service(number.into()),
        },
        Step::Again | Step::Wait => return None,
    })
}

/// Some are on a network that is not theirs to take, or want ports that others have.
fn serving(view: &ClusterView, number: u8, network: u8, form: u8) -> CreateService {
    let chosen = network_of(view, network).into_iter();
    let plain = CreateService {
        networks: chosen.collect(),
        ..service_wish(number.into(), &format!("s{number}"), &[])
    };
    match form {
        0 => CreateService {
            networks: Vec::new(),
            ports: vec![port(0, 80)],
            ..plain
        },
        1 => CreateService {
            mode: EndpointMode::Dnsrr,
            ..plain
        },
        2 => CreateService {
            ports: vec![port(0, 80), port(8080, 80)],
            ..plain
        },
        3 => CreateService {
            networks: view.networks.values().map(|known| known.id).collect(),
            ..plain
        },
        _ => plain,
    }
}

fn editing(view: &ClusterView, network: u8, form: u8) -> ServiceEdit {
    let mut edit = ServiceEdit::default();
    let network = network_of(view, network).into_iter().collect();
    match form {
        0 | 1 => edit.add_networks = network,
        2 => edit.remove_networks = network,
        3 => edit.mode = Some(EndpointMode::Dnsrr),
        4 => edit.mode = Some(EndpointMode::Vip),
        _ => {
            edit.add_ports = vec![port(8080, 80)];
            edit.remove_ports = vec![PortPattern {
                target: 80,
                protocol: Protocol::Tcp,
                mode: PublishMode::Ingress,
                published: None,
            }];
        }
    }
    edit
}

fn network_of(view: &ClusterView, number: u8) -> Option<NetworkId> {
    nth(view.networks.values(), number).map(|known| known.id)
}

fn lease(view: &ClusterView, owner: u8, network: u8, families: u8) -> Option<Change> {
    let known = nth(view.networks.values(), network)?;
    let has = |family: &Family| {
        let mut subnets = known.network.subnets.iter();
        subnets.any(|net| Family::of(*net) == *family)
    };
    let all = [Family::Ipv4, Family::Ipv6].into_iter();
    Some(Change::LeaseBlocks {
        node: owner_of(view, owner),
        network: known.id,
        families: match families {
            0 => BTreeSet::new(),
            1 => all.collect(),
            2 => [Family::Ipv6].into(),
            _ => all.filter(has).collect(),
        },
    })
}

fn lease_address(view: &ClusterView, owner: u8, network: u8, offset: u8) -> Option<Change> {
    let known = nth(view.networks.values(), network)?;
    let subnet = *nth(known.network.subnets.iter(), offset)?;
    let first = family::bits(subnet.network());
    let address = Family::of(subnet).net(first + u128::from(offset), 0).addr();
    Some(Change::LeaseAddress {
        node: owner_of(view, owner),
        network: known.id,
        address,
    })
}

fn give_back(view: &ClusterView, which: u8, narrower: u8, offset: u8) -> Option<Change> {
    let lease = nth(view.leases.iter(), which)?;
    Some(Change::GiveBack {
        node: lease.node,
        network: view.networks[&lease.vni].id,
        blocks: [part(lease.block, narrower, offset)].into(),
    })
}

/// One of several, whatever the number is.
fn nth<T>(all: impl ExactSizeIterator<Item = T>, number: u8) -> Option<T> {
    let mut all = all;
    let position = usize::from(number).checked_rem(all.len())?;
    all.nth(position)
}

/// Most often a member.
fn owner_of(view: &ClusterView, number: u8) -> NodeId {
    let member = nth(view.members.keys(), number).filter(|_| number > 0);
    member.copied().unwrap_or(node(9))
}

/// One of the parts of a block whose prefix is longer by up to `narrower` bits.
fn part(block: IpNet, narrower: u8, offset: u8) -> IpNet {
    let exponent = family::exponent(block).saturating_sub(narrower);
    let parts = family::size(block) >> exponent;
    let start = family::bits(block.network()) + ((u128::from(offset) % parts) << exponent);
    Family::of(block).net(start, exponent)
}
