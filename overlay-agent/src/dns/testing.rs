//! A small cluster that several tests ask about: `blue` and `red` with the same addresses, the internal
//! `vault`, and `ingress`.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use tokio::sync::watch;

use super::{Asker, Askers, Counters, Desk, Endpoint, NetworkFacts, Servers, Side, Zone};
use crate::model::{
    Claim, ClusterNetwork, ClusterService, ClusterView, EndpointMode, Network, NetworkId, Place,
    Protocol, PublishMode, PublishedPort, ServiceId, TaskClaim, TaskState, Vni,
};

pub(super) const BLUE: u32 = 4096;
pub(super) const RED: u32 = 4097;
pub(super) const VAULT: u32 = 4098;
pub(super) const INGRESS: u32 = 4099;

pub(super) fn vni(number: u32) -> Vni {
    Vni::try_from(number).unwrap()
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// One who is on these networks.
pub(super) fn on(networks: &[u32]) -> Asker {
    Asker {
        networks: networks.iter().copied().map(vni).collect(),
    }
}

pub(super) fn facts(name: &str, subnets: &[&str]) -> NetworkFacts {
    NetworkFacts {
        name: name.to_owned(),
        subnets: subnets.iter().map(|net| net.parse().unwrap()).collect(),
        is_internal: name == "vault",
        is_ingress: name == "ingress",
    }
}

/// An endpoint whose identifier begins with the name's letters as numbers.
pub(super) fn claim(network: u32, name: &str, address: &str) -> Claim {
    let digits = name
        .bytes()
        .fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"));
    Claim {
        vni: vni(network),
        address: ip(address),
        name: name.to_owned(),
        endpoint: format!("{digits:0<64}"),
        mac: None,
        aliases: Vec::new(),
        task: None,
        index: 1,
    }
}

pub(super) fn task(claim: Claim, service: u128, state: TaskState) -> Claim {
    let service = ServiceId::from_random(service);
    Claim {
        task: Some(TaskClaim { service, state }),
        ..claim
    }
}

pub(super) fn put(zone: &mut Zone, claim: &Claim) {
    let place = Place {
        vni: claim.vni,
        address: claim.address,
    };
    zone.set_endpoint(place, Side::Elsewhere, Some(Endpoint::from(claim)));
}

/// A service with these VIPs, by network, that publishes 8080 for the tasks' 80.
pub(super) fn service(number: u128, name: &str, networks: &[(u32, &[&str])]) -> ClusterService {
    let vips = |vips: &[&str]| vips.iter().map(|vip| ip(vip)).collect::<Vec<_>>();
    let mode = if networks.iter().all(|(_, vips)| vips.is_empty()) {
        EndpointMode::Dnsrr
    } else {
        EndpointMode::Vip
    };
    ClusterService {
        id: ServiceId::from_random(number),
        name: name.to_owned(),
        networks: networks
            .iter()
            .map(|(net, list)| (vni(*net), vips(list)))
            .collect(),
        mode,
        ports: BTreeSet::from([PublishedPort {
            protocol: Protocol::Tcp,
            published: 8080,
            target: 80,
            mode: PublishMode::Ingress,
            address: None,
        }]),
        direct_return: false,
        drain_s: 0,
        health: None,
        labels: BTreeMap::new(),
        options: BTreeMap::new(),
        created: 0,
        updated: 0,
        version: 1,
    }
}

pub(super) fn view(services: Vec<ClusterService>) -> Arc<ClusterView> {
    let networks = [
        (BLUE, facts("blue", &["10.1.0.0/24", "fd00:1::/64"])),
        (RED, facts("red", &["10.1.0.0/24"])),
        (VAULT, facts("vault", &["10.3.0.0/24"])),
        (INGRESS, facts("ingress", &["10.0.0.0/24"])),
    ];
    let network = |number: u32, facts: NetworkFacts| ClusterNetwork {
        id: NetworkId::from_random(number.into()),
        network: Network {
            name: facts.name,
            vni: vni(number),
            subnets: facts.subnets,
            gateways: Vec::new(),
            mtu: None,
        },
        ranges: Vec::new(),
        attachable: true,
        internal: facts.is_internal,
        encrypted: false,
        ingress: facts.is_ingress,
        labels: BTreeMap::new(),
        options: BTreeMap::new(),
        created: 0,
    };
    let networks = networks.into_iter();
    Arc::new(ClusterView {
        networks: networks
            .map(|(number, facts)| (vni(number), network(number, facts)))
            .collect(),
        services: services.into_iter().map(|it| (it.id, it)).collect(),
        ..ClusterView::default()
    })
}

/// | network | names |
/// |---|---|
/// | blue | `Box` (10.1.0.2, fd00:1::2; alias `cache`), `twin` on two endpoints; `web` → 10.1.0.100 with tasks `web.1`, `web.2`, `web.3` (drains); `db` (dnsrr) with the task `db.1`; `idle` (dnsrr) |
/// | red | `secret` (10.1.0.2); `web` → 10.1.0.200 |
/// | vault | `safe` (10.3.0.2) |
/// | ingress | `web` → 10.0.0.100 |
pub(super) fn zone() -> Zone {
    let mut zone = Zone::default();
    zone.set_view(&view(vec![
        service(
            1,
            "Web",
            &[
                (BLUE, &["10.1.0.100", "fd00:1::100"]),
                (RED, &["10.1.0.200"]),
                (INGRESS, &["10.0.0.100"]),
            ],
        ),
        service(2, "db", &[(BLUE, &[])]),
        service(3, "idle", &[(BLUE, &[])]),
    ]));
    let alias = |claim: Claim| Claim {
        aliases: vec!["Cache".to_owned()],
        ..claim
    };
    put(&mut zone, &alias(claim(BLUE, "Box", "10.1.0.2")));
    put(&mut zone, &alias(claim(BLUE, "Box", "fd00:1::2")));
    put(&mut zone, &claim(BLUE, "twin", "10.1.0.3"));
    let other = Claim {
        endpoint: "ee".repeat(32),
        ..claim(BLUE, "twin", "10.1.0.4")
    };
    put(&mut zone, &other);
    for (name, address, state) in [
        ("web.1", "10.1.0.11", TaskState::Running),
        ("web.2", "10.1.0.12", TaskState::Running),
        ("web.2", "fd00:1::12", TaskState::Running),
        ("web.3", "10.1.0.13", TaskState::Draining),
        ("web.4", "10.1.0.14", TaskState::Starting),
        ("web.5", "10.1.0.15", TaskState::Unhealthy),
    ] {
        put(&mut zone, &task(claim(BLUE, name, address), 1, state));
    }
    put(
        &mut zone,
        &task(claim(BLUE, "db.1", "10.1.0.21"), 2, TaskState::Running),
    );
    put(&mut zone, &claim(RED, "secret", "10.1.0.2"));
    put(&mut zone, &claim(VAULT, "safe", "10.3.0.2"));
    zone
}

/// Askers by address.
#[derive(Debug, Default)]
pub(super) struct FakeAskers(pub(super) BTreeMap<IpAddr, Asker>);

impl Askers for FakeAskers {
    fn asker(&self, source: IpAddr) -> Option<Asker> {
        self.0.get(&source).cloned()
    }
}

/// A desk for the one at 127.0.0.1, who is on these networks, with these resolvers for the rest.
pub(super) fn desk(zone: Zone, networks: &[u32], servers: Servers) -> Desk {
    let (_, zone) = watch::channel(Arc::new(zone));
    let askers = FakeAskers(BTreeMap::from([(ip("127.0.0.1"), on(networks))]));
    Desk::new(
        zone,
        Arc::new(askers),
        servers,
        2,
        Arc::new(Counters::default()),
    )
}
