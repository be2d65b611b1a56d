//! A service that containers ask by its virtual addresses, and the outside by a published port.

use std::net::IpAddr;

use anyhow::{Context as _, Result, ensure};
use overlay_tests::{
    Binaries, Container, Service, Session, Swarm, Wiring, container::Attached, underlay::Families,
};

const BLUE: &str = "blue";

/// What the outside asks.
pub(crate) const PUBLISHED: u16 = 8080;

/// Where the task answers then.
pub(crate) const TARGET: u16 = 80;

/// Hosts `a` and `b` in a swarm, a client on `a`, a task on `b`, and `x` outside.
pub(crate) struct Scene {
    pub(crate) swarm: Swarm,
    pub(crate) client: (Container, Attached),
    pub(crate) task: (Container, Attached),
    pub(crate) vips: Vec<IpAddr>,
}

impl Scene {
    /// Its port is published for this protocol.
    pub(crate) fn new(protocol: &str) -> Result<Self> {
        let session = Session::for_test()?;
        let wiring = Wiring {
            families: Families::Dual,
            ..Wiring::default()
        };
        let swarm = Swarm::besides(session, wiring, &["a", "b", "x"], 2, &Binaries::find()?, "")?;
        swarm.network(BLUE, &["--ipv6"])?;
        let port = format!("{PUBLISHED}:{TARGET}/{protocol}");
        let options = ["--network", BLUE, "--publish", &port];
        let service = Service::create(&swarm, "echo", &options)?;
        let task = Container::new(swarm.session(), "task")?;
        let attached = task.attach(&swarm[1], BLUE, &["--service", "echo"])?;
        service.await_running(1)?;
        let vips = service.vips(0, BLUE)?;
        ensure!(vips.len() == 2, "virtual addresses: {vips:?}");
        Ok(Self {
            client: swarm.guest(0, BLUE, "client")?,
            task: (task, attached),
            vips,
            swarm,
        })
    }
}

/// A host's addresses on the underlay.
pub(crate) fn addresses(swarm: &Swarm, place: usize) -> Vec<IpAddr> {
    let machine = swarm[place].machine();
    let v4 = machine.v4.map(IpAddr::from);
    v4.into_iter().chain(machine.v6.map(IpAddr::from)).collect()
}

/// The address of the same family as `like`.
pub(crate) fn of_family(all: &[IpAddr], like: IpAddr) -> Result<IpAddr> {
    let found = all
        .iter()
        .find(|address| address.is_ipv4() == like.is_ipv4());
    found.copied().context("an address of the family")
}
