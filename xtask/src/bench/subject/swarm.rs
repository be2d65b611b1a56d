//! Our overlay as a cluster: a manager and a worker, two containers on the first and one on the second.

use anyhow::Result;
use overlay_tests::{Binaries, Container, Session, Swarm, Wiring};

use super::Route;

#[derive(Debug)]
#[expect(dead_code, reason = "held for their Drop")]
pub(super) struct Bed {
    containers: Vec<Container>,
    swarm: Swarm,
}

pub(super) fn build(wiring: Wiring, binaries: &Binaries) -> Result<(Bed, Route, Route)> {
    let session = Session::open("swarm")?;
    let swarm = Swarm::in_session(session, wiring, &["a", "b"], 1, binaries)?;
    swarm.network("blue", &[])?;
    let (one, _) = swarm.guest(0, "blue", "one")?;
    let (two, two_attached) = swarm.guest(0, "blue", "two")?;
    let (far, far_attached) = swarm.guest(1, "blue", "far")?;
    let route = |to: &Container, address: std::net::Ipv4Addr| Route {
        client: one.namespace().clone(),
        server: to.namespace().clone(),
        address: address.into(),
    };
    let remote = route(&far, far_attached.need_v4()?);
    let local = route(&two, two_attached.need_v4()?);
    Ok((
        Bed {
            containers: vec![one, two, far],
            swarm,
        },
        remote,
        local,
    ))
}
