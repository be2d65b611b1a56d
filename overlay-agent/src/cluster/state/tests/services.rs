//! Services that come, change and go.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    super::{
        Change, Chore, Command, CreateNetwork, CreateService, Family, HealthEdit, PortPattern,
        Schedule, ServiceEdit, State, ViewChange,
    },
    world::{INGRESS, World, address, id, nets, node, port, secret, service, service_wish, wish},
};
use crate::model::{
    ClusterService, EndpointMode, HealthCheck, HealthProbe, PortWish, Protocol, PublishMode, Vni,
};

fn vni(number: u32) -> Vni {
    Vni::try_from(number).unwrap()
}

/// A cluster with networks 1 and 2, of one family and of both.
fn world() -> World {
    let mut world = World::with_ingress(2);
    world.network(1, &["10.1.0.0/24"]);
    world.network(2, &["10.2.0.0/24", "fd00:2::/64"]);
    world
}

fn vips(service: &ClusterService) -> Vec<IpAddr> {
    service.networks.values().flatten().copied().collect()
}

fn networks(service: &ClusterService) -> Vec<Vni> {
    service.networks.keys().copied().collect()
}

fn published(service: &ClusterService) -> Vec<u16> {
    service.ports.iter().map(|port| port.published).collect()
}

/// How many addresses of all networks are nobody's.
fn free(world: &World) -> u128 {
    let cluster = world.state.cluster.as_ref().unwrap();
    let families = [Family::Ipv4, Family::Ipv6];
    let all = cluster.networks.iter().flat_map(|(_, record)| {
        let leases = &record.leases;
        families.map(|family| leases.free_count(family))
    });
    all.sum()
}

#[test]
fn the_ingress_network_comes_with_the_cluster() {
    let mut world = World::with_ingress(1);

    let view = world.state.view();
    let ingress = view.ingress().unwrap();
    assert_eq!(ingress.network.name, "ingress");
    assert_eq!(u32::from(ingress.network.vni), 4096);
    assert_eq!(ingress.network.subnets, nets(&["10.0.0.0/24"]));
    assert!(!ingress.attachable);
    let next = world.create(wish(1, "mine"));
    assert_eq!(next, vni(4097));
    let mine = &world.state.view().networks[&next].network;
    assert_eq!(mine.subnets, nets(&["10.0.1.0/24"]));
}

#[test]
fn an_older_cluster_gets_it_from_its_leader_and_a_removed_one_stays_away() {
    let schedule = Schedule {
        rotate_keys: u64::MAX,
        retire_keys: u64::MAX,
        reap: u64::MAX,
    };
    let mut world = World::with_nodes(1);
    let chores = |world: &World| world.state.chores(world.now, &schedule);
    assert_eq!(chores(&world), [Chore::CreateIngress]);

    world.create(wish(1, "first"));
    let vni = world.create(CreateNetwork::ingress(id(2)));
    assert_eq!(world.state.view().ingress().unwrap().network.vni, vni);
    assert_eq!(chores(&world), []);

    world.make(Change::RemoveNetwork {
        network: id(2),
        endpoints: 0,
    });
    assert_eq!(chores(&world), []);
    world.create(CreateNetwork::ingress(id(3)));
    assert!(world.state.view().ingress().is_some());
}

#[test]
fn entries_and_snapshots_of_before_services_are_still_read() {
    let init = super::world::init();
    let mut entry = serde_json::to_value(Command::new(1, 2, Change::Init(Box::new(init)))).unwrap();
    let told = entry.pointer_mut("/V1/change/Init").unwrap();
    told.as_object_mut().unwrap().remove("ingress").unwrap();
    let entry: Command = serde_json::from_value(entry).unwrap();
    let mut state = State::default();
    state.apply(1, entry).unwrap();
    assert_eq!(state.networks().count(), 0);

    let mut wish = serde_json::to_value(wish(1, "old")).unwrap();
    wish.as_object_mut().unwrap().remove("ingress").unwrap();
    let wish: CreateNetwork = serde_json::from_value(wish).unwrap();
    assert!(!wish.ingress);

    let mut snapshot = serde_json::to_value(&state).unwrap();
    let cluster = snapshot.pointer_mut("/cluster").unwrap();
    for field in ["services", "had_ingress"] {
        cluster.as_object_mut().unwrap().remove(field).unwrap();
    }
    assert_eq!(serde_json::from_value::<State>(snapshot).unwrap(), state);
}

#[test]
fn a_service_has_a_virtual_address_of_each_family_in_each_network() {
    let mut world = world();

    let web = world.serve(service_wish(1, "web", &[1, 2]));

    assert_eq!(web.networks[&vni(4097)].len(), 1);
    let both = &web.networks[&vni(4098)];
    assert!(both[0].is_ipv4() && both[1].is_ipv6());
    let (first, second) = (&world.state.view().networks[&vni(4097)], &both);
    assert!(
        first
            .network
            .subnet_of(web.networks[&vni(4097)][0])
            .is_some()
    );
    assert_eq!(second.len(), 2);
    assert_eq!(
        (web.version, web.created, web.updated),
        (1, world.now, world.now)
    );
    let other = world.serve(service_wish(2, "other", &[1, 2]));
    let all: BTreeSet<IpAddr> = vips(&web).into_iter().chain(vips(&other)).collect();
    assert_eq!(all.len(), 6);
}

#[test]
fn a_service_without_a_network_is_on_ingress_until_it_gets_one() {
    let mut world = world();
    let web = world.serve(service_wish(1, "web", &[]));
    assert_eq!(networks(&web), [vni(4096)]);
    assert_eq!(vips(&web).len(), 1);

    let web = world
        .edit(
            1,
            ServiceEdit {
                add_networks: vec![id(1)],
                ..ServiceEdit::default()
            },
        )
        .unwrap();
    assert_eq!(networks(&web), [vni(4097)]);
    let web = world
        .edit(
            1,
            ServiceEdit {
                remove_networks: vec![id(1)],
                ..ServiceEdit::default()
            },
        )
        .unwrap();
    assert_eq!(networks(&web), [vni(4096)]);
}

#[test]
fn virtual_addresses_are_never_leased_and_are_free_again_in_the_end() {
    let mut world = world();
    world.lease(1, 1).unwrap();
    let before = free(&world);
    let web = world.serve(service_wish(1, "web", &[1, 2]));
    assert_eq!(free(&world), before - 3);
    let vip = web.networks[&vni(4097)][0];
    let refused = world.lease_address(2, 1, &vip.to_string()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("{vip} is the virtual IP of service web of network network-1")
    );
    while let Ok(lease) = world.lease(1, 1) {
        assert!(!lease.block.contains(&vip));
    }

    world.make(Change::RemoveService {
        service: service(1),
    });

    assert!(world.state.view().services.is_empty());
    assert!(world.lease_address(2, 1, &vip.to_string()).is_ok());
}

#[test]
fn addresses_stay_where_a_service_stays() {
    let mut world = world();
    let before = free(&world);
    let web = world.serve(service_wish(1, "web", &[1]));

    let moved = world
        .edit(
            1,
            ServiceEdit {
                add_networks: vec![id(2)],
                ..ServiceEdit::default()
            },
        )
        .unwrap();
    assert_eq!(moved.networks[&vni(4097)], web.networks[&vni(4097)]);
    assert_eq!(moved.networks[&vni(4098)].len(), 2);
    assert_eq!((moved.version, moved.id), (2, web.id));
    let moved = world
        .edit(
            1,
            ServiceEdit {
                remove_networks: vec![id(1)],
                ..ServiceEdit::default()
            },
        )
        .unwrap();
    assert_eq!(moved.networks.len(), 1);
    assert_eq!(free(&world), before - 2);
    let plain = world
        .edit(
            1,
            ServiceEdit {
                mode: Some(EndpointMode::Dnsrr),
                ..ServiceEdit::default()
            },
        )
        .unwrap();
    assert_eq!(plain.networks[&vni(4098)], Vec::<IpAddr>::new());
    assert_eq!(free(&world), before);
}

#[test]
fn a_network_without_room_gives_no_address_of_the_others_either() {
    let mut world = world();
    world.network(3, &["10.3.0.0/30"]);
    world.lease(1, 3).unwrap();
    let before = free(&world);

    let wish = service_wish(1, "web", &[1, 2, 3]);
    let refused = world.apply(Change::CreateService(Box::new(wish)));

    assert_eq!(
        refused.unwrap_err().to_string(),
        "no available IPv4 addresses in network network-3: all are leased to nodes"
    );
    assert_eq!(free(&world), before);
}

#[test]
fn ports_that_nobody_chose_are_the_lowest_from_30000_on() {
    let mut world = world();
    let udp = PortWish {
        protocol: Protocol::Udp,
        ..port(0, 53)
    };
    let web = world.serve(CreateService {
        ports: vec![port(0, 80), port(30_000, 81), udp],
        ..service_wish(1, "web", &[1])
    });
    assert_eq!(published(&web), [30_000, 30_001, 30_000]);

    let more = world.serve(CreateService {
        ports: vec![port(0, 80)],
        ..service_wish(2, "more", &[1])
    });
    assert_eq!(published(&more), [30_002]);
    world.make(Change::RemoveService {
        service: service(1),
    });
    let again = world.serve(CreateService {
        ports: vec![port(0, 80)],
        ..service_wish(3, "again", &[1])
    });
    assert_eq!(published(&again), [30_000]);
}

#[test]
fn ports_come_and_go() {
    let mut world = world();
    let host = |published, target| PortWish {
        mode: PublishMode::Host,
        ..port(published, target)
    };
    world.serve(CreateService {
        ports: vec![port(8080, 80), host(8081, 80)],
        ..service_wish(1, "web", &[1])
    });

    let web = world
        .edit(
            1,
            ServiceEdit {
                add_ports: vec![port(8443, 443), port(8080, 80)],
                remove_ports: vec![PortPattern {
                    target: 80,
                    protocol: Protocol::Tcp,
                    mode: PublishMode::Host,
                    published: None,
                }],
                ..ServiceEdit::default()
            },
        )
        .unwrap();

    assert_eq!(published(&web), [8080, 8443]);
    // Two services in host mode may have one port: on which nodes they have tasks is not known here.
    for number in [2, 3] {
        world.serve(CreateService {
            ports: vec![host(9000, 80)],
            ..service_wish(number, &format!("host-{number}"), &[1])
        });
    }
    // At two addresses, one port is two.
    let at = |text: &str| PortWish {
        address: Some(address(text)),
        ..port(7000, 80)
    };
    for (number, text) in [(4, "192.0.2.1"), (5, "192.0.2.2")] {
        world.serve(CreateService {
            ports: vec![at(text)],
            ..service_wish(number, &format!("at-{number}"), &[1])
        });
    }
}

#[test]
fn everything_else_can_change() {
    let mut world = world();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    world.serve(CreateService {
        labels: [pair("tier", "front"), pair("old", "")].into(),
        ..service_wish(1, "web", &[1])
    });
    let health = HealthCheck {
        probe: HealthProbe::Http {
            port: 80,
            path: "/healthz".to_owned(),
        },
        interval_ms: 5000,
        timeout_ms: 3000,
        retries: 3,
    };
    world.now += 60;

    let web = world
        .edit(
            1,
            ServiceEdit {
                add_labels: [pair("tier", "back")].into(),
                remove_labels: ["old".to_owned()].into(),
                health: HealthEdit::Set(health.clone()),
                drain_s: Some(30),
                options: [pair("dsr", "")].into(),
                ..ServiceEdit::default()
            },
        )
        .unwrap();

    assert_eq!(web.labels, BTreeMap::from([pair("tier", "back")]));
    assert_eq!((web.health, web.drain_s), (Some(health), 30));
    assert!(web.direct_return);
    assert_eq!((web.created, web.updated), (world.now - 60, world.now));
    let web = world
        .edit(
            1,
            ServiceEdit {
                health: HealthEdit::Remove,
                options: [pair("dsr", "false")].into(),
                ..ServiceEdit::default()
            },
        )
        .unwrap();
    assert_eq!((web.health, web.direct_return), (None, false));
}

#[test]
fn watchers_hear_of_services() {
    let mut world = world();
    let before = world.state.view_index();
    let web = world.serve(service_wish(1, "web", &[1]));
    let delta = world.state.changes_since(before).unwrap();
    assert_eq!(delta.changes, [ViewChange::Service(Box::new(web))]);

    world.make(Change::RemoveService {
        service: service(1),
    });
    let delta = world.state.changes_since(before).unwrap();
    assert_eq!(delta.changes, [ViewChange::ServiceGone(service(1))]);
}

#[test]
fn services_survive_a_new_cluster_of_one_manager() {
    let mut world = world();
    world.serve(CreateService {
        ports: vec![port(8080, 80)],
        ..service_wish(1, "web", &[1, 2])
    });
    let before = world.state.view();

    world.make(Change::ForceNewCluster { node: node(1) });
    world.make(Change::RotateKeys { secret: secret(9) });

    let after = world.state.view();
    assert_eq!(after.services, before.services);
    assert_eq!(after.networks, before.networks);
}

#[test]
fn services_are_found_by_identifier_name_and_beginning() {
    let mut world = world();
    world.serve(service_wish(1, "Web", &[1]));
    world.serve(service_wish(2, "db", &[1]));
    let find = |text: &str| {
        let found = world.state.find_service(text);
        found.map(|service| service.name.as_str())
    };

    assert_eq!(find("web"), Ok("Web"));
    assert_eq!(find(&service(2).to_string()), Ok("db"));
    assert_eq!(find(&service(2).to_string()[..25]), Ok("db"));
    let words = |text| find(text).unwrap_err().to_string();
    assert_eq!(words("0000"), "service 0000 is ambiguous (2 matches found)");
    assert_eq!(words("cache"), "service cache not found");
    assert_eq!(world.state.services().count(), 2);
    assert_eq!(id(INGRESS), world.state.view().ingress().unwrap().id);
}
