//! Services.

use super::{
    super::{
        super::{
            Change, CreateNetwork, CreateService, PortPattern,
            RefusalKind::{BadRequest, Conflict, NotFound},
            ServiceEdit,
        },
        world::{INGRESS, World, id, port, service, service_wish, wish},
    },
    check,
};
use crate::model::{EndpointMode, HealthCheck, HealthProbe, PortWish, Protocol, PublishMode};

/// A cluster with networks `network-1` and `network-2`, and service `web` on the first one at port 8080.
fn world() -> World {
    let mut world = World::with_ingress(1);
    world.network(1, &["10.1.0.0/24"]);
    world.network(2, &["10.2.0.0/24"]);
    world.serve(CreateService {
        ports: vec![port(8080, 80)],
        ..service_wish(1, "web", &[1])
    });
    world
}

fn creating(change: impl Fn(&mut CreateService)) -> Change {
    let mut wish = service_wish(2, "back", &[1]);
    change(&mut wish);
    Change::CreateService(Box::new(wish))
}

fn editing(change: impl Fn(&mut ServiceEdit)) -> Change {
    let mut edit = ServiceEdit::default();
    change(&mut edit);
    Change::UpdateService {
        service: service(1),
        edit: Box::new(edit),
    }
}

#[test]
fn names() {
    let named = |name: &str| {
        let name = name.to_owned();
        creating(move |wish| wish.name.clone_from(&name))
    };
    let component = "name must be valid as a DNS name component";
    let long = "x".repeat(64);
    let mut world = world();
    for (name, problem) in [
        ("", "name must be provided"),
        ("a.b", component),
        ("-a", component),
        ("a-", component),
        ("a b", component),
        ("\u{e4}", component),
        (&long, "name must be 63 characters or fewer"),
    ] {
        let words: &'static str = format!("service `{name}`: {problem}").leak();
        check(&mut world, [(named(name), BadRequest, words)]);
    }
    assert!(world.apply(named(&long[..63])).is_ok());
    check(
        &mut world,
        [
            (
                named("WEB"),
                Conflict,
                "name conflicts with an existing object: service WEB already exists",
            ),
            (
                creating(|wish| wish.id = service(1)),
                Conflict,
                "service identifier 0000000000000000000000001 is in use by service web",
            ),
            (
                creating(|wish| {
                    wish.labels.insert(String::new(), String::new());
                    wish.name = "labelled".to_owned();
                    wish.id = service(3);
                }),
                BadRequest,
                "label without a name before its `=`",
            ),
        ],
    );
}

#[test]
fn networks() {
    check(
        &mut world(),
        [
            (
                creating(|wish| wish.networks = vec![id(9)]),
                NotFound,
                "network 0000000000000000000000009 not found",
            ),
            (
                creating(|wish| wish.networks = vec![id(1), id(1)]),
                Conflict,
                "service is already attached to network network-1",
            ),
            (
                creating(|wish| wish.networks = vec![id(INGRESS)]),
                BadRequest,
                "Service cannot be explicitly attached to the ingress network \"ingress\" which is a \
                 swarm internal network",
            ),
            (
                editing(|edit| edit.add_networks = vec![id(1)]),
                Conflict,
                "service is already attached to network network-1",
            ),
            (
                editing(|edit| edit.remove_networks = vec![id(2)]),
                NotFound,
                "service web is not attached to network network-2",
            ),
            (
                Change::RemoveNetwork {
                    network: id(1),
                    endpoints: 0,
                },
                Conflict,
                "network network-1 is in use by service web",
            ),
            (
                Change::RemoveNetwork {
                    network: id(INGRESS),
                    endpoints: 0,
                },
                Conflict,
                "ingress network cannot be removed because service web depends on it",
            ),
        ],
    );
}

#[test]
fn the_ingress_network_is_one_and_for_services_alone() {
    let mut world = world();
    let second = CreateNetwork {
        name: "second".to_owned(),
        ..CreateNetwork::ingress(id(5))
    };
    let second = Change::CreateNetwork(Box::new(second));
    let words = "ingress-network (ingress) is already present";
    check(&mut world, [(second, Conflict, words)]);

    let mut world = World::with_nodes(1);
    let attachable = CreateNetwork {
        ingress: true,
        ..wish(1, "mine")
    };
    let attachable = Change::CreateNetwork(Box::new(attachable));
    let words = "ingress network cannot be attachable";
    check(&mut world, [(attachable, BadRequest, words)]);
    let missing = "service needs ingress network, but no ingress network is present";
    let alone = creating(|wish| wish.networks.clear());
    check(&mut world, [(alone, Conflict, missing)]);
    world.network(1, &["10.1.0.0/24"]);
    let publishing = creating(|wish| wish.ports = vec![port(80, 80)]);
    check(&mut world, [(publishing, Conflict, missing)]);
}

#[test]
fn ports() {
    let with = |ports: &[PortWish]| {
        let ports = ports.to_vec();
        creating(move |wish| wish.ports.clone_from(&ports))
    };
    let zero = PortWish {
        published: Some(0),
        ..port(1, 80)
    };
    let host = PortWish {
        mode: PublishMode::Host,
        ..port(8080, 80)
    };
    let here = PortWish {
        address: Some([192, 0, 2, 1].into()),
        ..port(8080, 80)
    };
    let in_use = "port '8080/tcp' is already in use by service 'web' \
                  (0000000000000000000000001) as an ingress port";
    check(
        &mut world(),
        [
            (with(&[zero]), BadRequest, "invalid port: 0"),
            (with(&[port(0, 0)]), BadRequest, "invalid port: 0"),
            (
                with(&[port(81, 80), port(81, 82)]),
                BadRequest,
                "EndpointSpec: duplicate published ports provided: 81/tcp",
            ),
            (with(&[port(8080, 81)]), Conflict, in_use),
            (with(&[host]), Conflict, in_use),
            (with(&[here]), Conflict, in_use),
            (
                creating(|wish| {
                    wish.mode = EndpointMode::Dnsrr;
                    wish.ports = vec![port(81, 80)];
                }),
                BadRequest,
                "EndpointSpec: port published with ingress mode can't be used with dnsrr mode: \
                 81/tcp",
            ),
            (
                editing(|edit| edit.mode = Some(EndpointMode::Dnsrr)),
                BadRequest,
                "EndpointSpec: port published with ingress mode can't be used with dnsrr mode: \
                 8080/tcp",
            ),
            (
                editing(|edit| {
                    edit.remove_ports = vec![PortPattern {
                        target: 80,
                        protocol: Protocol::Udp,
                        mode: PublishMode::Ingress,
                        published: None,
                    }];
                }),
                NotFound,
                "service web does not publish port 80/udp of its tasks in that mode",
            ),
        ],
    );
}

#[test]
fn all_ports_that_nobody_chose_may_be_in_use() {
    let mut world = world();
    world.serve(CreateService {
        ports: (30_000..=32_767).map(|one| port(one, 80)).collect(),
        ..service_wish(3, "greedy", &[1])
    });
    let words = "all published ports from 30000 to 32767 are in use (tcp)";
    let one_more = creating(|wish| wish.ports = vec![port(0, 80)]);

    check(&mut world, [(one_more, Conflict, words)]);
}

#[test]
fn health_checks_and_options() {
    let with = |change: fn(&mut HealthCheck)| {
        creating(move |wish| {
            let mut health = HealthCheck {
                probe: HealthProbe::Tcp { port: 80 },
                interval_ms: 5000,
                timeout_ms: 3000,
                retries: 3,
            };
            change(&mut health);
            wish.health = Some(health);
        })
    };
    let option = |name: &str, value: &str| {
        let pair = (name.to_owned(), value.to_owned());
        creating(move |wish| wish.options = [pair.clone()].into())
    };
    check(
        &mut world(),
        [
            (
                with(|health| health.probe = HealthProbe::Tcp { port: 0 }),
                BadRequest,
                "health check: invalid port: 0",
            ),
            (
                with(|health| {
                    let path = "x".to_owned();
                    health.probe = HealthProbe::Http { port: 80, path };
                }),
                BadRequest,
                "health check: `x` is no path like /healthz",
            ),
            (
                with(|health| health.interval_ms = 99),
                BadRequest,
                "health check: interval cannot be less than 100ms",
            ),
            (
                with(|health| health.timeout_ms = 0),
                BadRequest,
                "health check: timeout cannot be less than 1ms",
            ),
            (
                with(|health| health.retries = 0),
                BadRequest,
                "health check: retries cannot be 0",
            ),
            (
                option("drs", ""),
                BadRequest,
                "option drs=: services have no such option",
            ),
            (
                option("dsr", "maybe"),
                BadRequest,
                "option dsr=maybe: it is on without a value, or `true` or `false`",
            ),
            (
                editing(|edit| edit.remove_labels = ["x".to_owned()].into()),
                NotFound,
                "label `x` does not exist in the labels of service web",
            ),
            (
                Change::RemoveService {
                    service: service(9),
                },
                NotFound,
                "service 0000000000000000000000009 not found",
            ),
        ],
    );
}
