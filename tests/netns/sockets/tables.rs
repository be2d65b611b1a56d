//! Services written straight into an agent's maps, as the planner would.

use std::net::IpAddr;

use anyhow::{Context as _, Result};
use aya::{
    Pod,
    maps::{Array, HashMap, Map, MapData, MapError},
};
use overlay_common::{
    abi::map,
    address::Address,
    endpoint::EndpointKey,
    interface::Interface,
    node::Node,
    service::{Backend, PortKey, PublishedPort, Ring, SLOTS, Slots, Vip},
};
use overlay_tests::Host;

use crate::pinned::Pinned;

/// The number of [`overlay_tests::cluster::BLUE`].
const BLUE: u32 = 4096;

const TCP: u8 = 6;

/// No backend.
pub(super) const EMPTY: Ring = Ring { first: 0, size: 0 };

/// The maps of one agent.
pub(super) struct Tables {
    pinned: Pinned,
}

impl Tables {
    pub(super) fn of(host: &Host) -> Self {
        Self {
            pinned: Pinned::of(host),
        }
    }

    /// A service with a virtual address in blue and a ring of one slot; `number` is everybody's.
    pub(super) fn serve(&self, number: u32, vip: IpAddr, task: IpAddr) -> Result<()> {
        let ring = self.ring(number, task, 0)?;
        self.answer(vip, ring)
    }

    /// Who answers at a virtual address in blue.
    pub(super) fn answer(&self, vip: IpAddr, ring: Ring) -> Result<()> {
        let value = Vip {
            ring,
            service: 1,
            _reserved: 0,
        };
        self.put(map::VIP, EndpointKey::new(BLUE, vip.into()), value)
    }

    /// A ring of one slot for a task in blue, which is on this node or on a peer.
    pub(super) fn ring(&self, number: u32, task: IpAddr, peer: u32) -> Result<Ring> {
        let backend = Backend {
            address: task.into(),
            vni: BLUE,
            peer,
            service: 1,
            _reserved: 0,
        };
        self.put(map::BACKEND, number, backend)?;
        let mut slots: Array<MapData, Slots> = self.open(map::RING)?;
        let backends = [number; SLOTS];
        slots
            .set(number, Slots { backends }, 0)
            .context("writing a slot")?;
        Ok(Ring {
            first: number * SLOTS as u32,
            size: 1,
        })
    }

    /// Publishes a TCP port at all addresses of this node.
    pub(super) fn publish(
        &self,
        port: u16,
        target: u16,
        [everywhere, here]: [Ring; 2],
    ) -> Result<()> {
        let key = PortKey {
            address: overlay_common::service::EVERY_IPV4,
            port: port.to_be_bytes(),
            protocol: TCP,
            _reserved: [0; 5],
        };
        let value = PublishedPort {
            everywhere,
            here,
            service: 1,
            vni: BLUE,
            target: target.to_be_bytes(),
            flags: 0,
            _reserved: 0,
        };
        self.put(map::PORT, key, value)
    }

    /// Gives the only endpoint of this node an address outside of its network.
    pub(super) fn stand_in(&self, transit: [u8; 4]) -> Result<()> {
        let mut interfaces: HashMap<MapData, u32, Interface> = self.open(map::INTERFACE)?;
        let ifindex = interfaces.keys().next().context("no endpoint")??;
        let mut interface = interfaces.get(&ifindex, 0).context("reading it")?;
        interface.transit_ipv4 = Address::from_v4(transit);
        interfaces
            .insert(ifindex, interface, 0)
            .context("writing it")
    }

    /// Says that there is a way from containers to the node.
    pub(super) fn open_way_out(&self) -> Result<()> {
        let mut nodes: Array<MapData, Node> = self.open(map::NODE)?;
        let mut node = nodes.get(&0, 0).context("reading the node")?;
        if node.gateway_ifindex == 0 {
            node.gateway_ifindex = 1;
            nodes.set(0, node, 0).context("writing the node")?;
        }
        Ok(())
    }

    /// The number and address of the only peer.
    pub(super) fn peer(&self) -> Result<(u32, IpAddr)> {
        let peers: HashMap<MapData, Address, u32> = self.open(map::PEER_BY_ADDR)?;
        let (address, number) = peers.iter().next().context("no peer")??;
        Ok((number, address.into()))
    }

    fn put<K: Pod, V: Pod>(&self, map: &'static str, key: K, value: V) -> Result<()> {
        let mut entries: HashMap<MapData, K, V> = self.open(map)?;
        entries
            .insert(key, value, 0)
            .with_context(|| format!("writing to {map}"))
    }

    fn open<M: TryFrom<Map, Error = MapError>>(&self, map: &str) -> Result<M> {
        let data = MapData::from_pin(self.pinned.map(map)?);
        data.and_then(Map::from_map_data)
            .and_then(M::try_from)
            .with_context(|| format!("opening {map}"))
    }
}
