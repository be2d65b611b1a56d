//! The contents of all tables.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use ipnet::IpNet;

use super::{Change, Inspect, Key, PortError, Row, Table};
use crate::model::{
    EndpointEntry, InterfaceEntry, LocalTables, NamespaceEntry, NetworkEntry, PeerEntry, PeerId,
    Place, RemoteTables, RouteEntry, Vni,
};

/// The contents of all tables. Routes are shared, because there may be a million of them and they
/// change far less often than the rest.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tables {
    /// How each peer is reached.
    pub peers: BTreeMap<PeerId, PeerEntry>,
    /// Which peer an outer source is.
    pub peer_addresses: BTreeMap<IpAddr, PeerId>,
    /// Networks.
    pub networks: BTreeMap<Vni, NetworkEntry>,
    /// Exact routes.
    pub routes: Arc<BTreeMap<Place, RouteEntry>>,
    /// Block routes.
    pub blocks: Arc<BTreeMap<(Vni, IpNet), RouteEntry>>,
    /// What each container may send as.
    pub interfaces: BTreeMap<u32, InterfaceEntry>,
    /// The way into each container.
    pub endpoints: BTreeMap<Place, EndpointEntry>,
    /// Networks of each network namespace, by cookie.
    pub namespaces: BTreeMap<u64, NamespaceEntry>,
}

impl Tables {
    /// Whole tables from what was planned.
    pub fn new(remote: RemoteTables, local: LocalTables) -> Self {
        Self {
            peer_addresses: addresses_of(&remote.peers),
            peers: remote.peers,
            networks: remote.networks,
            routes: Arc::new(remote.routes),
            blocks: Arc::new(remote.blocks),
            interfaces: local.interfaces,
            endpoints: local.endpoints,
            namespaces: local.namespaces,
        }
    }

    /// The same local tables with other remote ones.
    #[must_use]
    pub fn with_remote(&self, remote: RemoteTables) -> Self {
        Self {
            peer_addresses: addresses_of(&remote.peers),
            peers: remote.peers,
            networks: remote.networks,
            routes: Arc::new(remote.routes),
            blocks: Arc::new(remote.blocks),
            interfaces: self.interfaces.clone(),
            endpoints: self.endpoints.clone(),
            namespaces: self.namespaces.clone(),
        }
    }

    /// The same tables with other peers and networks.
    #[must_use]
    pub fn with_ways(
        &self,
        peers: BTreeMap<PeerId, PeerEntry>,
        networks: BTreeMap<Vni, NetworkEntry>,
    ) -> Self {
        Self {
            peer_addresses: addresses_of(&peers),
            peers,
            networks,
            routes: Arc::clone(&self.routes),
            blocks: Arc::clone(&self.blocks),
            interfaces: self.interfaces.clone(),
            endpoints: self.endpoints.clone(),
            namespaces: self.namespaces.clone(),
        }
    }

    /// Reads the tables back.
    pub fn read(from: &impl Inspect) -> Result<Self, PortError> {
        let mut tables = Self::default();
        for table in Table::ALL {
            from.rows(table, &mut |row| tables.insert(row))?;
        }
        Ok(tables)
    }

    /// The entry with this key.
    pub fn get(&self, key: &Key) -> Option<Row> {
        match *key {
            Key::Peer(id) => self.peers.get(&id).map(|entry| Row::Peer(id, *entry)),
            Key::PeerAddress(address) => {
                let id = self.peer_addresses.get(&address);
                id.map(|id| Row::PeerAddress(address, *id))
            }
            Key::Network(vni) => {
                let entry = self.networks.get(&vni);
                entry.map(|entry| Row::Network(vni, *entry))
            }
            Key::Route(place) => {
                let entry = self.routes.get(&place);
                entry.map(|entry| Row::Route(place, *entry))
            }
            Key::Block(vni, block) => {
                let entry = self.blocks.get(&(vni, block));
                entry.map(|entry| Row::Block(vni, block, *entry))
            }
            Key::Interface(ifindex) => {
                let entry = self.interfaces.get(&ifindex);
                entry.map(|entry| Row::Interface(ifindex, *entry))
            }
            Key::Endpoint(place) => {
                let entry = self.endpoints.get(&place);
                entry.map(|entry| Row::Endpoint(place, *entry))
            }
            Key::Namespace(cookie) => {
                let entry = self.namespaces.get(&cookie);
                entry.map(|entry| Row::Namespace(cookie, *entry))
            }
        }
    }

    /// The entries of a table, by key.
    pub fn rows(&self, table: Table) -> Box<dyn Iterator<Item = Row> + '_> {
        match table {
            Table::Peer => Box::new(self.peers.iter().map(|(id, entry)| Row::Peer(*id, *entry))),
            Table::PeerAddress => {
                let addresses = self.peer_addresses.iter();
                Box::new(addresses.map(|(address, id)| Row::PeerAddress(*address, *id)))
            }
            Table::Network => {
                let networks = self.networks.iter();
                Box::new(networks.map(|(vni, entry)| Row::Network(*vni, *entry)))
            }
            Table::Route => {
                let routes = self.routes.iter();
                Box::new(routes.map(|(place, entry)| Row::Route(*place, *entry)))
            }
            Table::Block => {
                let blocks = self.blocks.iter();
                Box::new(blocks.map(|((vni, block), entry)| Row::Block(*vni, *block, *entry)))
            }
            Table::Interface => {
                let interfaces = self.interfaces.iter();
                Box::new(interfaces.map(|(ifindex, entry)| Row::Interface(*ifindex, *entry)))
            }
            Table::Endpoint => {
                let endpoints = self.endpoints.iter();
                Box::new(endpoints.map(|(place, entry)| Row::Endpoint(*place, *entry)))
            }
            Table::Namespace => {
                let namespaces = self.namespaces.iter();
                Box::new(namespaces.map(|(cookie, entry)| Row::Namespace(*cookie, *entry)))
            }
        }
    }

    /// Remembers one change that was written.
    pub(super) fn record(&mut self, change: &Change) {
        match *change {
            Change::Put(row) => self.insert(row),
            Change::Remove(key) => self.remove(&key),
        }
    }

    fn insert(&mut self, row: Row) {
        match row {
            Row::Peer(id, entry) => {
                self.peers.insert(id, entry);
            }
            Row::PeerAddress(address, id) => {
                self.peer_addresses.insert(address, id);
            }
            Row::Network(vni, entry) => {
                self.networks.insert(vni, entry);
            }
            Row::Route(place, entry) => {
                Arc::make_mut(&mut self.routes).insert(place, entry);
            }
            Row::Block(vni, block, entry) => {
                Arc::make_mut(&mut self.blocks).insert((vni, block), entry);
            }
            Row::Interface(ifindex, entry) => {
                self.interfaces.insert(ifindex, entry);
            }
            Row::Endpoint(place, entry) => {
                self.endpoints.insert(place, entry);
            }
            Row::Namespace(cookie, entry) => {
                self.namespaces.insert(cookie, entry);
            }
        }
    }

    fn remove(&mut self, key: &Key) {
        match key {
            Key::Peer(id) => {
                self.peers.remove(id);
            }
            Key::PeerAddress(address) => {
                self.peer_addresses.remove(address);
            }
            Key::Network(vni) => {
                self.networks.remove(vni);
            }
            Key::Route(place) => drop(Arc::make_mut(&mut self.routes).remove(place)),
            Key::Block(vni, block) => {
                Arc::make_mut(&mut self.blocks).remove(&(*vni, *block));
            }
            Key::Interface(ifindex) => {
                self.interfaces.remove(ifindex);
            }
            Key::Endpoint(place) => {
                self.endpoints.remove(place);
            }
            Key::Namespace(cookie) => {
                self.namespaces.remove(cookie);
            }
        }
    }

    /// How many entries a table has.
    pub fn len(&self, table: Table) -> usize {
        match table {
            Table::Peer => self.peers.len(),
            Table::PeerAddress => self.peer_addresses.len(),
            Table::Network => self.networks.len(),
            Table::Route => self.routes.len(),
            Table::Block => self.blocks.len(),
            Table::Interface => self.interfaces.len(),
            Table::Endpoint => self.endpoints.len(),
            Table::Namespace => self.namespaces.len(),
        }
    }

    /// Whether both share the very same table, so that comparing its entries is a waste.
    pub(super) fn shares(&self, other: &Self, table: Table) -> bool {
        match table {
            Table::Route => Arc::ptr_eq(&self.routes, &other.routes),
            Table::Block => Arc::ptr_eq(&self.blocks, &other.blocks),
            Table::Peer
            | Table::PeerAddress
            | Table::Network
            | Table::Interface
            | Table::Endpoint
            | Table::Namespace => false,
        }
    }
}

fn addresses_of(peers: &BTreeMap<PeerId, PeerEntry>) -> BTreeMap<IpAddr, PeerId> {
    peers.iter().map(|(id, peer)| (peer.remote, *id)).collect()
}
