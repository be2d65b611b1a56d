//! The runs: one TCP stream, new connections, request and response over TCP and UDP.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    path::Path,
};

use anyhow::Result;
use overlay_tests::interrupt;

use crate::bench::{
    effort::Effort,
    load::Protocol,
    machine::{self, Placement},
    measure::Route,
    progress::Progress,
    report::{self, Figures},
    statistics::Series,
};

/// What is asked, and what it is compared with.
pub(super) struct Subject {
    name: &'static str,
    route: Route,
    is_behind: bool,
}

/// One kind of traffic.
#[derive(Clone, Copy)]
pub(super) enum Run {
    /// One TCP stream.
    Stream,
    /// New TCP connections.
    Connections,
    /// Requests and responses on one TCP connection.
    RrTcp,
    /// The same by datagrams.
    RrUdp,
}

/// All kinds. What a packet costs shows in those after the first.
pub(super) const RUNS: [Run; 4] = [Run::Stream, Run::Connections, Run::RrTcp, Run::RrUdp];

/// Pairs whose ratio is the point: the VIP, and the direct address of the same hosts or the kernel's way.
const RATIOS: [(&str, &str); 4] = [
    ("vip-packets", "direct"),
    ("vip-sockets", "direct"),
    ("vip-packets", "kernel-nftables"),
    ("vip-sockets", "kernel-nftables"),
];

impl Subject {
    /// The server's own address.
    pub(super) fn direct(name: &'static str, route: Route) -> Self {
        Self {
            name,
            route,
            is_behind: false,
        }
    }

    /// An address that leads to the server, which listens on all of its own.
    pub(super) fn behind(name: &'static str, route: Route, server: Route) -> Self {
        Self {
            name,
            route: Route {
                server: server.server,
                ..route
            },
            is_behind: true,
        }
    }

    fn measure(&self, run: Run, seconds: u32, directory: &Path) -> Result<f64> {
        let route = Placement::usual().of(&self.route);
        let listens = if self.is_behind {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        } else {
            route.address
        };
        let ask = |protocol| route.ask_behind(listens, protocol, 1, seconds, directory);
        Ok(match run {
            Run::Stream => route.iperf(seconds, directory).tcp(1)?.bits_per_second / 1e9,
            Run::Connections => ask(Protocol::Connect)?.rt_per_s,
            Run::RrTcp => ask(Protocol::Tcp)?.rt_per_s,
            Run::RrUdp => ask(Protocol::Udp)?.rt_per_s,
        })
    }
}

impl Run {
    fn metric(self) -> (&'static str, &'static str) {
        match self {
            Self::Stream => ("tcp-1_gbps", "Gbit/s"),
            Self::Connections => ("connections_per_s", "1/s"),
            Self::RrTcp => ("rr-tcp_per_s", "1/s"),
            Self::RrUdp => ("rr-udp_per_s", "1/s"),
        }
    }
}

/// The middle of all runs of a kind, by its metric and subject.
#[derive(Default)]
pub(super) struct Medians {
    medians: BTreeMap<(&'static str, &'static str), f64>,
}

impl Medians {
    /// What a subject reaches now of what it reached with fewer services.
    pub(super) fn enter_ratios_to(
        &self,
        fewer: &Self,
        count: u32,
        case: &str,
        figures: &mut Figures,
    ) {
        for ((metric, subject), median) in &self.medians {
            if let Some(of) = fewer.medians.get(&(*metric, *subject)) {
                let metric = format!("{metric}_of_services-{count}");
                figures.of(
                    subject,
                    case,
                    &metric,
                    "",
                    &[median / of].into_iter().collect(),
                );
            }
        }
    }
}

/// Makes all runs in turns, and enters medians and the ratios that matter.
pub(super) fn compare(
    subjects: &[Subject],
    runs: &[Run],
    case: &str,
    effort: Effort,
    directory: &Path,
    figures: &mut Figures,
) -> Result<Medians> {
    let mut series = vec![vec![Series::default(); subjects.len()]; runs.len()];
    let steps = effort.rounds as usize * runs.len() * subjects.len();
    let mut progress = Progress::new(steps as u64);
    let mut busy = 0;
    for round in 0..effort.rounds as usize {
        for (run, series) in runs.iter().zip(&mut series) {
            for turn in 0..subjects.len() {
                interrupt::check()?;
                let place = (turn + round) % subjects.len();
                let subject = &subjects[place];
                let metric = run.metric().0;
                progress.step(&format!(
                    "{case}, round {}: {metric} of {}",
                    round + 1,
                    subject.name
                ));
                busy += u32::from(!machine::wait_until_idle(effort.patience)?);
                series[place].add(subject.measure(*run, effort.seconds, directory)?);
            }
        }
    }
    drop(progress);
    let mut medians = Medians::default();
    for (run, series) in runs.iter().zip(&series) {
        let (metric, unit) = run.metric();
        for (subject, series) in subjects.iter().zip(series) {
            figures.of(subject.name, case, metric, unit, series);
            if let Some(median) = series.median() {
                medians.medians.insert((metric, subject.name), median);
            }
        }
        let median = |name: &str| {
            let place = subjects.iter().position(|subject| subject.name == name)?;
            series[place].median()
        };
        for (name, yardstick) in RATIOS {
            if let (Some(value), Some(of)) = (median(name), median(yardstick)) {
                let metric = format!("{metric}_of_{yardstick}");
                let ratio = [value / of].into_iter().collect();
                figures.of(name, case, &metric, "", &ratio);
            }
        }
    }
    report::warn_of_busy_runs(busy);
    Ok(medians)
}
