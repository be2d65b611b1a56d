//! Plain hosts: two on the underlay, and, for one host, two namespaces on one veth pair.

use anyhow::{Result, bail};
use overlay_tests::{Machine, Session, Underlay, Wiring};

use super::Route;

#[derive(Debug)]
#[expect(dead_code, reason = "held for their Drop")]
pub(super) struct Bed {
    across: Underlay,
    within: Underlay,
}

pub(super) fn build(session: &Session, wiring: Wiring) -> Result<(Bed, Route, Route)> {
    let across = Underlay::build(session, "plain", &["a", "b"], wiring)?;
    let within = Underlay::build(session, "plainlocal", &["a", "b"], Wiring::direct())?;
    let (remote, local) = (route(across.machines())?, route(within.machines())?);
    Ok((Bed { across, within }, remote, local))
}

fn route(machines: &[Machine]) -> Result<Route> {
    let [client, server, ..] = machines else {
        bail!("a route needs two machines")
    };
    Ok(Route {
        client: client.namespace.clone(),
        server: server.namespace.clone(),
        address: server.address(),
    })
}
