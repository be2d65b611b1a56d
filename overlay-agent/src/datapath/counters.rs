//! What happened how often, and how full the maps are.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::maps::{Array, MapData, PerCpuArray};
use overlay_common::{
    abi::map,
    reason::Reason,
    walk::{Count, Walk},
};

use super::{Capacity, Error, Pins, maps::open, spec};

/// Packets and bytes, summed over the CPUs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Total {
    /// Packets; an aggregate of several segments counts once.
    pub packets: u64,
    /// Bytes, Ethernet header included.
    pub bytes: u64,
}

/// Every counter of the data plane since its maps were made.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Packets that went on, by walk.
    pub walks: Vec<(Walk, Total)>,
    /// Packets that were dropped, by reason.
    pub drops: Vec<(Reason, Total)>,
    /// Events that did not fit the ring buffer.
    pub events_lost: u64,
}

impl Counters {
    /// Reads them all.
    pub fn read(pins: &Pins) -> Result<Self, Error> {
        let walks: PerCpuArray<MapData, Count> = open(pins, map::WALK_COUNT)?;
        let reasons: PerCpuArray<MapData, Count> = open(pins, map::REASON_COUNT)?;
        let lost: Array<MapData, u64> = open(pins, map::EVENT_LOST)?;
        let mut counters = Self::default();
        for walk in Walk::ALL {
            let total = total(&walks, walk as u32, map::WALK_COUNT)?;
            counters.walks.push((walk, total));
        }
        for reason in Reason::ALL {
            let total = total(&reasons, *reason as u32, map::REASON_COUNT)?;
            counters.drops.push((*reason, total));
        }
        counters.events_lost = lost.get(&0, 0).map_err(failed(map::EVENT_LOST))?;
        Ok(counters)
    }
}

/// How full a map is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MapUse {
    /// Its name.
    pub name: &'static str,
    /// Entries that fit; bytes for a ring buffer.
    pub capacity: u32,
    /// Entries in it, where that never changes: arrays are full from the start.
    pub entries: Option<u32>,
    /// Kernel memory, bytes, as the kernel accounts for it.
    pub bytes: u64,
}

/// Size and memory of every map.
pub fn map_uses(pins: &Pins, capacity: &Capacity) -> Result<Vec<MapUse>, Error> {
    let uses = spec::maps(capacity).into_iter().map(|spec| {
        let data = MapData::from_pin(pins.map(spec.name)).map_err(failed(spec.name))?;
        let info = data.info().map_err(failed(spec.name))?;
        Ok(MapUse {
            name: spec.name,
            capacity: info.max_entries(),
            entries: spec.is_array().then(|| info.max_entries()),
            bytes: memory_of(data.fd().as_fd().as_raw_fd()).unwrap_or_default(),
        })
    });
    uses.collect()
}

fn total(
    counters: &PerCpuArray<MapData, Count>,
    index: u32,
    map: &'static str,
) -> Result<Total, Error> {
    let per_cpu = counters.get(&index, 0).map_err(failed(map))?;
    let add = |total: Total, count: &Count| Total {
        packets: total.packets.wrapping_add(count.packets),
        bytes: total.bytes.wrapping_add(count.bytes),
    };
    Ok(per_cpu.iter().fold(Total::default(), add))
}

/// The kernel tells it in no other way.
fn memory_of(fd: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/thread-self/fdinfo/{fd}")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("memlock:"))?;
    line.trim().parse().ok()
}

fn failed(map: &'static str) -> impl FnOnce(aya::maps::MapError) -> Error {
    move |source| Error::Map {
        operation: "read",
        map,
        source,
    }
}
