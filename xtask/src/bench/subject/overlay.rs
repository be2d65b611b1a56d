//! Our overlay: an agent on each host, two containers on the first and one on the second.

use anyhow::{Result, bail};
use overlay_tests::{
    Binaries, Container, Host, Session, StaticConfig, Underlay, Wiring,
    static_config::{Encap, Network, Node},
};

use super::Route;

#[derive(Debug)]
#[expect(dead_code, reason = "held for their Drop")]
pub(super) struct Bed {
    containers: Vec<Container>,
    hosts: Vec<Host>,
    underlay: Underlay,
}

pub(super) fn build(
    session: &Session,
    label: &str,
    wiring: Wiring,
    encap: Encap,
    binaries: &Binaries,
) -> Result<(Bed, Route, Route)> {
    let underlay = Underlay::build(session, label, &["a", "b"], wiring)?;
    let [a, b] = underlay.machines() else {
        bail!("an underlay of two hosts has other hosts")
    };
    let nodes = vec![
        Node::on(a).blocks("blue", &["10.1.0.0/26"]),
        Node::on(b).blocks("blue", &["10.1.0.64/26"]),
    ];
    let config =
        StaticConfig::new(nodes, vec![Network::new("blue", 4096, &["10.1.0.0/24"])]).encap(encap);
    let host_a = Host::start(session, label, a, &config, binaries)?;
    let host_b = Host::start(session, label, b, &config, binaries)?;
    let one = Container::new(session, &format!("{label}-one"))?;
    let two = Container::new(session, &format!("{label}-two"))?;
    let far = Container::new(session, &format!("{label}-far"))?;
    one.attach(&host_a, "blue", &[])?;
    let two_address = two.attach(&host_a, "blue", &[])?.need_v4()?;
    let far_address = far.attach(&host_b, "blue", &[])?.need_v4()?;
    let route = |to: &Container, address| Route {
        client: one.namespace().clone(),
        server: to.namespace().clone(),
        address,
    };
    let remote = route(&far, far_address.into());
    let local = route(&two, two_address.into());
    Ok((
        Bed {
            containers: vec![one, two, far],
            hosts: vec![host_a, host_b],
            underlay,
        },
        remote,
        local,
    ))
}
