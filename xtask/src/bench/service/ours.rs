//! Two hosts of a swarm, a client on the first and the tasks of one service on the second.

use std::net::IpAddr;

use anyhow::{Context as _, Result, ensure};
use overlay_tests::{
    Binaries, Container, Host, Session, Swarm, Wiring, interrupt, service, swarm::AGREED,
};

use crate::bench::measure::Route;

const NETWORK: &str = "bench";
const SERVICE: &str = "measured";

/// The cluster, and how many services it has.
pub(super) struct Ours {
    client: Container,
    task: Container,
    address: IpAddr,
    vip: IpAddr,
    services: u32,
    swarm: Swarm,
}

impl Ours {
    /// Starts one whose agents have these lines in their configuration, with one service.
    pub(super) fn start(session: &str, lines: &str, binaries: &Binaries) -> Result<Self> {
        let session = Session::open(session)?;
        let wiring = Wiring::direct();
        let swarm = Swarm::configured(session, wiring, &["a", "b"], 1, binaries, lines)?;
        swarm.network(NETWORK, &["--subnet", "10.64.0.0/16"])?;
        let create = ["service", "create", "--name", SERVICE, "--network", NETWORK];
        swarm[0].overlay(&create)?;
        let (client, _) = swarm.guest(0, NETWORK, "client")?;
        let task = Container::new(swarm.session(), "task")?;
        let eth0 = task.attach(&swarm[1], NETWORK, &["--service", SERVICE])?;
        let vips = service::resolve(&swarm[0], NETWORK, SERVICE)?;
        let vip = vips.first().copied().context("the service has no VIP")?;
        Ok(Self {
            address: eth0.need_v4()?.into(),
            vip,
            client,
            task,
            services: 1,
            swarm,
        })
    }

    /// The host of the client, which balances.
    pub(super) fn near(&self) -> &Host {
        &self.swarm[0]
    }

    /// Makes services until there are so many; they have no tasks.
    pub(super) fn grow(&mut self, count: u32) -> Result<()> {
        for number in self.services..count {
            let name = format!("s{number}");
            let create = ["service", "create", "--name", &name, "--network", NETWORK];
            self.swarm[0].overlay(&create)?;
        }
        self.services = self.services.max(count);
        self.await_vips()
    }

    /// How many services there are.
    pub(super) fn services(&self) -> u32 {
        self.services
    }

    fn await_vips(&self) -> Result<()> {
        let mut rows = 0.0;
        let programmed = interrupt::wait_until(AGREED, || {
            rows = map_fact(self.near(), "VIP", "entries").unwrap_or_default();
            rows >= f64::from(self.services)
        })?;
        ensure!(
            programmed,
            "{rows} VIPs of {} are programmed",
            self.services
        );
        Ok(())
    }

    /// To the task itself.
    pub(super) fn direct(&self) -> Route {
        self.route(self.address)
    }

    /// To the VIP.
    pub(super) fn vip(&self) -> Route {
        self.route(self.vip)
    }

    fn route(&self, address: IpAddr) -> Route {
        Route {
            client: self.client.namespace().clone(),
            server: self.task.namespace().clone(),
            address,
        }
    }
}

/// A number about a map, as the agent tells: `entries` or `bytes`.
pub(super) fn map_fact(host: &Host, name: &str, fact: &str) -> Option<f64> {
    let status = host.api().get("/status").ok()?;
    let maps = status["maps"].as_array()?;
    let map = maps.iter().find(|map| map["name"] == name)?;
    map[fact].as_f64()
}
