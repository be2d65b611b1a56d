//! Every table of the data plane, opened once and typed.

use std::{fmt, net::IpAddr};

use aya::{
    Pod,
    maps::{Array, HashMap, LpmTrie, Map, MapData, MapError, lpm_trie},
};
use ipnet::IpNet;
use nix::libc;
use overlay_common::{
    abi::map,
    address::Address,
    endpoint::{Endpoint, EndpointKey},
    interface::Interface,
    network::Network,
    node::Node,
    peer::Peer,
    route::{BlockKey, Route},
    service::{Backend, PortKey, PublishedPort, SLOTS, Slots, Vip},
    socket::Namespace,
};

use super::{
    Error, Pins,
    error::map_errno,
    table::{self, meaning},
};
use crate::{
    control::{Key, Row, Table},
    model::{BackendId, NodeEntry, PeerId, Vni},
};

const NO_SLOTS: Slots = Slots {
    backends: [0; SLOTS],
};

/// The tables of one generation.
pub(super) struct Maps {
    endpoint: HashMap<MapData, EndpointKey, Endpoint>,
    interface: HashMap<MapData, u32, Interface>,
    route: HashMap<MapData, EndpointKey, Route>,
    block: LpmTrie<MapData, BlockKey, Route>,
    peer: HashMap<MapData, u32, Peer>,
    peer_address: HashMap<MapData, Address, u32>,
    network: HashMap<MapData, u32, Network>,
    own_address: HashMap<MapData, Address, u32>,
    port: HashMap<MapData, PortKey, PublishedPort>,
    vip: HashMap<MapData, EndpointKey, Vip>,
    backend: HashMap<MapData, u32, Backend>,
    ring: Array<MapData, Slots>,
    transit: HashMap<MapData, Address, EndpointKey>,
    node: Array<MapData, Node>,
    namespace: HashMap<MapData, u64, Namespace>,
}

// aya's array shows nothing of itself.
impl fmt::Debug for Maps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Maps").finish_non_exhaustive()
    }
}

impl Maps {
    /// Opens the pinned tables.
    pub(super) fn open(pins: &Pins) -> Result<Self, Error> {
        Ok(Self {
            endpoint: open(pins, map::ENDPOINT)?,
            interface: open(pins, map::INTERFACE)?,
            route: open(pins, map::ROUTE)?,
            block: open(pins, map::BLOCK)?,
            peer: open(pins, map::PEER)?,
            peer_address: open(pins, map::PEER_BY_ADDR)?,
            network: open(pins, map::NETWORK)?,
            own_address: open(pins, map::OWN_ADDRESS)?,
            port: open(pins, map::PORT)?,
            vip: open(pins, map::VIP)?,
            backend: open(pins, map::BACKEND)?,
            ring: open(pins, map::RING)?,
            transit: open(pins, map::TRANSIT)?,
            node: open(pins, map::NODE)?,
            namespace: open(pins, map::NAMESPACE)?,
        })
    }

    /// Inserts or overwrites one entry.
    pub(super) fn put(&mut self, row: &Row) -> Result<(), Error> {
        match row {
            Row::Peer(PeerId(id), entry) => self.peer.insert(id, table::peer::encode(entry), 0),
            Row::PeerAddress(address, peer) => {
                let (key, value) = table::peer_address::encode(*address, *peer);
                self.peer_address.insert(key, value, 0)
            }
            Row::Network(vni, entry) => {
                self.network
                    .insert(u32::from(*vni), table::network::encode(entry), 0)
            }
            Row::Route(place, entry) => {
                self.route
                    .insert(table::place_key(*place), table::route::encode(entry), 0)
            }
            Row::Block(vni, block, entry) => {
                let key = table::block::encode(*vni, *block);
                self.block.insert(&key, table::route::encode(entry), 0)
            }
            Row::Interface(ifindex, entry) => {
                self.interface
                    .insert(ifindex, table::interface::encode(entry), 0)
            }
            Row::Endpoint(place, entry) => {
                self.endpoint
                    .insert(table::place_key(*place), table::endpoint::encode(entry), 0)
            }
            Row::OwnAddress(address, ifindex) => {
                let key: Address = (*address).into();
                self.own_address.insert(key, ifindex, 0)
            }
            Row::Port(key, entry) => {
                let key = table::port::encode_key(key);
                self.port.insert(key, table::port::encode(entry), 0)
            }
            Row::Vip(place, entry) => {
                self.vip
                    .insert(table::place_key(*place), table::vip::encode(entry), 0)
            }
            Row::Backend(BackendId(id), entry) => {
                self.backend.insert(id, table::backend::encode(entry), 0)
            }
            Row::Slots(entry, backends) => {
                let backends = *backends;
                self.ring.set(*entry, Slots { backends }, 0)
            }
            Row::Transit(address, place) => {
                let key = Address::from(*address);
                self.transit.insert(key, table::place_key(*place), 0)
            }
            Row::Node(entry) => self.node.set(0, table::node::encode(entry), 0),
            Row::Namespace(cookie, entry) => {
                self.namespace
                    .insert(cookie, table::namespace::encode(entry), 0)
            }
        }
        .map_err(failed("write", row.key().table()))
    }

    /// Removes one entry; that it was not there is no error.
    pub(super) fn remove(&mut self, key: &Key) -> Result<(), Error> {
        let removed = match key {
            Key::Peer(PeerId(id)) => self.peer.remove(id),
            Key::PeerAddress(address) => self.peer_address.remove(&(*address).into()),
            Key::Network(vni) => self.network.remove(&(*vni).into()),
            Key::Route(place) => self.route.remove(&table::place_key(*place)),
            Key::Block(vni, block) => self.block.remove(&table::block::encode(*vni, *block)),
            Key::Interface(ifindex) => self.interface.remove(ifindex),
            Key::Endpoint(place) => self.endpoint.remove(&table::place_key(*place)),
            Key::OwnAddress(address) => self.own_address.remove(&(*address).into()),
            Key::Port(key) => self.port.remove(&table::port::encode_key(key)),
            Key::Vip(place) => self.vip.remove(&table::place_key(*place)),
            Key::Backend(BackendId(id)) => self.backend.remove(id),
            Key::Slots(entry) => self.ring.set(*entry, NO_SLOTS, 0),
            Key::Transit(address) => self.transit.remove(&(*address).into()),
            Key::Node => self
                .node
                .set(0, table::node::encode(&NodeEntry::default()), 0),
            Key::Namespace(cookie) => self.namespace.remove(cookie),
        };
        match removed {
            Err(error) if map_errno(&error) == Some(libc::ENOENT) => Ok(()),
            result => result.map_err(failed("clear", key.table())),
        }
    }

    /// Reads one entry.
    pub(super) fn get(&self, key: &Key) -> Result<Option<Row>, Error> {
        let table = key.table();
        Ok(match *key {
            Key::Peer(id) => found(self.peer.get(&id.0, 0), table)?
                .map(|value| Row::Peer(id, table::peer::decode(&value))),
            Key::PeerAddress(address) => found(self.peer_address.get(&address.into(), 0), table)?
                .map(|value| Row::PeerAddress(address, PeerId(value))),
            Key::Network(vni) => found(self.network.get(&vni.into(), 0), table)?
                .map(|value| Row::Network(vni, table::network::decode(&value))),
            Key::Route(place) => found(self.route.get(&table::place_key(place), 0), table)?
                .map(|value| Row::Route(place, table::route::decode(&value))),
            Key::Block(vni, block) => self.block(vni, block)?,
            Key::Interface(ifindex) => found(self.interface.get(&ifindex, 0), table)?
                .and_then(|value| table::interface::decode(&value))
                .map(|entry| Row::Interface(ifindex, entry)),
            Key::Endpoint(place) => found(self.endpoint.get(&table::place_key(place), 0), table)?
                .map(|value| Row::Endpoint(place, table::endpoint::decode(&value))),
            Key::OwnAddress(address) => found(self.own_address.get(&address.into(), 0), table)?
                .map(|ifindex| Row::OwnAddress(address, ifindex)),
            Key::Port(key) => found(self.port.get(&table::port::encode_key(&key), 0), table)?
                .and_then(|value| table::port::decode(&value))
                .map(|entry| Row::Port(key, entry)),
            Key::Vip(place) => found(self.vip.get(&table::place_key(place), 0), table)?
                .map(|value| Row::Vip(place, table::vip::decode(&value))),
            Key::Backend(id) => found(self.backend.get(&id.0, 0), table)?
                .and_then(|value| meaning::backend(id.0, value)),
            Key::Slots(entry) => found(self.ring.get(&entry, 0), table)?
                .and_then(|value| meaning::slots(entry, &value)),
            Key::Transit(address) => found(self.transit.get(&address.into(), 0), table)?
                .and_then(|value| meaning::transit(address.into(), value)),
            Key::Node => {
                found(self.node.get(&0, 0), table)?.and_then(|value| meaning::node(&value))
            }
            Key::Namespace(cookie) => found(self.namespace.get(&cookie, 0), table)?
                .and_then(|value| table::namespace::decode(&value))
                .map(|entry| Row::Namespace(cookie, entry)),
        })
    }

    /// The longest block around an address, as the programs look it up.
    pub(super) fn block_around(&self, vni: Vni, address: IpAddr) -> Result<Option<Row>, Error> {
        let key = BlockKey::new(vni.into(), address.into());
        let key = lpm_trie::Key::new(BlockKey::BITS, key);
        if found(self.block.get(&key, 0), Table::Block)?.is_none() {
            return Ok(None);
        }
        let longest = IpNet::from(address).max_prefix_len();
        for length in (0..=longest).rev() {
            let block = IpNet::new(address, length).map(|block| block.trunc());
            let Ok(block) = block else { continue };
            if let Some(row) = self.block(vni, block)? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Every entry of a table that means something; returns how many do not.
    pub(super) fn rows(&self, table: Table, visit: &mut dyn FnMut(Row)) -> Result<u64, Error> {
        match table {
            Table::Peer => {
                let meaning = |key, value| Some(meaning::peer(key, value));
                visit_all(self.peer.iter(), meaning, visit)
            }
            Table::PeerAddress => {
                let meaning = |key, value| Some(meaning::peer_address(key, value));
                visit_all(self.peer_address.iter(), meaning, visit)
            }
            Table::Network => visit_all(self.network.iter(), meaning::network, visit),
            Table::Route => visit_all(self.route.iter(), meaning::route, visit),
            Table::Block => visit_all(self.block.iter(), meaning::block, visit),
            Table::Interface => visit_all(self.interface.iter(), meaning::interface, visit),
            Table::Endpoint => visit_all(self.endpoint.iter(), meaning::endpoint, visit),
            Table::OwnAddress => {
                let meaning = |key, value| Some(meaning::own_address(key, value));
                visit_all(self.own_address.iter(), meaning, visit)
            }
            Table::Port => visit_all(self.port.iter(), meaning::port, visit),
            Table::Vip => visit_all(self.vip.iter(), meaning::vip, visit),
            Table::Backend => visit_all(self.backend.iter(), meaning::backend, visit),
            Table::Ring => self.visit_slots(visit),
            Table::Transit => visit_all(self.transit.iter(), meaning::transit, visit),
            Table::Node => self.node.get(&0, 0).map(|value| {
                meaning::node(&value).into_iter().for_each(visit);
                0
            }),
            Table::Namespace => visit_all(self.namespace.iter(), meaning::namespace, visit),
        }
        .map_err(failed("read", table))
    }

    /// Removes every entry of a table that means nothing; returns how many there were.
    pub(super) fn purge(&mut self, table: Table) -> Result<u64, Error> {
        match table {
            Table::Peer | Table::PeerAddress | Table::OwnAddress | Table::Ring | Table::Node => {
                Ok(0)
            }
            Table::Network => purge(&mut self.network, meaning::network),
            Table::Route => purge(&mut self.route, meaning::route),
            Table::Block => self.purge_blocks(),
            Table::Interface => purge(&mut self.interface, meaning::interface),
            Table::Endpoint => purge(&mut self.endpoint, meaning::endpoint),
            Table::Port => purge(&mut self.port, meaning::port),
            Table::Vip => purge(&mut self.vip, meaning::vip),
            Table::Backend => purge(&mut self.backend, meaning::backend),
            Table::Transit => purge(&mut self.transit, meaning::transit),
            Table::Namespace => purge(&mut self.namespace, meaning::namespace),
        }
        .map_err(failed("clear", table))
    }

    /// All of the array is there from the start; what holds no backend is as good as not.
    fn visit_slots(&self, visit: &mut dyn FnMut(Row)) -> Result<u64, MapError> {
        for (value, entry) in self.ring.iter().zip(0..) {
            if let Some(row) = meaning::slots(entry, &value?) {
                visit(row);
            }
        }
        Ok(0)
    }

    fn purge_blocks(&mut self) -> Result<u64, MapError> {
        let meaningless = meaningless(self.block.iter(), meaning::block)?;
        for key in &meaningless {
            self.block.remove(key)?;
        }
        Ok(meaningless.len() as u64)
    }

    /// A lookup with a block's own prefix finds it or a wider one. It was the block itself unless a
    /// lookup one bit shorter finds the same; only then all keys have to be looked at.
    fn block(&self, vni: Vni, block: IpNet) -> Result<Option<Row>, Error> {
        let wanted = table::block::encode(vni, block);
        let Some(value) = found(self.block.get(&wanted, 0), Table::Block)? else {
            return Ok(None);
        };
        let row = Row::Block(vni, block, table::route::decode(&value));
        let shorter = lpm_trie::Key::new(wanted.prefix_len() - 1, wanted.data());
        if found(self.block.get(&shorter, 0), Table::Block)? != Some(value) {
            return Ok(Some(row));
        }
        for key in self.block.keys() {
            let key = key.map_err(failed("read", Table::Block))?;
            if key.prefix_len() == wanted.prefix_len() && key.data() == wanted.data() {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}

/// The map that holds a table.
pub fn map_name(table: Table) -> &'static str {
    match table {
        Table::Peer => map::PEER,
        Table::PeerAddress => map::PEER_BY_ADDR,
        Table::Network => map::NETWORK,
        Table::Route => map::ROUTE,
        Table::Block => map::BLOCK,
        Table::Interface => map::INTERFACE,
        Table::Endpoint => map::ENDPOINT,
        Table::OwnAddress => map::OWN_ADDRESS,
        Table::Port => map::PORT,
        Table::Vip => map::VIP,
        Table::Backend => map::BACKEND,
        Table::Ring => map::RING,
        Table::Transit => map::TRANSIT,
        Table::Node => map::NODE,
        Table::Namespace => map::NAMESPACE,
    }
}

/// Opens a pinned map as what it should be.
pub(super) fn open<M>(pins: &Pins, map: &'static str) -> Result<M, Error>
where
    M: TryFrom<Map, Error = MapError>,
{
    MapData::from_pin(pins.map(map))
        .and_then(Map::from_map_data)
        .and_then(M::try_from)
        .map_err(|source| Error::Map {
            operation: "open",
            map,
            source,
        })
}

fn visit_all<K, V>(
    entries: impl Iterator<Item = Result<(K, V), MapError>>,
    meaning: impl Fn(K, V) -> Option<Row>,
    visit: &mut dyn FnMut(Row),
) -> Result<u64, MapError> {
    let mut meaningless = 0;
    for entry in entries {
        let (key, value) = entry?;
        match meaning(key, value) {
            Some(row) => visit(row),
            None => meaningless += 1,
        }
    }
    Ok(meaningless)
}

fn meaningless<K: Copy, V>(
    entries: impl Iterator<Item = Result<(K, V), MapError>>,
    meaning: impl Fn(K, V) -> Option<Row>,
) -> Result<Vec<K>, MapError> {
    let mut keys = Vec::new();
    for entry in entries {
        let (key, value) = entry?;
        if meaning(key, value).is_none() {
            keys.push(key);
        }
    }
    Ok(keys)
}

fn purge<K: Pod, V: Pod>(
    map: &mut HashMap<MapData, K, V>,
    meaning: impl Fn(K, V) -> Option<Row>,
) -> Result<u64, MapError> {
    let meaningless = meaningless(map.iter(), meaning)?;
    for key in &meaningless {
        map.remove(key)?;
    }
    Ok(meaningless.len() as u64)
}

fn found<V>(value: Result<V, MapError>, table: Table) -> Result<Option<V>, Error> {
    match value {
        Ok(value) => Ok(Some(value)),
        Err(MapError::KeyNotFound) => Ok(None),
        Err(error) => Err(failed("read", table)(error)),
    }
}

fn failed(operation: &'static str, table: Table) -> impl FnOnce(MapError) -> Error {
    move |source| Error::Map {
        operation,
        map: map_name(table),
        source,
    }
}
