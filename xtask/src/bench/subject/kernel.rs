//! The kernel's overlay: a bridge and a vxlan device on each host, static entries, two containers on the first
//! host and one on the second.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Result, bail};
use overlay_tests::{
    KernelHost, Session, Underlay, Wiring,
    kernel_vxlan::{KernelContainer, KernelNetwork},
};

use super::Route;

const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 2));
const TWO: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 3));
const FAR: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 66));

#[derive(Debug)]
#[expect(dead_code, reason = "held for their Drop")]
pub(super) struct Bed {
    underlay: Underlay,
    containers: Vec<KernelContainer>,
}

pub(super) fn build(session: &Session, wiring: Wiring) -> Result<(Bed, Route, Route)> {
    let underlay = Underlay::build(session, "kernel", &["a", "b"], wiring)?;
    let [a, b] = underlay.machines() else {
        bail!("an underlay of two hosts has other hosts")
    };
    let network = KernelNetwork {
        vni: 4096,
        port: 4789,
        underlay_mtu: wiring.mtu,
    };
    let (mut a, mut b) = (KernelHost::new(a, network)?, KernelHost::new(b, network)?);
    let one = a.container(session, "kernel-one", &[(ONE, 24)])?;
    let two = a.container(session, "kernel-two", &[(TWO, 24)])?;
    let far = b.container(session, "kernel-far", &[(FAR, 24)])?;
    a.add_remote(FAR, &far.mac, b.machine().address())?;
    b.add_remote(ONE, &one.mac, a.machine().address())?;
    b.add_remote(TWO, &two.mac, a.machine().address())?;
    let remote = Route {
        client: one.namespace.clone(),
        server: far.namespace.clone(),
        address: FAR,
    };
    let local = Route {
        client: one.namespace.clone(),
        server: two.namespace.clone(),
        address: TWO,
    };
    Ok((
        Bed {
            underlay,
            containers: vec![one, two, far],
        },
        remote,
        local,
    ))
}
