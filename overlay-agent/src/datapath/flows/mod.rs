//! `FLOW` and `FLOW_NEW`: what the programs remember of flows. They add to them and never tidy up; here old
//! flows are taken away, and the oldest ones where there is no room.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use aya::maps::{self, MapData, MapError};
use nix::{
    libc,
    time::{ClockId, clock_gettime},
};
use overlay_common::{
    abi::map,
    flow::{FLOW_FORWARD, Flow, FlowKey, STATE_CLOSING, STATE_NEW},
};

use super::{Error, Pins, error::map_errno, maps::open};
use crate::model::Vni;

/// IP protocols that are told apart.
const TCP: u8 = 6;
const UDP: u8 = 17;
const DCCP: u8 = 33;
const SCTP: u8 = 132;
const UDP_LITE: u8 = 136;

/// How long flows are kept in which nothing is sent, by protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// Open TCP connections.
    pub tcp: Duration,
    /// TCP connections that one side has ended, or that nobody has answered.
    pub tcp_closing: Duration,
    /// UDP and UDP-Lite.
    pub udp: Duration,
    /// SCTP and DCCP.
    pub sctp: Duration,
    /// Everything else.
    pub other: Duration,
}

impl Timeouts {
    /// For how many seconds a flow is kept.
    fn of(&self, key: &FlowKey, flow: &Flow) -> u64 {
        let timeout = match (key.scope >> 24) as u8 {
            TCP if matches!(flow.state, STATE_CLOSING | STATE_NEW) => self.tcp_closing,
            TCP => self.tcp,
            UDP | UDP_LITE => self.udp,
            SCTP | DCCP => self.sctp,
            _ => self.other,
        };
        timeout.as_secs()
    }

    /// The shortest of them.
    pub fn shortest(&self) -> Duration {
        [self.tcp, self.tcp_closing, self.udp, self.sctp, self.other]
            .into_iter()
            .min()
            .unwrap_or_default()
    }
}

/// What one tidying up did. A flow has two entries, one for each direction.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sweep {
    /// Entries that are left in `FLOW`.
    pub answered: u64,
    /// Entries that are left in `FLOW_NEW`.
    pub unanswered: u64,
    /// Entries that were too old.
    pub expired: u64,
    /// Entries that had to make room.
    pub evicted: u64,
}

/// A flow inside a network, as its client sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClientFlow {
    /// The network.
    pub network: Vni,
    /// IP protocol.
    pub protocol: u8,
    /// The client.
    pub client: SocketAddr,
    /// The virtual address, and the port that was asked for.
    pub service: SocketAddr,
}

impl ClientFlow {
    /// Nothing for answers, and for flows from outside.
    fn new(key: &FlowKey, flow: &Flow) -> Option<Self> {
        let end = |address, port| SocketAddr::new(IpAddr::from(address), u16::from_be_bytes(port));
        let [protocol, network @ ..] = key.scope.to_be_bytes();
        let network = Vni::try_from(u32::from_be_bytes([0, network[0], network[1], network[2]]));
        (flow.kind == FLOW_FORWARD).then_some(Self {
            network: network.ok()?,
            protocol,
            client: end(key.source, key.source_port),
            service: end(key.destination, key.destination_port),
        })
    }
}

type Entries = maps::HashMap<MapData, FlowKey, Flow>;

/// The two tables.
#[derive(Debug)]
pub struct Flows {
    answered: Entries,
    unanswered: Entries,
    capacity: u64,
}

impl Flows {
    /// Opens the pinned tables, the first with room for `capacity` entries.
    pub fn open(pins: &Pins, capacity: u32) -> Result<Self, Error> {
        Ok(Self {
            answered: open(pins, map::FLOW)?,
            unanswered: open(pins, map::FLOW_NEW)?,
            capacity: capacity.into(),
        })
    }

    /// Takes away what is too old, and the oldest flows if the table of answered ones is nearly full.
    pub fn sweep(&mut self, timeouts: &Timeouts) -> Result<Sweep, Error> {
        let now = now()?;
        let is_old = |key: &FlowKey, flow: &Flow| age(flow, now) >= timeouts.of(key, flow);
        let (answered, expired) = expire(&mut self.answered, map::FLOW, is_old)?;
        let (unanswered, more) = expire(&mut self.unanswered, map::FLOW_NEW, is_old)?;
        let evicted = match excess(answered, self.capacity) {
            0 => 0,
            excess => self.evict(excess, now)?,
        };
        Ok(Sweep {
            answered: answered.saturating_sub(evicted),
            unanswered,
            expired: expired + more,
            evicted,
        })
    }

    /// The flows inside networks that lead to these backends.
    pub fn clients_of(&self, backends: &BTreeSet<u32>) -> Result<Vec<ClientFlow>, Error> {
        let mut clients = Vec::new();
        let tables = [
            (&self.answered, map::FLOW),
            (&self.unanswered, map::FLOW_NEW),
        ];
        for (table, name) in tables {
            visit(table, name, |key, flow| {
                if backends.contains(&flow.backend) {
                    clients.extend(ClientFlow::new(key, flow));
                }
            })?;
        }
        Ok(clients)
    }

    fn evict(&mut self, excess: u64, now: u32) -> Result<u64, Error> {
        let mut flows = BTreeMap::new();
        visit(&self.answered, map::FLOW, |key, flow| {
            flows.insert(*key, (flow.twin(key), age(flow, now)));
        })?;
        let mut evicted = 0;
        for key in oldest(&flows, excess) {
            evicted += u64::from(remove(&mut self.answered, map::FLOW, &key)?);
        }
        Ok(evicted)
    }
}

/// How many entries leave a table that has `entries`. Some room is kept free for the flows until the next
/// look, and some more is made so that not every look has to.
fn excess(entries: u64, capacity: u64) -> u64 {
    if entries > capacity - capacity / 16 {
        entries - (capacity - capacity / 8)
    } else {
        0
    }
}

/// At least `excess` keys of the flows that have been silent for longest, both directions of each.
fn oldest(flows: &BTreeMap<FlowKey, (FlowKey, u64)>, excess: u64) -> Vec<FlowKey> {
    let mut by_age: Vec<_> = flows
        .iter()
        .map(|(key, (twin, age))| {
            let other = flows.get(twin).map_or(*age, |(_, age)| *age);
            (other.min(*age), *key.min(twin), *key)
        })
        .collect();
    // The two directions of a flow stand together.
    by_age.sort_unstable_by_key(|entry| Reverse(*entry));
    let count = usize::try_from(excess).unwrap_or(usize::MAX);
    let mut keys: Vec<_> = by_age.iter().take(count).map(|(.., key)| *key).collect();
    if let (Some(last), Some(next)) = (count.checked_sub(1), by_age.get(count))
        && by_age.get(last).is_some_and(|last| last.1 == next.1)
    {
        keys.push(next.2);
    }
    keys
}

/// Removes the flows of which both directions are old. Returns how many entries are left, and how many went.
fn expire(
    table: &mut Entries,
    name: &'static str,
    is_old: impl Fn(&FlowKey, &Flow) -> bool,
) -> Result<(u64, u64), Error> {
    let mut entries = 0;
    let mut old = Vec::new();
    visit(table, name, |key, flow| {
        entries += 1;
        if is_old(key, flow) {
            old.push((*key, flow.twin(key)));
        }
    })?;
    let mut removed = 0;
    for (key, twin) in old {
        let is_still_old = |key: &FlowKey| -> Result<bool, Error> {
            Ok(get(table, name, key)?.is_none_or(|flow| is_old(key, &flow)))
        };
        // The other direction may have gone before this one.
        if is_still_old(&key)? && is_still_old(&twin)? {
            removed += u64::from(remove(table, name, &key)?);
        }
    }
    Ok((entries - removed, removed))
}

/// For how many seconds nothing was sent.
fn age(flow: &Flow, now: u32) -> u64 {
    now.saturating_sub(flow.seen).into()
}

/// Seconds of the clock that the programs read.
fn now() -> Result<u32, Error> {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).map_err(|errno| Error::File {
        operation: "read",
        path: "CLOCK_MONOTONIC".into(),
        source: errno.into(),
    })?;
    Ok(u32::try_from(time.tv_sec()).unwrap_or(u32::MAX))
}

/// Looks at every entry. The programs go on meanwhile: an entry may be missed until the next time.
fn visit(
    table: &Entries,
    name: &'static str,
    mut look: impl FnMut(&FlowKey, &Flow),
) -> Result<(), Error> {
    for key in table.keys() {
        let key = key.map_err(failed("list", name))?;
        if let Some(flow) = get(table, name, &key)? {
            look(&key, &flow);
        }
    }
    Ok(())
}

fn get(table: &Entries, name: &'static str, key: &FlowKey) -> Result<Option<Flow>, Error> {
    match table.get(key, 0) {
        Ok(flow) => Ok(Some(flow)),
        Err(MapError::KeyNotFound) => Ok(None),
        Err(error) => Err(failed("read", name)(error)),
    }
}

/// Whether there was such an entry.
fn remove(table: &mut Entries, name: &'static str, key: &FlowKey) -> Result<bool, Error> {
    match table.remove(key) {
        Ok(()) => Ok(true),
        Err(MapError::KeyNotFound) => Ok(false),
        Err(error) if map_errno(&error) == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(failed("clear", name)(error)),
    }
}

fn failed(operation: &'static str, map: &'static str) -> impl FnOnce(MapError) -> Error {
    move |source| Error::Map {
        operation,
        map,
        source,
    }
}

#[cfg(test)]
mod tests;
