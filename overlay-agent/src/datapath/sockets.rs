//! `BELIEVED`: which sockets the programs led where. They add to it; the kernel drops what was not used for longest.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use aya::maps::{self, MapData, MapError};
use overlay_common::{
    abi::map,
    socket::{Believed, BelievedKey},
};

use super::{Error, Pins, maps::open};

/// A socket that was led to a task.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LedSocket {
    /// What tells it from all others of the kernel.
    pub cookie: u64,
    /// Whom it really talks to.
    pub peer: SocketAddr,
    /// The number of the task.
    pub backend: u32,
}

/// The table.
#[derive(Debug)]
pub struct LedSockets {
    table: maps::HashMap<MapData, BelievedKey, Believed>,
}

impl LedSockets {
    /// Opens the pinned table.
    pub fn open(pins: &Pins) -> Result<Self, Error> {
        let table = open(pins, map::BELIEVED)?;
        Ok(Self { table })
    }

    /// The sockets that were led to these backends. Some may have ended by themselves.
    pub fn led_to(&self, backends: &BTreeSet<u32>) -> Result<Vec<LedSocket>, Error> {
        let mut sockets = Vec::new();
        for key in self.table.keys() {
            let key = key.map_err(failed("list"))?;
            let believed = match self.table.get(&key, 0) {
                Ok(believed) => believed,
                Err(MapError::KeyNotFound) => continue,
                Err(error) => return Err(failed("read")(error)),
            };
            if backends.contains(&believed.backend) {
                sockets.push(LedSocket {
                    cookie: key.socket,
                    peer: SocketAddr::new(IpAddr::from(key.address), u16::from_be_bytes(key.port)),
                    backend: believed.backend,
                });
            }
        }
        Ok(sockets)
    }
}

fn failed(operation: &'static str) -> impl FnOnce(MapError) -> Error {
    move |source| Error::Map {
        operation,
        map: map::BELIEVED,
        source,
    }
}
