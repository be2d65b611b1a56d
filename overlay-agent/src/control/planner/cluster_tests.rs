use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use ipnet::IpNet;
use proptest::prelude::*;

use super::{Cluster, Plan};
use crate::model::{
    Availability, Claim, ClusterNetwork, ClusterView, Exact, Lease, MacAddress, Member, Network,
    NetworkId, Node, NodeId, Place, Role, Vni,
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn vni(number: u32) -> Vni {
    Vni::try_from(4096 + number).unwrap()
}

fn id(number: u8) -> NodeId {
    NodeId::from_random(number.into())
}

fn underlay(number: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, number])
}

fn member(number: u8) -> Member {
    let at = |port| SocketAddr::new(underlay(number), port);
    Member {
        id: id(number),
        hostname: format!("n{number}"),
        role: Role::Worker,
        availability: Availability::Active,
        labels: BTreeMap::new(),
        data_path: underlay(number),
        gossip: at(7946),
        control: at(2377),
        joined: 0,
    }
}

fn network(number: u32) -> ClusterNetwork {
    ClusterNetwork {
        ingress: false,
        id: NetworkId::from_random(number.into()),
        network: Network {
            name: format!("net{number}"),
            vni: vni(number),
            subnets: vec!["10.0.0.0/16".parse().unwrap()],
            gateways: vec![ip("10.0.0.1")],
            mtu: None,
        },
        ranges: Vec::new(),
        attachable: true,
        internal: false,
        encrypted: false,
        labels: BTreeMap::new(),
        options: BTreeMap::new(),
        created: 0,
    }
}

fn lease(network: u32, block: &str, node: u8, index: u64) -> Lease {
    Lease {
        vni: vni(network),
        block: block.parse().unwrap(),
        node: id(node),
        index,
    }
}

fn claim(address: &str, mac: Option<MacAddress>, index: u64) -> Claim {
    Claim {
        aliases: Vec::new(),
        task: None,
        vni: vni(0),
        address: ip(address),
        name: "c".to_owned(),
        endpoint: "e".to_owned(),
        mac,
        index,
    }
}

fn place(address: &str) -> Place {
    Place {
        vni: vni(0),
        address: ip(address),
    }
}

/// Nodes 1 (this one) to 3, each with a block of `net0`, and 2 with one of `net1`.
fn view() -> ClusterView {
    ClusterView {
        index: 10,
        members: (1..=3).map(|number| (id(number), member(number))).collect(),
        networks: [0, 1].map(|number| (vni(number), network(number))).into(),
        leases: BTreeSet::from([
            lease(0, "10.0.1.0/26", 1, 1),
            lease(0, "10.0.2.0/26", 2, 2),
            lease(0, "10.0.3.0/26", 3, 3),
            lease(1, "10.0.2.0/26", 2, 4),
        ]),
        data_path_port: 4789,
        ..ClusterView::default()
    }
}

fn here(present: &[u32]) -> Cluster {
    let mut cluster = Cluster::new(id(1), Arc::new(view()));
    cluster.set_present(present.iter().map(|number| vni(*number)).collect());
    cluster
}

fn node(plan: &Plan, number: u8) -> &Node {
    plan.desired.node_at(underlay(number)).unwrap()
}

fn blocks(plan: &Plan, number: u8) -> Vec<String> {
    let all = node(plan, number).blocks.iter();
    all.flat_map(|(vni, blocks)| blocks.iter().map(move |block| format!("{vni} {block}")))
        .collect()
}

#[test]
fn only_networks_that_exist_here_are_wanted() {
    let nothing = here(&[]).plan().unwrap();
    assert!(nothing.desired.networks.is_empty());
    assert_eq!(nothing.desired.nodes.len(), 3, "peers are there before");
    assert!(blocks(&nothing, 2).is_empty());

    let one = here(&[0]).plan().unwrap();
    assert_eq!(one.desired.networks.len(), 1);
    assert_eq!(blocks(&one, 2), ["4096 10.0.2.0/26"]);
    assert_eq!(one.desired.this, underlay(1));
    assert_eq!(blocks(&one, 1), ["4096 10.0.1.0/26"]);
}

#[test]
fn nodes_with_one_name_are_two_nodes() {
    let mut view = view();
    for member in view.members.values_mut() {
        member.hostname = "host".to_owned();
    }
    let mut cluster = Cluster::new(id(1), Arc::new(view));
    cluster.set_present([vni(0)].into());

    let plan = cluster.plan().unwrap();

    assert_eq!(plan.desired.nodes.len(), 3);
    assert_eq!(blocks(&plan, 3), ["4096 10.0.3.0/26"]);
    assert!(plan.desired.is_this(node(&plan, 1)));
}

#[test]
fn a_claim_inside_its_owners_block_needs_no_route() {
    let mut cluster = here(&[0]);
    let derived = MacAddress::derived(ip("10.0.2.6"));

    let plain = cluster.claim(place("10.0.2.5"), Some((id(2), claim("10.0.2.5", None, 2))));
    let same = claim("10.0.2.6", Some(derived), 2);
    let derived = cluster.claim(place("10.0.2.6"), Some((id(2), same)));

    assert_eq!((plain, derived), (None, None));
    assert!(cluster.plan().unwrap().exact.is_empty());
}

#[test]
fn what_a_block_does_not_say_gets_a_route() {
    let mut cluster = here(&[0]);
    let mac = MacAddress([2, 2, 2, 2, 2, 2]);
    let at = |number, mac| {
        Some(Exact {
            node: underlay(number),
            mac,
        })
    };

    let other_mac = claim("10.0.2.5", Some(mac), 2);
    assert_eq!(
        cluster.claim(place("10.0.2.5"), Some((id(2), other_mac))),
        Some((place("10.0.2.5"), at(2, Some(mac))))
    );
    let elsewhere = claim("10.0.2.7", None, 9);
    assert_eq!(
        cluster.claim(place("10.0.2.7"), Some((id(3), elsewhere.clone()))),
        Some((place("10.0.2.7"), at(3, None)))
    );
    assert_eq!(
        cluster.claim(place("10.0.2.7"), Some((id(3), elsewhere))),
        None,
        "said before"
    );
    assert_eq!(
        cluster.claim(place("10.0.2.7"), None),
        Some((place("10.0.2.7"), None))
    );
}

#[test]
fn an_address_leased_inside_a_block_belongs_to_its_lease() {
    let mut view = view();
    view.leases.insert(lease(0, "10.0.1.9/32", 2, 7));
    let mut cluster = Cluster::new(id(1), Arc::new(view));
    cluster.set_present([vni(0)].into());

    assert_eq!(cluster.own_lease(place("10.0.1.9")), None);
    assert_eq!(cluster.own_lease(place("10.0.1.8")).unwrap().index, 1);
    let moved = cluster.claim(place("10.0.1.9"), Some((id(2), claim("10.0.1.9", None, 7))));
    assert_eq!(moved, None, "its block says so");
    let plan = cluster.plan().unwrap();
    assert_eq!(blocks(&plan, 2), ["4096 10.0.1.9/32", "4096 10.0.2.0/26"]);
}

#[test]
fn the_routes_of_a_failed_node_are_hidden_and_the_node_stays() {
    let mut cluster = here(&[0]);
    cluster.claim(place("10.0.9.9"), Some((id(3), claim("10.0.9.9", None, 9))));
    assert_eq!(cluster.plan().unwrap().exact.len(), 1);

    cluster.set_failed([id(3)].into());
    let hidden = cluster.plan().unwrap();
    assert!(blocks(&hidden, 3).is_empty());
    assert!(hidden.exact.is_empty());
    assert_eq!(hidden.desired.nodes.len(), 3);

    cluster.set_failed(BTreeSet::new());
    let back = cluster.plan().unwrap();
    assert_eq!(blocks(&back, 3), ["4096 10.0.3.0/26"]);
    assert_eq!(back.exact.len(), 1);
}

#[test]
fn of_two_members_with_one_address_the_living_or_later_one_counts() {
    let mut view = view();
    let mut again = member(4);
    again.data_path = underlay(3);
    again.joined = 5;
    view.members.insert(again.id, again);
    view.leases.insert(lease(0, "10.0.4.0/26", 4, 8));
    let mut cluster = Cluster::new(id(1), Arc::new(view));
    cluster.set_present([vni(0)].into());

    assert_eq!(blocks(&cluster.plan().unwrap(), 3), ["4096 10.0.4.0/26"]);

    cluster.set_failed([id(4)].into());
    assert_eq!(blocks(&cluster.plan().unwrap(), 3), ["4096 10.0.3.0/26"]);
}

#[test]
fn a_lease_is_used_before_the_view_has_it_and_not_after_it_was_retired() {
    let mut cluster = here(&[0]);
    let early = lease(0, "10.0.5.0/26", 1, 11);
    cluster.learn(early);
    assert_eq!(cluster.own_lease(place("10.0.5.3")), Some(early));

    let mut older = view();
    older.index = 9;
    cluster.set_view(Arc::new(older));
    assert_eq!(cluster.own_lease(place("10.0.5.3")), Some(early));

    let mut newer = view();
    newer.index = 12;
    cluster.set_view(Arc::new(newer));
    assert_eq!(
        cluster.own_lease(place("10.0.5.3")),
        None,
        "it was taken back"
    );

    let first = lease(0, "10.0.1.0/26", 1, 1);
    cluster.retire(first);
    assert_eq!(cluster.own_lease(place("10.0.1.8")), None);
    assert_eq!(cluster.own_leases().count(), 0);
    cluster.restore(&first);
    assert_eq!(cluster.own_lease(place("10.0.1.8")), Some(first));
}

#[test]
fn a_node_that_the_managers_do_not_know_wants_nothing() {
    let mut gone = view();
    gone.index = 20;
    gone.members.remove(&id(1));
    let mut cluster = here(&[0]);

    cluster.set_view(Arc::new(gone));

    assert_eq!(cluster.plan(), None);
}

proptest! {
    /// Following single claims leads to the same as planning anew.
    #[test]
    fn small_steps_and_whole_plans_agree(
        steps in prop::collection::vec((0_u8..4, 0_u8..8, prop::option::of((1_u8..5, any::<bool>()))), 0..40),
        present in any::<bool>(),
        failed in prop::option::of(1_u8..4),
    ) {
        let mut cluster = here(if present { &[0] } else { &[] });
        cluster.set_failed(failed.map(id).into_iter().collect());
        let mut routes = cluster.plan().unwrap().exact;

        for (block, last, winner) in steps {
            let address = format!("10.0.{block}.{last}");
            let winner = winner.map(|(node, has_mac)| {
                let mac = has_mac.then_some(MacAddress([2, 0, 0, 0, 0, node]));
                (id(node), claim(&address, mac, 1))
            });
            match cluster.claim(place(&address), winner) {
                Some((place, Some(exact))) => drop(routes.insert(place, exact)),
                Some((place, None)) => prop_assert!(routes.remove(&place).is_some()),
                None => {}
            }
        }

        prop_assert_eq!(routes, cluster.plan().unwrap().exact);
    }
}

#[test]
fn a_block_of_any_length_is_found() {
    let mut view = view();
    view.leases = BTreeSet::from([lease(0, "10.0.0.0/16", 2, 1), lease(0, "fd00::/64", 3, 2)]);
    let mut cluster = Cluster::new(id(1), Arc::new(view));
    cluster.set_present([vni(0)].into());

    let in_both = [("10.0.77.1", 2), ("fd00::7", 3)];

    for (address, node) in in_both {
        let moved = cluster.claim(place(address), Some((id(node), claim(address, None, 1))));
        assert_eq!(moved, None, "{address}");
    }
    let plan = cluster.plan().unwrap();
    let block: IpNet = "fd00::/64".parse().unwrap();
    assert_eq!(node(&plan, 3).blocks[&vni(0)], [block]);
}
