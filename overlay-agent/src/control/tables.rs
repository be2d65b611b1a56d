//! The contents of all tables.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use ipnet::IpNet;

use super::{Change, Inspect, Key, PortError, Row, Table};
use crate::model::{
    BackendEntry, BackendId, EndpointEntry, FIRST_LOCAL_NUMBER, InterfaceEntry, LocalTables,
    NamespaceEntry, NetworkEntry, NodeEntry, PeerEntry, PeerId, Place, PortEntry, PortKey,
    RemoteTables, RouteEntry, Slots, VipEntry, Vni,
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
    /// This node's own addresses, each with the device from which its answers leave, or 0.
    pub own_addresses: BTreeMap<IpAddr, u32>,
    /// Published ports, of services and of single endpoints.
    pub ports: BTreeMap<PortKey, PortEntry>,
    /// Virtual addresses of services.
    pub vips: Arc<BTreeMap<Place, VipEntry>>,
    /// Tasks of services.
    pub backends: Arc<BTreeMap<BackendId, BackendEntry>>,
    /// Slots of the services' rings.
    pub slots: Arc<BTreeMap<u32, Slots>>,
    /// The endpoint behind each transit address.
    pub transit: BTreeMap<IpAddr, Place>,
    /// This node; nothing while it has no way out.
    pub node: Option<NodeEntry>,
    /// Networks of each network namespace, by cookie.
    pub namespaces: BTreeMap<u64, NamespaceEntry>,
}

impl Tables {
    /// Whether anything goes to other nodes that has to be encrypted.
    pub fn is_anything_encrypted(&self) -> bool {
        let mut ports = self.ports.values();
        self.networks.values().any(|network| network.is_encrypted)
            || ports.any(|port| port.is_encrypted)
    }

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
            own_addresses: remote.own_addresses,
            ports: joined(remote.ports, local.ports),
            transit: local.transit,
            backends: Arc::new(local.backends),
            namespaces: local.namespaces,
            ..Self::default()
        }
    }

    /// The same local tables with other remote ones.
    #[must_use]
    pub fn with_remote(&self, remote: RemoteTables) -> Self {
        Self {
            routes: Arc::new(remote.routes),
            blocks: Arc::new(remote.blocks),
            ..self.with_ways(remote.peers, remote.networks, remote.own_addresses)
        }
    }

    /// The same tables with other ways, networks and addresses of this node.
    #[must_use]
    pub fn with_ways(
        &self,
        peers: BTreeMap<PeerId, PeerEntry>,
        networks: BTreeMap<Vni, NetworkEntry>,
        own_addresses: BTreeMap<IpAddr, u32>,
    ) -> Self {
        Self {
            peer_addresses: addresses_of(&peers),
            peers,
            networks,
            routes: Arc::clone(&self.routes),
            blocks: Arc::clone(&self.blocks),
            interfaces: self.interfaces.clone(),
            endpoints: self.endpoints.clone(),
            own_addresses,
            ports: self.ports.clone(),
            vips: Arc::clone(&self.vips),
            backends: Arc::clone(&self.backends),
            slots: Arc::clone(&self.slots),
            transit: self.transit.clone(),
            node: self.node,
            namespaces: self.namespaces.clone(),
        }
    }

    /// The same tables with the services of others.
    #[must_use]
    pub fn with_services_of(mut self, other: &Self) -> Self {
        self.vips = Arc::clone(&other.vips);
        let local = std::mem::replace(&mut self.backends, Arc::clone(&other.backends));
        let first = BackendId(FIRST_LOCAL_NUMBER);
        if !self.backends.range(first..).eq(local.range(first..)) {
            let backends = Arc::make_mut(&mut self.backends);
            backends.split_off(&first);
            backends.extend(local.range(first..).map(|(id, entry)| (*id, *entry)));
        }
        self.slots = Arc::clone(&other.slots);
        self
    }

    /// The same tables with these ports of services.
    #[must_use]
    pub fn with_published(mut self, ports: BTreeMap<PortKey, PortEntry>) -> Self {
        self.ports.retain(|_, entry| entry.is_local());
        self.ports = joined(ports, std::mem::take(&mut self.ports));
        self
    }

    /// The same tables with these entries.
    #[must_use]
    pub fn with_rows(mut self, rows: Vec<Row>) -> Self {
        for row in rows {
            self.insert(row);
        }
        self
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
            Key::OwnAddress(address) => {
                let ifindex = self.own_addresses.get(&address);
                ifindex.map(|ifindex| Row::OwnAddress(address, *ifindex))
            }
            Key::Port(key) => self.ports.get(&key).map(|entry| Row::Port(key, *entry)),
            Key::Vip(place) => self.vips.get(&place).map(|entry| Row::Vip(place, *entry)),
            Key::Backend(id) => self.backends.get(&id).map(|entry| Row::Backend(id, *entry)),
            Key::Slots(entry) => self
                .slots
                .get(&entry)
                .map(|slots| Row::Slots(entry, *slots)),
            Key::Transit(address) => {
                let place = self.transit.get(&address);
                place.map(|place| Row::Transit(address, *place))
            }
            Key::Node => self.node.map(Row::Node),
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
            Table::OwnAddress => {
                let addresses = self.own_addresses.iter();
                Box::new(addresses.map(|(address, ifindex)| Row::OwnAddress(*address, *ifindex)))
            }
            Table::Port => Box::new(
                self.ports
                    .iter()
                    .map(|(key, entry)| Row::Port(*key, *entry)),
            ),
            Table::Vip => Box::new(
                self.vips
                    .iter()
                    .map(|(place, entry)| Row::Vip(*place, *entry)),
            ),
            Table::Backend => {
                let backends = self.backends.iter();
                Box::new(backends.map(|(id, entry)| Row::Backend(*id, *entry)))
            }
            Table::Ring => {
                let slots = self.slots.iter();
                Box::new(slots.map(|(entry, slots)| Row::Slots(*entry, *slots)))
            }
            Table::Transit => {
                let addresses = self.transit.iter();
                Box::new(addresses.map(|(address, place)| Row::Transit(*address, *place)))
            }
            Table::Node => Box::new(self.node.into_iter().map(Row::Node)),
            Table::Namespace => {
                let namespaces = self.namespaces.iter();
                Box::new(namespaces.map(|(cookie, entry)| Row::Namespace(*cookie, *entry)))
            }
        }
    }

    /// Whether a network has virtual addresses.
    pub(super) fn has_vips(&self, vni: Vni) -> bool {
        let first = Place {
            vni,
            address: IpAddr::from([0; 4]),
        };
        let next = self.vips.range(first..).next();
        next.is_some_and(|(place, _)| place.vni == vni)
    }

    /// Marks the endpoints that may expect answers from virtual addresses.
    pub(super) fn mark_balanced(&mut self) {
        let networks: BTreeSet<Vni> = self.vips.keys().map(|place| place.vni).collect();
        for (place, entry) in &mut self.endpoints {
            entry.balanced = networks.contains(&place.vni);
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
            Row::OwnAddress(address, ifindex) => {
                self.own_addresses.insert(address, ifindex);
            }
            Row::Port(key, entry) => {
                self.ports.insert(key, entry);
            }
            Row::Vip(place, entry) => {
                Arc::make_mut(&mut self.vips).insert(place, entry);
            }
            Row::Backend(id, entry) => {
                Arc::make_mut(&mut self.backends).insert(id, entry);
            }
            Row::Slots(entry, slots) => {
                Arc::make_mut(&mut self.slots).insert(entry, slots);
            }
            Row::Transit(address, place) => {
                self.transit.insert(address, place);
            }
            Row::Node(entry) => self.node = Some(entry),
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
            Key::OwnAddress(address) => {
                self.own_addresses.remove(address);
            }
            Key::Port(key) => {
                self.ports.remove(key);
            }
            Key::Vip(place) => drop(Arc::make_mut(&mut self.vips).remove(place)),
            Key::Backend(id) => drop(Arc::make_mut(&mut self.backends).remove(id)),
            Key::Slots(entry) => drop(Arc::make_mut(&mut self.slots).remove(entry)),
            Key::Transit(address) => {
                self.transit.remove(address);
            }
            Key::Node => self.node = None,
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
            Table::OwnAddress => self.own_addresses.len(),
            Table::Port => self.ports.len(),
            Table::Vip => self.vips.len(),
            Table::Backend => self.backends.len(),
            Table::Ring => self.slots.len(),
            Table::Transit => self.transit.len(),
            Table::Node => usize::from(self.node.is_some()),
            Table::Namespace => self.namespaces.len(),
        }
    }

    /// Whether both share the very same table, so that comparing its entries is a waste.
    pub(super) fn shares(&self, other: &Self, table: Table) -> bool {
        match table {
            Table::Route => Arc::ptr_eq(&self.routes, &other.routes),
            Table::Block => Arc::ptr_eq(&self.blocks, &other.blocks),
            Table::Vip => Arc::ptr_eq(&self.vips, &other.vips),
            Table::Backend => Arc::ptr_eq(&self.backends, &other.backends),
            Table::Ring => Arc::ptr_eq(&self.slots, &other.slots),
            Table::Peer
            | Table::PeerAddress
            | Table::Network
            | Table::Interface
            | Table::Endpoint
            | Table::OwnAddress
            | Table::Port
            | Table::Namespace
            | Table::Transit
            | Table::Node => false,
        }
    }
}

/// Of two that publish one port the service is answered: it was promised by all nodes.
fn joined(
    services: BTreeMap<PortKey, PortEntry>,
    endpoints: BTreeMap<PortKey, PortEntry>,
) -> BTreeMap<PortKey, PortEntry> {
    let mut ports = endpoints;
    ports.extend(services);
    ports
}

fn addresses_of(peers: &BTreeMap<PeerId, PeerEntry>) -> BTreeMap<IpAddr, PeerId> {
    peers.iter().map(|(id, peer)| (peer.remote, *id)).collect()
}
