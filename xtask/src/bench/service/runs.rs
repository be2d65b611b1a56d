//! The runs: one TCP stream, new connections, request and response over TCP and UDP.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
};

use anyhow::Result;
use overlay_tests::interrupt;

use crate::bench::{
    load::Protocol,
    machine::{self, Placement},
    measure::Route,
    progress::Progress,
    report::{self, Figures},
    statistics::Series,
};

/// How thoroughly.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) rounds: u32,
    pub(super) seconds: u32,
    pub(super) patience: u32,
}

/// What is asked, and what it is compared with.
pub(super) struct Subject {
    name: &'static str,
    route: Route,
    is_behind: bool,
}

#[derive(Clone, Copy)]
enum Run {
    Stream,
    Connections,
    RrTcp,
    RrUdp,
}

const RUNS: [Run; 4] = [Run::Stream, Run::Connections, Run::RrTcp, Run::RrUdp];

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

/// Makes all runs in turns, and enters medians and the ratios that matter.
pub(super) fn compare(
    subjects: &[Subject],
    case: &str,
    plan: Plan,
    directory: &Path,
    figures: &mut Figures,
) -> Result<()> {
    let mut series = vec![vec![Series::default(); subjects.len()]; RUNS.len()];
    let steps = plan.rounds as usize * RUNS.len() * subjects.len();
    let mut progress = Progress::new(steps as u64);
    let mut busy = 0;
    for round in 0..plan.rounds as usize {
        for (run, series) in RUNS.iter().zip(&mut series) {
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
                busy += u32::from(!machine::wait_until_idle(plan.patience)?);
                series[place].add(subject.measure(*run, plan.seconds, directory)?);
            }
        }
    }
    drop(progress);
    for (run, series) in RUNS.iter().zip(&series) {
        let (metric, unit) = run.metric();
        for (subject, series) in subjects.iter().zip(series) {
            figures.of(subject.name, case, metric, unit, series);
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
    Ok(())
}
