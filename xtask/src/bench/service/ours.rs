//! Two hosts of a swarm, a client on the first and the task of one service on the second.

use std::{net::IpAddr, ops::Range, thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use overlay_tests::{
    Binaries, Container, Host, Namespace, Session, Swarm, Wiring, api::Api, interrupt, service,
};
use serde_json::json;

use crate::bench::measure::Route;

const NETWORK: &str = "bench";
const SERVICE: &str = "measured";
const CLIENT: &str = "client";

/// How many services are asked for at the same time: what the managers agree on at once they write at once.
const SIDE_BY_SIDE: u32 = 16;

/// How often one is asked for again while the managers are too busy.
const ATTEMPTS: u32 = 20;

/// What the agent answers while there is no leader.
const UNAVAILABLE: &str = "status 503";

/// What it answers when there is such a service.
const CONFLICT: &str = "status 409";

/// How long both hosts may take to have programmed them.
const PROGRAMMED: Duration = Duration::from_mins(2);

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
        // What managers agree on waits for the disk otherwise, thousands of times.
        let session = Session::open(session)?.in_memory()?;
        let wiring = Wiring::direct();
        let swarm = Swarm::configured(session, wiring, &["a", "b"], 1, binaries, lines)?;
        swarm.network(NETWORK, &["--subnet", "10.64.0.0/16"])?;
        let create = ["service", "create", "--name", SERVICE, "--network", NETWORK];
        swarm[0].overlay(&create)?;
        let (client, _) = swarm.guest(0, NETWORK, CLIENT)?;
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

    /// The client, and names that it can ask for.
    pub(super) fn names(&self) -> (&Namespace, [&'static str; 2]) {
        (self.client.namespace(), [SERVICE, CLIENT])
    }

    /// Makes services until there are so many; they have no tasks.
    pub(super) fn grow(&mut self, count: u32) -> Result<()> {
        let api = self.swarm[0].api();
        let (first, added) = (self.services, count.saturating_sub(self.services));
        thread::scope(|scope| {
            let makers: Vec<_> = (0..SIDE_BY_SIDE)
                .map(|part| {
                    let begin = first + added * part / SIDE_BY_SIDE;
                    let end = first + added * (part + 1) / SIDE_BY_SIDE;
                    let api = &api;
                    scope.spawn(move || make(api, begin..end))
                })
                .collect();
            let mut made = makers.into_iter().map(|maker| match maker.join() {
                Ok(made) => made,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            made.by_ref().collect::<Result<()>>()
        })?;
        self.services = self.services.max(count);
        self.await_vips()
    }

    /// How many services there are.
    pub(super) fn services(&self) -> u32 {
        self.services
    }

    fn await_vips(&self) -> Result<()> {
        for host in self.swarm.hosts() {
            let mut rows = 0.0;
            let programmed = interrupt::wait_until(PROGRAMMED, || {
                rows = map_fact(host, "VIP", "entries").unwrap_or_default();
                rows >= f64::from(self.services)
            })?;
            ensure!(
                programmed,
                "{rows} VIPs of {} are programmed on host {}",
                self.services,
                host.name()
            );
        }
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

fn make(api: &Api, numbers: Range<u32>) -> Result<()> {
    for number in numbers {
        interrupt::check()?;
        let wish = json!({ "name": format!("s{number}"), "networks": [NETWORK] });
        let mut made = api.post("/services", &wish);
        for _ in 1..ATTEMPTS {
            match &made {
                Err(error) if is(error, UNAVAILABLE) => {}
                Ok(_) | Err(_) => break,
            }
            interrupt::pause(Duration::from_secs(1))?;
            made = match api.post("/services", &wish) {
                // The attempt before was too late an answer, not too early an end.
                Err(error) if is(&error, CONFLICT) => Ok(serde_json::Value::Null),
                made => made,
            };
        }
        made.with_context(|| format!("making service s{number}"))?;
    }
    Ok(())
}

fn is(error: &anyhow::Error, status: &str) -> bool {
    format!("{error:#}").contains(status)
}

/// A number about a map, as the agent tells: `entries` or `bytes`.
pub(super) fn map_fact(host: &Host, name: &str, fact: &str) -> Option<f64> {
    let status = host.api().get("/status").ok()?;
    let maps = status["maps"].as_array()?;
    let map = maps.iter().find(|map| map["name"] == name)?;
    map[fact].as_f64()
}
