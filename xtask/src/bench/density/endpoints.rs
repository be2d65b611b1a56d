//! Many endpoints of one network on one host.

use std::{net::Ipv4Addr, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use overlay_tests::{
    Binaries, Container, Host, Namespace, Session, StaticConfig, Underlay, Wiring,
    neighbours::NeighbourLimit,
    static_config::{Limits, Network, Node},
    traffic::sweep,
};
use serde_json::json;

use super::latency::{self, Side};
use crate::bench::{
    agent_use::resident_megabytes, effort::Effort, measure::Route, progress::Progress,
    report::Figures, statistics::Series,
};

/// The small number that the large one is compared with.
pub(super) const FEW: u32 = 16;

/// How many endpoints are attached by the command line instead of the socket.
const BY_COMMAND: u32 = 16;

/// A host full of endpoints, and one endpoint on another host.
struct Crowd {
    case: String,
    members: Vec<(Namespace, Ipv4Addr)>,
    far: Container,
    far_address: Ipv4Addr,
    host: Host,
    _far_host: Host,
    _underlay: Underlay,
}

/// Attaches `many` endpoints, reaches all of them, and compares with a few.
pub(super) fn show(
    session: &Session,
    binaries: &Binaries,
    many: u32,
    effort: Effort,
    figures: &mut Figures,
) -> Result<()> {
    let few = Crowd::gather(session, binaries, FEW, figures)?;
    let many = Crowd::gather(session, binaries, many, figures)?;
    let limit = raise_neighbour_limit(many.members.len())?;
    few.reach(figures)?;
    many.reach(figures)?;
    drop(limit);
    latency::compare(
        &few.side()?,
        &many.side()?,
        effort,
        session.directory(),
        figures,
    )
}

impl Crowd {
    fn gather(
        session: &Session,
        binaries: &Binaries,
        count: u32,
        figures: &mut Figures,
    ) -> Result<Self> {
        let case = format!("density-{count}");
        let label = format!("d{count}");
        let underlay = Underlay::build(session, &label, &["a", "b"], Wiring::direct())?;
        let [a, b] = underlay.machines() else {
            bail!("an underlay of two hosts has other hosts")
        };
        let nodes = vec![
            Node::on(a).blocks("dense", &["10.2.0.0/17"]),
            Node::on(b).blocks("dense", &["10.2.128.0/24"]),
        ];
        let defaults = Limits::default();
        let limits = Limits {
            endpoints: defaults.endpoints.max(count + 16),
            ..defaults
        };
        let config = StaticConfig::new(nodes, vec![Network::new("dense", 4096, &["10.2.0.0/16"])])
            .limits(limits);
        let host = Host::start(session, &label, a, &config, binaries)?;
        let far_host = Host::start(session, &label, b, &config, binaries)?;
        let far = Container::new(session, &format!("{label}-far"))?;
        let far_address = far.attach(&far_host, "dense", &[])?.need_v4()?;
        let mut crowd = Self {
            case,
            members: Vec::new(),
            far,
            far_address,
            host,
            _far_host: far_host,
            _underlay: underlay,
        };
        crowd.attach_all(session, &label, count, figures)?;
        Ok(crowd)
    }

    fn attach_all(
        &mut self,
        session: &Session,
        label: &str,
        count: u32,
        figures: &mut Figures,
    ) -> Result<()> {
        let mut progress = Progress::new(u64::from(count.div_ceil(256) * 2));
        let mut namespaces = Vec::new();
        for number in 0..count {
            if number % 256 == 0 {
                progress.step(&format!("{}: making namespace {number}", self.case));
            }
            namespaces.push(session.bare_namespace(&format!("{label}-{number}"))?);
        }
        let mut by_socket = Series::default();
        let mut by_command = Series::default();
        for (number, namespace) in (0..count).zip(namespaces) {
            if number % 256 == 0 {
                progress.step(&format!("{}: attaching endpoint {number}", self.case));
            }
            overlay_tests::interrupt::check()?;
            let name = format!("c{number}");
            let started = Instant::now();
            let address = if number + BY_COMMAND >= count && count > FEW {
                let address = self.attach_by_command(&namespace, &name)?;
                by_command.add(started.elapsed().as_secs_f64() * 1e3);
                address
            } else {
                let address = self.attach_by_socket(&namespace, &name)?;
                by_socket.add(started.elapsed().as_secs_f64() * 1e3);
                address
            };
            self.members.push((namespace, address));
        }
        drop(progress);
        figures.many(&self.case, "attach_p50_ms", "ms", &by_socket);
        figures.one(
            &self.case,
            "attach_p99_ms",
            "ms",
            by_socket.percentile(990).context("nothing was attached")?,
        );
        figures.many(&self.case, "attach_command_p50_ms", "ms", &by_command);
        figures.one(
            &self.case,
            "agent_rss_mb",
            "MB",
            resident_megabytes(&self.host)?,
        );
        Ok(())
    }

    fn attach_by_socket(&self, namespace: &Namespace, name: &str) -> Result<Ipv4Addr> {
        let wish = json!({ "netns": namespace.path(), "network": "dense", "name": name });
        let answer = self.host.api().post("/endpoints", &wish).with_context(|| {
            format!(
                "attaching {name}; the agent's log ends:\n{}",
                self.host.log_tail()
            )
        })?;
        address_in(&answer)
            .with_context(|| format!("the agent's answer to attaching {name}: {answer}"))
    }

    fn attach_by_command(&self, namespace: &Namespace, name: &str) -> Result<Ipv4Addr> {
        let path = namespace.path().to_string_lossy();
        let printed = self.host.overlay(&[
            "attach",
            "--netns",
            &path,
            "--network",
            "dense",
            "--name",
            name,
        ])?;
        drop(printed);
        let link = overlay_tests::link::find(namespace, "eth0")?;
        let v4 = link
            .addresses()
            .into_iter()
            .find_map(|address| match address {
                std::net::IpAddr::V4(v4) => Some(v4),
                std::net::IpAddr::V6(_) => None,
            });
        v4.with_context(|| format!("{name} was given no IPv4 address"))
    }

    /// Asks every member from the first one and from the other host; all must answer.
    fn reach(&self, figures: &mut Figures) -> Result<()> {
        let addresses: Vec<Ipv4Addr> = self.members.iter().map(|(_, address)| *address).collect();
        let (first, _) = self.members.first().context("nobody was attached")?;
        let mut reached = addresses.len();
        for (from, namespace) in [
            ("one of them", first),
            ("the other host", self.far.namespace()),
        ] {
            let started = Instant::now();
            let silent = sweep(namespace, &addresses)?;
            let answered = addresses.len() - silent.len();
            println!(
                "{}: {answered} of {} answered {from} within {:.2} s.",
                self.case,
                addresses.len(),
                started.elapsed().as_secs_f64()
            );
            if let Some(one) = silent.first() {
                eprintln!(
                    "{} did not answer; overlay explain says:\n{}",
                    one,
                    self.explain(*one)
                );
            }
            reached = reached.min(answered);
        }
        figures.one(
            &self.case,
            "reached",
            "",
            f64::from(u32::try_from(reached).context("too many endpoints")?),
        );
        ensure!(
            reached == addresses.len(),
            "{} of {} endpoints were reached",
            reached,
            addresses.len()
        );
        Ok(())
    }

    fn explain(&self, silent: Ipv4Addr) -> String {
        let source = self.members.first().map_or(silent, |(_, address)| *address);
        let explained = self
            .host
            .overlay(&["explain", &source.to_string(), &silent.to_string()]);
        explained.unwrap_or_else(|error| format!("{error:#}"))
    }

    fn side(&self) -> Result<Side<'static>> {
        let (last, _) = self.members.last().context("nobody was attached")?;
        let (_, first) = self.members.first().context("nobody was attached")?;
        let remote = Route {
            client: last.clone(),
            server: self.far.namespace().clone(),
            address: self.far_address.into(),
        };
        let server = self
            .members
            .first()
            .context("nobody was attached")?
            .0
            .clone();
        let local = Route {
            client: last.clone(),
            server,
            address: (*first).into(),
        };
        Ok(Side {
            case: self.case.clone(),
            routes: vec![("", remote), ("local_", local)],
        })
    }
}

/// Two sweeps leave two entries for each endpoint.
fn raise_neighbour_limit(endpoints: usize) -> Result<NeighbourLimit> {
    let entries = 8 * endpoints as u64;
    let limit = NeighbourLimit::raise(entries)?.context(
        "the limit of the neighbour table, which all containers of a machine share, can be raised only from the \
         machine's first network namespace: run this there",
    )?;
    if limit.before() < entries {
        println!(
            "The neighbour table, which all containers of a machine share, may hold {entries} entries for the \
             sweeps; the limit was {} (net.ipv4.neigh.default.gc_thresh3).",
            limit.before()
        );
    }
    Ok(limit)
}

/// The address in an answer that holds `"ipv4": "10.2.0.2/16"`.
fn address_in(answer: &serde_json::Value) -> Option<Ipv4Addr> {
    answer
        .get("ipv4")?
        .as_str()?
        .split('/')
        .next()?
        .parse()
        .ok()
}
