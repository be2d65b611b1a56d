//! Numbers: port, limits, sampling, intervals.

use std::time::Duration;

use super::{
    Limits, Services, duration,
    problem::{Problem, Refusal},
    typed,
};
use crate::model::Desired;

const DEFAULT_PORT: u64 = 4789;
const DEFAULT_AUDIT_INTERVAL: &str = "30s";
const SHORTEST_AUDIT_INTERVAL: Duration = Duration::from_millis(100);
const DEFAULT_SAMPLE: u64 = 1;
/// A hash of this many entries takes some gigabytes of kernel memory.
const MOST_ENTRIES: u64 = 1 << 24;

/// What a map is made for where the file does not say.
const DEFAULT_LIMITS: Limits = Limits {
    endpoints: 16_384,
    routes: 65_536,
    blocks: 16_384,
    peers: 4_096,
    networks: 4_096,
    vips: 16_384,
    ports: 8_192,
    backends: 65_536,
    slots: 1 << 20,
    flows: 262_144,
    new_flows: 16_384,
};

pub(super) fn port(typed: Option<u64>) -> Result<u16, Refusal> {
    port_at("datapath.port", typed.unwrap_or(DEFAULT_PORT))
}

/// A port at any key.
pub(super) fn port_at(key: &str, number: u64) -> Result<u16, Refusal> {
    match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(port),
        Ok(_) | Err(_) => Err(Problem::OutOfRange {
            number,
            least: 1,
            most: u16::MAX.into(),
        }
        .at_key(key)),
    }
}

pub(super) fn event_sample(typed: Option<u64>) -> Result<u32, Refusal> {
    let number = typed.unwrap_or(DEFAULT_SAMPLE);
    let most = u32::MAX.into();
    u32::try_from(number).map_err(|_too_big| {
        let least = 0;
        Problem::OutOfRange {
            number,
            least,
            most,
        }
        .at_key("events.sample")
    })
}

pub(super) fn services(typed: &typed::Services) -> Services {
    Services {
        socket_lb: typed.socket_lb.unwrap_or(true),
        packet_lb: typed.packet_lb.unwrap_or(true),
    }
}

pub(super) fn audit_interval(typed: Option<typed::Scalar>) -> Result<Duration, Refusal> {
    let text = typed.map_or_else(|| DEFAULT_AUDIT_INTERVAL.to_owned(), |scalar| scalar.0);
    let problem = match duration::parse(&text) {
        Some(interval) if interval >= SHORTEST_AUDIT_INTERVAL => return Ok(interval),
        Some(_) => Problem::TooShort { text },
        None => Problem::NotADuration { text },
    };
    Err(problem.at_key("audit_interval"))
}

/// How many entries the file itself asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Needed {
    routes: usize,
    blocks: usize,
    peers: usize,
    networks: usize,
}

impl Needed {
    pub(super) fn by(desired: &Desired) -> Self {
        let blocks = desired.others().flat_map(|node| node.blocks.values());
        Self {
            routes: desired.others().map(|node| node.endpoints.len()).sum(),
            blocks: blocks.map(Vec::len).sum(),
            peers: desired.others().count(),
            networks: desired.networks.len(),
        }
    }
}

pub(super) fn limits(typed: &typed::Limits, needed: Needed) -> Result<Limits, Refusal> {
    let Needed {
        routes,
        blocks,
        peers,
        networks,
    } = needed;
    Ok(Limits {
        endpoints: limit("endpoints", typed.endpoints, DEFAULT_LIMITS.endpoints)?,
        routes: enough("routes", typed.routes, DEFAULT_LIMITS.routes, routes)?,
        blocks: enough("blocks", typed.blocks, DEFAULT_LIMITS.blocks, blocks)?,
        peers: enough("peers", typed.peers, DEFAULT_LIMITS.peers, peers)?,
        networks: enough(
            "networks",
            typed.networks,
            DEFAULT_LIMITS.networks,
            networks,
        )?,
        vips: limit("vips", typed.vips, DEFAULT_LIMITS.vips)?,
        ports: limit("ports", typed.ports, DEFAULT_LIMITS.ports)?,
        backends: limit("backends", typed.backends, DEFAULT_LIMITS.backends)?,
        slots: limit("slots", typed.slots, DEFAULT_LIMITS.slots)?,
        flows: limit("flows", typed.flows, DEFAULT_LIMITS.flows)?,
        new_flows: limit("new_flows", typed.new_flows, DEFAULT_LIMITS.new_flows)?,
    })
}

fn limit(name: &str, typed: Option<u64>, default: u32) -> Result<u32, Refusal> {
    let number = typed.unwrap_or(default.into());
    let most = MOST_ENTRIES;
    match u32::try_from(number) {
        Ok(limit) if (1..=most).contains(&number) => Ok(limit),
        Ok(_) | Err(_) => {
            let least = 1;
            let problem = Problem::OutOfRange {
                number,
                least,
                most,
            };
            Err(problem.at_key(format!("datapath.limits.{name}")))
        }
    }
}

fn enough(
    name: &'static str,
    typed: Option<u64>,
    default: u32,
    needed: usize,
) -> Result<u32, Refusal> {
    let limit = limit(name, typed, default)?;
    if usize::try_from(limit).is_ok_and(|limit| limit >= needed) {
        return Ok(limit);
    }
    let what = match name {
        "routes" => "exact addresses of other nodes",
        "blocks" => "blocks of other nodes",
        "peers" => "other nodes",
        _ => "networks",
    };
    let problem = Problem::LimitTooSmall {
        limit,
        needed,
        what,
    };
    Err(problem.at_key(format!("datapath.limits.{name}")))
}
