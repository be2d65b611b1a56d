//! A million endpoints on other hosts.

use std::{
    fs::File,
    io::{BufWriter, Write},
    net::{IpAddr, Ipv4Addr},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use overlay_tests::{
    Binaries, Container, Host, Session, StaticConfig, Underlay, Wiring,
    static_config::{Limits, Network, Node},
};
use serde_json::Value;

use super::latency::{self, Side};
use crate::bench::{
    agent_use::resident_megabytes, effort::Effort, measure::Route, report::Figures,
};

/// The small number that the large one is compared with.
pub(super) const FEW: u32 = 10;

/// How many nodes, which exist only in the configuration, the endpoints are spread over.
const NODES: u8 = 100;

/// Where their addresses begin; those of the two real hosts lie below.
const FIRST: u32 = u32::from_be_bytes([10, 16, 0, 0]);

/// The container on the other host, an exact entry like the rest, so that packets to it find theirs among them.
const FAR: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 9);

/// How long an agent may take to start with a million entries.
const READY: Duration = Duration::from_mins(2);

/// Two hosts, one of which knows a great many endpoints.
struct World {
    case: String,
    near: Container,
    far: Container,
    _hosts: [Host; 2],
    _underlay: Underlay,
}

/// Programs `many` remote endpoints and compares with a few.
pub(super) fn show(
    session: &Session,
    binaries: &Binaries,
    many: u32,
    effort: Effort,
    figures: &mut Figures,
) -> Result<()> {
    let few = World::learn(session, binaries, FEW, figures)?;
    let many = World::learn(session, binaries, many, figures)?;
    latency::compare(
        &few.side(),
        &many.side(),
        effort,
        session.directory(),
        figures,
    )
}

impl World {
    fn learn(
        session: &Session,
        binaries: &Binaries,
        count: u32,
        figures: &mut Figures,
    ) -> Result<Self> {
        let case = format!("remote-{count}");
        let label = format!("r{count}");
        eprintln!("{case}: starting two hosts, one of which knows {count} remote endpoints …");
        let underlay = Underlay::build(session, &label, &["a", "b"], Wiring::direct())?;
        let [a, b] = underlay.machines() else {
            bail!("an underlay of two hosts has other hosts")
        };
        let real = vec![
            Node::on(a).blocks("wide", &["10.0.0.0/24"]),
            Node::on(b)
                .blocks("wide", &["10.0.1.0/24"])
                .endpoint("wide", FAR.into(), None),
        ];
        let mut all = real.clone();
        all.extend(imagine_nodes(session.directory(), &label, count - 1)?);
        let networks = vec![Network::new("wide", 4096, &["10.0.0.0/8"])];
        let defaults = Limits::default();
        let limits = Limits {
            routes: defaults.routes.max(count + count / 8),
            ..defaults
        };
        let config = StaticConfig::new(all, networks.clone()).limits(limits);

        let mut host_a = Host::prepare(session, &label, a, &config, binaries)?;
        host_a.ready_within(READY);
        let started = Instant::now();
        host_a.start_agent()?;
        let ready = started.elapsed();
        let host_b = Host::start(
            session,
            &label,
            b,
            &StaticConfig::new(real, networks),
            binaries,
        )?;

        let near = Container::new(session, &format!("{label}-near"))?;
        let far = Container::new(session, &format!("{label}-far"))?;
        near.attach(&host_a, "wide", &[])?;
        far.attach(&host_b, "wide", &["--ip", &FAR.to_string()])?;
        let status = host_a.status()?;
        report(&case, &status, count, figures)?;
        figures.one(&case, "ready_ms", "ms", ready.as_secs_f64() * 1e3);
        figures.one(&case, "agent_rss_mb", "MB", resident_megabytes(&host_a)?);
        Ok(Self {
            case,
            near,
            far,
            _hosts: [host_a, host_b],
            _underlay: underlay,
        })
    }

    fn side(&self) -> Side<'static> {
        let route = Route {
            client: self.near.namespace().clone(),
            server: self.far.namespace().clone(),
            address: FAR.into(),
        };
        Side {
            case: self.case.clone(),
            routes: vec![("", route)],
        }
    }
}

/// Nodes with `count` exact entries among them, each with a file of its share.
fn imagine_nodes(directory: &Path, label: &str, count: u32) -> Result<Vec<Node>> {
    let mut nodes = Vec::new();
    let mut next = 0;
    for number in 0..NODES {
        let share =
            count / u32::from(NODES) + u32::from(u32::from(number) < count % u32::from(NODES));
        let path = directory.join(format!("{label}-endpoints-{number}"));
        write_entries(&path, next..next + share)
            .with_context(|| format!("writing {}", path.display()))?;
        next += share;
        let address = Ipv4Addr::new(192, 0, 2, 100 + number);
        nodes.push(Node::new(&format!("imagined{number}"), address.into()).endpoints_from(&path));
    }
    Ok(nodes)
}

fn write_entries(path: &Path, entries: std::ops::Range<u32>) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for entry in entries {
        writeln!(file, "wide {}", IpAddr::from(Ipv4Addr::from(FIRST + entry)))?;
    }
    Ok(file.flush()?)
}

fn report(case: &str, status: &Value, expected: u32, figures: &mut Figures) -> Result<()> {
    let number = |key: &str| {
        status
            .get(key)
            .and_then(Value::as_f64)
            .with_context(|| format!("`overlay status` tells no {key}: {status}"))
    };
    let routes = number("routes")?;
    if (routes - f64::from(expected)).abs() > 0.5 {
        bail!("the agent has {routes} exact routes instead of {expected}");
    }
    figures.one(case, "routes", "", routes);
    figures.one(case, "programmed_ms", "ms", number("programmed_ms")?);
    let maps = status
        .get("maps")
        .and_then(Value::as_array)
        .context("`overlay status` tells no maps")?;
    let bytes: Option<f64> = maps
        .iter()
        .map(|map| map.get("bytes").and_then(Value::as_f64))
        .sum();
    let bytes = bytes.context("`overlay status` tells no memory of a map")?;
    figures.one(case, "map_memory_mb", "MB", bytes / 1e6);
    Ok(())
}
