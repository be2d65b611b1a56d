//! Docker's own overlay: an engine on each host, joined as a swarm, with containers on an attachable network.

mod cgroup;
mod engine;

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use overlay_tests::{
    Session, Underlay, Wiring, interrupt,
    traffic::{PingCount, ping},
};

pub(crate) use self::engine::require_engine;
use self::{cgroup::Cgroup, engine::Engine};
use super::Route;

const NETWORK: &str = "ovl";

/// How long the engines may take until packets pass.
const CONVERGED: Duration = Duration::from_secs(30);

#[derive(Debug)]
#[expect(dead_code, reason = "held for their Drop")]
pub(super) struct Bed {
    engines: Vec<Engine>,
    cgroup: Cgroup,
    underlay: Underlay,
}

pub(super) fn build(session: &Session, wiring: Wiring) -> Result<(Bed, Route, Route)> {
    let underlay = Underlay::build(session, "docker", &["a", "b"], wiring)?;
    let [a, b] = underlay.machines() else {
        bail!("an underlay of two hosts has other hosts")
    };
    let cgroup = Cgroup::new("ovl-bench")?;
    let image = engine::image(session.directory())?;
    let one = Engine::start(session, a, &cgroup)?;
    let other = Engine::start(session, b, &cgroup)?;
    let (a, b) = (a.address().to_string(), b.address().to_string());
    one.docker(&["swarm", "init", "--advertise-addr", &a])?;
    let token = one.docker(&["swarm", "join-token", "--quiet", "worker"])?;
    other.docker(&[
        "swarm",
        "join",
        "--advertise-addr",
        &b,
        "--token",
        &token,
        &a,
    ])?;
    one.docker(&[
        "network",
        "create",
        "--driver",
        "overlay",
        "--attachable",
        NETWORK,
    ])?;
    load(&image, &[&one, &other])?;

    let client = one.container(session, NETWORK, "one")?;
    let near = one.container(session, NETWORK, "two")?;
    let far = other.container(session, NETWORK, "far")?;
    let route = |(server, address)| Route {
        client: client.0.clone(),
        server,
        address,
    };
    let (remote, local) = (route(far), route(near));
    for route in [&remote, &local] {
        let answers = || ping(&route.client, route.address, 1).is_ok_and(PingCount::is_complete);
        ensure!(
            interrupt::wait_until(CONVERGED, answers)?,
            "{} of Docker's overlay does not answer",
            route.address
        );
    }
    Ok((
        Bed {
            engines: vec![one, other],
            cgroup,
            underlay,
        },
        remote,
        local,
    ))
}

fn load(image: &Path, engines: &[&Engine]) -> Result<()> {
    let path = image.to_str().context("the image's path is not UTF-8")?;
    for engine in engines {
        engine.docker(&["import", path, engine::IMAGE])?;
    }
    Ok(())
}
