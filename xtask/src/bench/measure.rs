//! One run of traffic between two namespaces.

use std::{env, fs, net::IpAddr, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use overlay_tests::{
    Namespace, interrupt,
    process::{self, Daemon, tail},
    traffic::Iperf,
};

use super::{
    case::{Kind, Metric, Workload},
    load::{Outcome, Protocol, READY},
    machine::CpuTime,
};

/// Where the load server listens.
pub(crate) const PORT: u16 = 7000;

/// How long the load server may take to listen.
const LISTENING: Duration = Duration::from_secs(5);

/// Two ends that can reach each other.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// Sends, or asks.
    pub(crate) client: Namespace,
    /// Receives, or answers.
    pub(crate) server: Namespace,
    /// The server's address.
    pub(crate) address: IpAddr,
}

/// A figure of one run.
pub(crate) type Figure = (Kind, Metric, f64);

impl Route {
    /// The same two ends, each on a processor of its own as if they were machines of their own: the client on
    /// the first one, the server on the second.
    pub(crate) fn pinned(&self) -> Self {
        Self {
            client: self.client.on_processor(0),
            server: self.server.on_processor(1),
            address: self.address,
        }
    }

    /// Makes the run `workload` of `seconds`; `directory` takes the servers' output.
    pub(crate) fn measure(
        &self,
        workload: Workload,
        seconds: u32,
        directory: &Path,
    ) -> Result<Vec<Figure>> {
        match workload {
            Workload::Tcp { streams } => self.tcp(streams, seconds, directory),
            Workload::Udp64 => {
                let result = self.iperf(seconds, directory).udp(64)?;
                Ok(vec![(
                    Kind::Udp64,
                    Metric::Kpps,
                    result.received_per_second / 1e3,
                )])
            }
            Workload::RrUdp { flows } => {
                let kind = if flows == 1 {
                    Kind::RrUdp
                } else {
                    Kind::RrUdp32
                };
                Ok(figures(
                    kind,
                    &self.ask(Protocol::Udp, flows, seconds, directory)?,
                ))
            }
            Workload::RrTcp => Ok(figures(
                Kind::RrTcp,
                &self.ask(Protocol::Tcp, 1, seconds, directory)?,
            )),
        }
    }

    fn tcp(&self, streams: u32, seconds: u32, directory: &Path) -> Result<Vec<Figure>> {
        let before = CpuTime::now()?;
        let result = self.iperf(seconds, directory).tcp(streams)?;
        let busy = CpuTime::now()?.busy_seconds_since(before);
        let gigabits = result.bytes * 8.0 / 1e9;
        ensure!(
            gigabits > 0.0,
            "no byte arrived from {} at {}",
            self.client.name(),
            self.address
        );
        let gbps = result.bits_per_second / 1e9;
        Ok(match streams {
            1 => vec![
                (Kind::Tcp1, Metric::Gbps, gbps),
                (Kind::Cpu, Metric::CpuPerGbit, busy / gigabits),
            ],
            _ => vec![(Kind::Tcp8, Metric::Gbps, gbps)],
        })
    }

    pub(crate) fn iperf<'a>(&'a self, seconds: u32, directory: &'a Path) -> Iperf<'a> {
        Iperf {
            client: &self.client,
            server: &self.server,
            address: self.address,
            seconds,
            directory,
        }
    }

    /// Request and response by this program's own `bench load`.
    pub(crate) fn ask(
        &self,
        protocol: Protocol,
        flows: u16,
        seconds: u32,
        directory: &Path,
    ) -> Result<Outcome> {
        self.ask_behind(self.address, protocol, flows, seconds, directory)
    }

    /// [`Route::ask`] where the server listens on another address than is asked.
    pub(crate) fn ask_behind(
        &self,
        listens: IpAddr,
        protocol: Protocol,
        flows: u16,
        seconds: u32,
        directory: &Path,
    ) -> Result<Outcome> {
        let this = env::current_exe().context("finding this program")?;
        let (flows, port) = (flows.to_string(), PORT.to_string());
        let (listens, address) = (listens.to_string(), self.address.to_string());
        let end = ["bench", "load"];
        let log = directory.join(format!("load-{}.log", self.server.name()));
        // Its word of an earlier run must not pass for this one's.
        fs::write(&log, "").with_context(|| format!("emptying {}", log.display()))?;
        let mut server = self.server.command(&this);
        server.args(end).args([
            "server",
            protocol.name(),
            &listens,
            &port,
            "--flows",
            &flows,
        ]);
        let server = Daemon::start("load server", &mut server, &log)?;
        let ready = interrupt::wait_until(LISTENING, || server.log_tail(1) == READY)?;
        ensure!(
            ready,
            "the load server in {} does not listen: {}",
            self.server.name(),
            tail(&log, 5)
        );
        let mut client = self.client.command(&this);
        client.args(end).args([
            "client",
            protocol.name(),
            &address,
            &port,
            "--flows",
            &flows,
        ]);
        client.args(["--seconds", &seconds.to_string()]);
        let printed = process::run(&mut client)?;
        serde_json::from_str(&printed)
            .with_context(|| format!("reading the load client's result {printed:?}"))
    }
}

fn figures(kind: Kind, outcome: &Outcome) -> Vec<Figure> {
    vec![
        (kind, Metric::P50, outcome.p50_us),
        (kind, Metric::P99, outcome.p99_us),
        (kind, Metric::Rate, outcome.rt_per_s),
    ]
}
