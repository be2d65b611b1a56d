//! What is measured: cases by name, their metrics, and the runs that measure them.

use std::{fmt, str::FromStr};

/// Where the two ends of a measurement are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// On two hosts.
    Remote,
    /// On one host.
    Local,
}

/// One run of traffic, which may measure several cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Workload {
    /// iperf3 over this many TCP streams.
    Tcp {
        /// Parallel streams.
        streams: u32,
    },
    /// iperf3 with datagrams of 64 bytes, as fast as they go.
    Udp64,
    /// Request and response over UDP.
    RrUdp {
        /// Flows side by side.
        flows: u16,
    },
    /// Request and response over TCP.
    RrTcp,
}

/// What a run of [`Workload`] is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Throughput of one TCP stream.
    Tcp1,
    /// Throughput of eight TCP streams.
    Tcp8,
    /// Small datagrams received.
    Udp64,
    /// Round trips over UDP.
    RrUdp,
    /// Round trips over TCP.
    RrTcp,
    /// Round trips of 32 UDP flows.
    RrUdp32,
    /// CPU time for what one TCP stream carries.
    Cpu,
}

/// A case by its name, such as `tcp-1` or `local-rr-udp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Case {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
}

/// What a figure says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    Gbps,
    Kpps,
    P50,
    P99,
    Rate,
    CpuPerGbit,
}

/// In the order of reports.
const KINDS: [Kind; 7] = [
    Kind::Tcp1,
    Kind::Tcp8,
    Kind::Udp64,
    Kind::RrUdp,
    Kind::RrTcp,
    Kind::RrUdp32,
    Kind::Cpu,
];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Tcp1 => "tcp-1",
            Self::Tcp8 => "tcp-8",
            Self::Udp64 => "udp-64",
            Self::RrUdp => "rr-udp",
            Self::RrTcp => "rr-tcp",
            Self::RrUdp32 => "rr-udp-32",
            Self::Cpu => "cpu",
        }
    }

    /// The run that measures it.
    pub(crate) fn workload(self) -> Workload {
        match self {
            Self::Tcp1 | Self::Cpu => Workload::Tcp { streams: 1 },
            Self::Tcp8 => Workload::Tcp { streams: 8 },
            Self::Udp64 => Workload::Udp64,
            Self::RrUdp => Workload::RrUdp { flows: 1 },
            Self::RrTcp => Workload::RrTcp,
            Self::RrUdp32 => Workload::RrUdp { flows: 32 },
        }
    }
}

impl Case {
    /// Every case, those across hosts first.
    pub(crate) fn all() -> Vec<Self> {
        let at = |place| KINDS.into_iter().map(move |kind| Self { place, kind });
        at(Place::Remote).chain(at(Place::Local)).collect()
    }

    /// The figure that stands for the case in a plot.
    pub(crate) fn main_metric(self) -> Metric {
        match self.kind {
            Kind::Tcp1 | Kind::Tcp8 => Metric::Gbps,
            Kind::Udp64 => Metric::Kpps,
            Kind::RrUdp | Kind::RrTcp => Metric::P50,
            Kind::RrUdp32 => Metric::Rate,
            Kind::Cpu => Metric::CpuPerGbit,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.place {
            Place::Remote => "",
            Place::Local => "local-",
        };
        write!(formatter, "{place}{}", self.kind.name())
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::all();
        known
            .iter()
            .copied()
            .find(|case| case.to_string() == text)
            .ok_or_else(|| {
                let names: Vec<String> = known.iter().map(Self::to_string).collect();
                format!("no such case; there are {}", names.join(", "))
            })
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { streams } => write!(formatter, "tcp-{streams}"),
            Self::Udp64 => formatter.write_str("udp-64"),
            Self::RrUdp { flows: 1 } => formatter.write_str("rr-udp"),
            Self::RrUdp { flows } => write!(formatter, "rr-udp-{flows}"),
            Self::RrTcp => formatter.write_str("rr-tcp"),
        }
    }
}

impl Metric {
    /// As JSON and tables call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gbps => "gbps",
            Self::Kpps => "kpps",
            Self::P50 => "p50_us",
            Self::P99 => "p99_us",
            Self::Rate => "rt_per_s",
            Self::CpuPerGbit => "cpu_s_per_gbit",
        }
    }

    /// Its unit.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Gbps => "Gbit/s",
            Self::Kpps => "1000/s",
            Self::P50 | Self::P99 => "us",
            Self::Rate => "1/s",
            Self::CpuPerGbit => "s/Gbit",
        }
    }

    /// Whether more is better.
    pub(crate) fn more_is_better(self) -> bool {
        match self {
            Self::Gbps | Self::Kpps | Self::Rate => true,
            Self::P50 | Self::P99 | Self::CpuPerGbit => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_found_by_its_name() {
        for case in Case::all() {
            assert_eq!(case.to_string().parse(), Ok(case));
        }
    }

    #[test]
    fn an_unknown_case_names_the_known_ones() {
        let error = "tcp-2".parse::<Case>().expect_err("unknown");

        assert!(error.contains("local-rr-udp-32"), "{error}");
    }
}
