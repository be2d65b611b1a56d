//! Services and claims for tests.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::model::{
    Claim, ClusterService, EndpointMode, HealthCheck, HealthProbe, Protocol, PublishMode,
    PublishedPort, ServiceId, TaskClaim, TaskState, Vni,
};

pub(crate) fn id(number: u128) -> ServiceId {
    ServiceId::from_random(number)
}

/// A service with one virtual address.
pub(crate) fn service(number: u128, vni: Vni, vip: &str) -> ClusterService {
    ClusterService {
        id: id(number),
        name: format!("s{number}"),
        networks: BTreeMap::from([(vni, vec![vip.parse().unwrap()])]),
        mode: EndpointMode::Vip,
        ports: BTreeSet::new(),
        direct_return: false,
        drain_s: 10,
        health: None,
        labels: BTreeMap::new(),
        options: BTreeMap::new(),
        created: 0,
        updated: 0,
        version: 1,
    }
}

pub(crate) fn tcp_check() -> HealthCheck {
    HealthCheck {
        probe: HealthProbe::Tcp { port: 80 },
        interval_ms: 1000,
        timeout_ms: 500,
        retries: 3,
    }
}

pub(crate) fn port(mode: PublishMode) -> PublishedPort {
    PublishedPort {
        protocol: Protocol::Tcp,
        published: 8080,
        target: 80,
        mode,
        address: None,
    }
}

pub(crate) fn claim(vni: Vni, address: IpAddr, task: Option<(ServiceId, TaskState)>) -> Claim {
    Claim {
        vni,
        address,
        name: "c".to_owned(),
        endpoint: format!("{address}"),
        mac: None,
        aliases: Vec::new(),
        task: task.map(|(service, state)| TaskClaim { service, state }),
        index: 1,
    }
}
