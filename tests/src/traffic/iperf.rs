//! iperf3 between two namespaces, read from its JSON.

use std::{fs, net::IpAddr, path::Path, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::{
    Namespace, interrupt,
    process::{self, Daemon, tail},
};

/// How long a server may take to listen.
const LISTENING: Duration = Duration::from_secs(5);

/// State of a listening socket in /proc/net/tcp.
const LISTEN: &str = "0A";

/// One measurement to make.
#[derive(Clone, Copy, Debug)]
pub struct Iperf<'a> {
    /// Where the client runs, which sends.
    pub client: &'a Namespace,
    /// Where the server runs.
    pub server: &'a Namespace,
    /// The server's address.
    pub address: IpAddr,
    /// How long to send, in whole seconds as iperf3 takes them.
    pub seconds: u32,
    /// Takes the server's output.
    pub directory: &'a Path,
}

/// A TCP run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TcpResult {
    /// Received payload, in bits per second.
    pub bits_per_second: f64,
    /// Received payload, in bytes.
    pub bytes: f64,
    /// Segments sent again.
    pub retransmits: u64,
}

/// A UDP run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UdpResult {
    /// Datagrams received per second.
    pub received_per_second: f64,
    /// Datagrams sent per second.
    pub sent_per_second: f64,
}

impl Iperf<'_> {
    /// TCP with `streams` parallel streams.
    pub fn tcp(&self, streams: u32) -> Result<TcpResult> {
        let end = self.end(&["-P", &streams.to_string()])?;
        let received = end
            .sum_received
            .context("iperf3 reported nothing received")?;
        Ok(TcpResult {
            bits_per_second: received.bits_per_second,
            bytes: received.bytes,
            retransmits: end.sum_sent.and_then(|sent| sent.retransmits).unwrap_or(0),
        })
    }

    /// TCP with one stream, as the payload that the client got rid of in each tenth of a second, in bytes.
    pub fn tcp_by_tenths(&self) -> Result<Vec<f64>> {
        let report = self.run(5201, &["-i", "0.1"])?;
        Ok(report
            .intervals
            .iter()
            .map(|interval| interval.sum.bytes)
            .collect())
    }

    /// UDP as fast as it goes, with datagrams of `payload` bytes.
    pub fn udp(&self, payload: u32) -> Result<UdpResult> {
        let end = self.end(&["-u", "-b", "0", "-l", &payload.to_string()])?;
        let sent = end.sum_sent.context("iperf3 reported nothing sent")?;
        let received = end
            .sum_received
            .context("iperf3 reported nothing received")?;
        let arrived = received.packets - received.lost_packets;
        ensure!(
            received.seconds > 0.0 && sent.seconds > 0.0,
            "iperf3 reported a run of no time"
        );
        Ok(UdpResult {
            received_per_second: arrived / received.seconds,
            sent_per_second: sent.packets / sent.seconds,
        })
    }

    fn end(&self, options: &[&str]) -> Result<End> {
        let report = self.run(5201, options)?;
        report
            .end
            .with_context(|| format!("{}: no summary", self.what()))
    }

    fn run(&self, port: u16, options: &[&str]) -> Result<Report> {
        let log = self
            .directory
            .join(format!("iperf3-{}.log", self.server.name()));
        let port_text = port.to_string();
        let mut command = self.server.command("iperf3");
        command.args(["-s", "-1", "-p", &port_text]);
        let mut server = Daemon::start("iperf3 server", &mut command, &log)?;
        let mut ended = None;
        let listens = interrupt::wait_until(LISTENING, || {
            ended = server.ended().transpose();
            ended.is_some() || is_listening(server.pid(), port)
        })?;
        if !listens || ended.is_some() {
            bail!(
                "iperf3 does not listen in {}: {}",
                self.server.name(),
                tail(&log, 5)
            );
        }
        let address = self.address.to_string();
        let seconds = self.seconds.to_string();
        let mut command = self.client.command("iperf3");
        command.args([
            "-J",
            "-c",
            &address,
            "-p",
            &port_text,
            "-t",
            &seconds,
            "--connect-timeout",
            "3000",
        ]);
        command.args(options);
        let finished = process::capture(&mut command)?;
        let report: Report = serde_json::from_str(&finished.stdout).with_context(|| {
            format!(
                "{}: {}{}",
                self.what(),
                finished.stdout.trim(),
                finished.stderr.trim()
            )
        })?;
        match report.error {
            Some(error) => bail!("{}: {error}", self.what()),
            None => Ok(report),
        }
    }

    fn what(&self) -> String {
        format!("iperf3 from {} to {}", self.client.name(), self.address)
    }
}

#[derive(Deserialize)]
struct Report {
    error: Option<String>,
    #[serde(default)]
    intervals: Vec<Interval>,
    end: Option<End>,
}

#[derive(Deserialize)]
struct Interval {
    sum: Sum,
}

#[derive(Deserialize)]
struct End {
    sum_sent: Option<Sum>,
    sum_received: Option<Sum>,
}

#[derive(Deserialize)]
struct Sum {
    #[serde(default)]
    seconds: f64,
    #[serde(default)]
    bytes: f64,
    #[serde(default)]
    bits_per_second: f64,
    #[serde(default)]
    packets: f64,
    #[serde(default)]
    lost_packets: f64,
    retransmits: Option<u64>,
}

/// Whether a socket listens on TCP `port` in the network namespace of process `pid`.
pub fn is_listening(pid: u32, port: u16) -> bool {
    let ending = format!(":{port:04X}");
    ["tcp", "tcp6"].iter().any(|table| {
        fs::read_to_string(format!("/proc/{pid}/net/{table}")).is_ok_and(|rows| {
            rows.lines().skip(1).any(|row| {
                let mut columns = row.split_whitespace().skip(1);
                columns.next().is_some_and(|local| local.ends_with(&ending))
                    && columns.nth(1) == Some(LISTEN)
            })
        })
    })
}
