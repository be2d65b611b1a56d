use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use super::{
    Cluster,
    testing::{claim, id, port, service},
};
use crate::model::{
    Availability, Balanced, Claim, ClusterNetwork, ClusterView, Member, Network, NetworkId, NodeId,
    Place, PublishMode, Role, ServiceChange, ServiceId, TaskState, Vni,
};

fn vni(number: u32) -> Vni {
    Vni::try_from(4096 + number).unwrap()
}

fn node(number: u8) -> NodeId {
    NodeId::from_random(number.into())
}

fn place(network: u32, last: u8) -> Place {
    Place {
        vni: vni(network),
        address: IpAddr::from([10, u8::try_from(network).unwrap(), 0, last]),
    }
}

fn view(services: u128) -> ClusterView {
    let member = |number: u8| {
        let address = IpAddr::from([192, 0, 2, number]);
        Member {
            id: node(number),
            hostname: format!("n{number}"),
            role: Role::Worker,
            availability: Availability::Active,
            labels: BTreeMap::new(),
            data_path: address,
            gossip: SocketAddr::new(address, 7946),
            control: SocketAddr::new(address, 2377),
            joined: 0,
        }
    };
    let network = |number: u32| ClusterNetwork {
        ingress: number == 0,
        id: NetworkId::from_random(number.into()),
        network: Network {
            name: format!("net{number}"),
            vni: vni(number),
            subnets: vec![format!("10.{number}.0.0/16").parse().unwrap()],
            gateways: vec![IpAddr::from([10, number as u8, 0, 1])],
            mtu: None,
        },
        ranges: Vec::new(),
        attachable: true,
        internal: false,
        encrypted: false,
        labels: BTreeMap::new(),
        options: BTreeMap::new(),
        created: 0,
    };
    let service = |number: u128| service(number, vni(1), &format!("10.1.1.{number}"));
    ClusterView {
        index: 1,
        members: (1..=4)
            .map(|number| (node(number), member(number)))
            .collect(),
        networks: (0..=2)
            .map(|number| (vni(number), network(number)))
            .collect(),
        services: (1..=services)
            .map(|number| (id(number), service(number)))
            .collect(),
        ..ClusterView::default()
    }
}

/// Node 1, on which network 1 exists; everything so far is taken.
fn cluster(view: ClusterView) -> Cluster {
    let mut cluster = Cluster::new(node(1), Arc::new(view));
    cluster.set_present(BTreeSet::from([vni(1)]));
    cluster.take_services();
    cluster
}

fn task(place: Place, service: u128, state: TaskState) -> Claim {
    claim(place.vni, place.address, Some((id(service), state)))
}

fn tell(cluster: &mut Cluster, place: Place, from: u8, service: u128, state: TaskState) {
    cluster.claim(place, Some((node(from), task(place, service, state))));
}

fn only(mut changes: Vec<ServiceChange>) -> Balanced {
    assert_eq!(changes.len(), 1, "{changes:?}");
    changes.remove(0).1.expect("it is balanced here")
}

fn ids(changes: &[ServiceChange]) -> Vec<ServiceId> {
    changes.iter().map(|(id, _)| *id).collect()
}

#[test]
fn one_claim_concerns_one_service() {
    let mut cluster = cluster(view(3));

    tell(&mut cluster, place(1, 9), 2, 2, TaskState::Running);
    let changes = cluster.take_services();
    assert_eq!(ids(&changes), [id(2)]);
    let task = only(changes).tasks[&place(1, 9)];
    assert_eq!(task.node, Some(IpAddr::from([192, 0, 2, 2])));
    assert!(task.is_open);

    tell(&mut cluster, place(1, 9), 2, 2, TaskState::Running);
    assert_eq!(cluster.take_services(), [], "nothing new");
    tell(&mut cluster, place(1, 9), 2, 3, TaskState::Running);
    assert_eq!(ids(&cluster.take_services()), [id(2), id(3)], "it moved");
    cluster.claim(place(1, 9), None);
    assert!(only(cluster.take_services()).tasks.is_empty());
}

#[test]
fn only_running_tasks_are_open() {
    let mut cluster = cluster(view(1));
    tell(&mut cluster, place(1, 8), 2, 1, TaskState::Running);
    for state in [
        TaskState::Starting,
        TaskState::Unhealthy,
        TaskState::Draining,
    ] {
        tell(&mut cluster, place(1, 9), 2, 1, state);

        let tasks = only(cluster.take_services()).tasks;

        assert!(tasks[&place(1, 8)].is_open);
        assert!(!tasks[&place(1, 9)].is_open, "{state:?}");
    }
}

#[test]
fn a_suspect_gets_no_new_flows_unless_nobody_else_is_there() {
    let mut cluster = cluster(view(1));
    tell(&mut cluster, place(1, 8), 2, 1, TaskState::Running);
    tell(&mut cluster, place(1, 9), 3, 1, TaskState::Running);
    cluster.take_services();

    cluster.set_suspects(BTreeSet::from([node(2)]));
    let tasks = only(cluster.take_services()).tasks;
    assert_eq!(
        (tasks[&place(1, 8)].is_open, tasks[&place(1, 9)].is_open),
        (false, true)
    );

    cluster.set_suspects(BTreeSet::from([node(2), node(3)]));
    let tasks = only(cluster.take_services()).tasks;
    assert!(tasks.values().all(|task| task.is_open));

    cluster.set_failed(BTreeSet::from([node(3)]));
    let tasks = only(cluster.take_services()).tasks;
    assert_eq!(tasks.keys().collect::<Vec<_>>(), [&place(1, 8)]);
    assert_eq!(cluster.servers(), BTreeSet::from([node(2)]));
}

#[test]
fn a_service_of_a_network_that_is_not_here_is_balanced_only_for_its_ports() {
    let mut view = view(2);
    for number in [1, 2] {
        let service = view.services.get_mut(&id(number)).unwrap();
        service.networks = BTreeMap::from([
            (vni(0), vec![IpAddr::from([10, 0, 1, 1])]),
            (vni(2), vec![IpAddr::from([10, 2, 1, 1])]),
        ]);
    }
    let published = view.services.get_mut(&id(2)).unwrap();
    published.ports = BTreeSet::from([port(PublishMode::Ingress)]);
    let mut cluster = Cluster::new(node(1), Arc::new(view));
    cluster.set_present(BTreeSet::from([vni(1)]));
    for number in [1, 2] {
        tell(&mut cluster, place(2, 9), 2, number, TaskState::Running);
    }

    let changes = cluster.take_services();

    assert_eq!(
        cluster.published(),
        BTreeSet::from([vni(2)]),
        "not the one for this alone"
    );
    assert_eq!(changes[0], (id(1), None));
    let balanced = changes[1].1.clone().unwrap();
    assert!(balanced.vips.is_empty());
    assert_eq!(balanced.port_network, Some(vni(2)));
    assert_eq!(balanced.tasks.len(), 1);
    assert_eq!(cluster.ingress(), Some(vni(0)));
}

#[test]
fn a_host_port_is_answered_only_where_a_task_is() {
    let mut view = view(1);
    let service = view.services.get_mut(&id(1)).unwrap();
    service.ports = BTreeSet::from([port(PublishMode::Host)]);
    let mut cluster = Cluster::new(node(1), Arc::new(view));
    cluster.set_present(BTreeSet::from([vni(1)]));

    tell(&mut cluster, place(1, 9), 2, 1, TaskState::Running);

    let balanced = only(cluster.take_services());
    assert!(balanced.ports.is_empty());
    assert!(cluster.published().is_empty());
}

#[test]
fn a_view_touches_what_it_changes() {
    let mut cluster = cluster(view(3));

    let mut next = view(2);
    next.index = 2;
    next.services.get_mut(&id(2)).unwrap().direct_return = true;
    cluster.set_view(Arc::new(next));

    let changes = cluster.take_services();
    assert_eq!(ids(&changes), [id(2), id(3)]);
    assert_eq!(changes[1].1, None, "it is gone");
}

#[test]
fn a_network_that_a_service_leaves_keeps_its_address_for_what_was_begun() {
    let mut cluster = cluster(view(1));
    tell(&mut cluster, place(1, 9), 2, 1, TaskState::Running);
    cluster.take_services();
    let mut moved = view(2);
    moved.index = 2;
    let service = moved.services.get_mut(&id(1)).unwrap();
    service.networks = BTreeMap::from([(vni(2), vec![IpAddr::from([10, 2, 1, 1])])]);
    let vip = place(1, 1);
    let vip = Place {
        address: IpAddr::from([10, 1, 1, 1]),
        ..vip
    };

    cluster.set_view(Arc::new(moved.clone()));
    let left = cluster.take_services().remove(0).1.unwrap();
    assert_eq!(left.vips, BTreeSet::from([vip]));
    assert!(!left.tasks[&place(1, 9)].is_open, "nothing new there");

    // Another service is given the address.
    let mut given = moved.clone();
    given.index = 3;
    let other = given.services.get_mut(&id(2)).unwrap();
    other.networks = BTreeMap::from([(vni(1), vec![vip.address])]);
    let mut robbed = cluster.clone();
    robbed.set_view(Arc::new(given));
    let changes = robbed.take_services();
    assert_eq!(changes[0], (id(1), None));
    assert_eq!(changes[1].1.as_ref().unwrap().vips, BTreeSet::from([vip]));

    // The task has gone.
    cluster.claim(place(1, 9), None);
    assert_eq!(cluster.take_services(), [(id(1), None)]);

    // It comes back before that.
    let mut back = view(1);
    back.index = 4;
    robbed.set_view(Arc::new(back));
    let changes = robbed.take_services();
    let one = changes[0].1.as_ref().unwrap();
    assert!(one.tasks[&place(1, 9)].is_open);
}

#[test]
fn a_network_that_comes_brings_its_services() {
    let mut cluster = cluster(view(2));
    tell(&mut cluster, place(1, 9), 2, 1, TaskState::Running);
    cluster.take_services();

    cluster.set_present(BTreeSet::new());
    let gone = cluster.take_services();
    assert_eq!(gone, [(id(1), None), (id(2), None)]);
    cluster.set_present(BTreeSet::from([vni(1)]));
    let back = cluster.take_services();

    assert_eq!(back[0].1.as_ref().unwrap().tasks.len(), 1);
}
