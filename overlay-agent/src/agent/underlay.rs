//! The host's own network, asked over netlink.

use std::{collections::BTreeMap, net::IpAddr};

use crate::{
    control::{PortError, PortErrorKind, Underlay, UnderlayDevice},
    model::Way,
    netlink::{self, Link, LinkFlags, Socket},
};

/// Room in the table of own addresses.
const MOST_ADDRESSES: usize = 1024;

/// Asks the kernel for ways and devices.
#[derive(Debug)]
pub(super) struct KernelUnderlay {
    socket: Socket,
}

impl KernelUnderlay {
    /// Asks in the calling thread's network namespace.
    pub(super) fn open() -> Result<Self, netlink::Error> {
        Ok(Self {
            socket: Socket::open()?,
        })
    }

    fn way(
        &mut self,
        source: IpAddr,
        destination: IpAddr,
        devices: &mut BTreeMap<u32, Link>,
    ) -> Result<Option<Way>, netlink::Error> {
        // Every refusal means that a packet would be refused as well.
        let Ok(resolved) = self.socket.lookup(destination, Some(source)) else {
            return Ok(None);
        };
        if resolved.is_local {
            return Ok(None);
        }
        let ifindex = resolved.ifindex;
        let link = match devices.get(&ifindex) {
            Some(link) => link,
            None => match self.socket.link_by_index(ifindex) {
                Err(error) if error.is_not_found() => return Ok(None),
                link => devices.entry(ifindex).or_insert(link?),
            },
        };
        Ok(Some(Way {
            ifindex,
            next_hop: resolved.gateway.unwrap_or(destination),
            mtu: resolved.mtu.map_or(link.mtu, |mtu| mtu.min(link.mtu)),
            is_ethernet: is_ethernet(link),
        }))
    }
}

impl Underlay for KernelUnderlay {
    fn ways(
        &mut self,
        source: IpAddr,
        destinations: &mut dyn Iterator<Item = IpAddr>,
    ) -> Result<BTreeMap<IpAddr, Way>, PortError> {
        let mut devices = BTreeMap::new();
        let mut ways = BTreeMap::new();
        for destination in destinations {
            let way = self.way(source, destination, &mut devices);
            let way = way.map_err(|error| failed("find the way to", destination, error))?;
            ways.extend(way.map(|way| (destination, way)));
        }
        Ok(ways)
    }

    fn own_addresses(&mut self) -> Result<BTreeMap<IpAddr, u32>, PortError> {
        let listed = self.socket.all_addresses();
        let listed = listed.map_err(failed_to_list)?;
        let mut devices: BTreeMap<u32, bool> = BTreeMap::new();
        let mut own = BTreeMap::new();
        for entry in listed {
            if entry.address.is_loopback() || entry.is_duplicate {
                continue;
            }
            let ifindex = entry.ifindex;
            let is_ethernet = match devices.get(&ifindex) {
                Some(is_ethernet) => *is_ethernet,
                None => match self.socket.link_by_index(ifindex) {
                    Err(error) if error.is_not_found() => continue,
                    link => is_ethernet(&link.map_err(failed_to_list)?),
                },
            };
            devices.insert(ifindex, is_ethernet);
            // Of an address that several devices have, an Ethernet device counts.
            let device = own.entry(entry.address).or_insert(0);
            if is_ethernet {
                *device = ifindex;
            }
        }
        // With that many, those that no Ethernet device has are the ones nobody asks from outside.
        let (wired, others): (Vec<_>, Vec<_>) =
            own.into_iter().partition(|(_, ifindex)| *ifindex != 0);
        Ok(wired
            .into_iter()
            .chain(others)
            .take(MOST_ADDRESSES)
            .collect())
    }

    fn device_of(&mut self, address: IpAddr) -> Result<Option<UnderlayDevice>, PortError> {
        let find = || {
            let addresses = self.socket.all_addresses()?;
            let Some(found) = addresses.iter().find(|found| found.address == address) else {
                return Ok(None);
            };
            match self.socket.link_by_index(found.ifindex) {
                Err(error) if error.is_not_found() => Ok(None),
                link => link.map(Some),
            }
        };
        let mut find = find;
        let link = find().map_err(|error| failed("find the device of", address, error))?;
        Ok(link.map(|link| UnderlayDevice {
            ifindex: link.ifindex,
            mtu: link.mtu,
            is_ethernet: is_ethernet(&link),
        }))
    }
}

/// Tunnels have other addresses than Ethernet's; the loopback device has one, but frames there never
/// leave.
pub(super) fn is_ethernet(link: &Link) -> bool {
    link.mac.is_some() && !link.flags.contains(LinkFlags::Loopback)
}

fn failed_to_list(error: netlink::Error) -> PortError {
    let object = "the host's own addresses";
    PortError::new("list", object, PortErrorKind::Other, error)
}

fn failed(operation: &'static str, address: IpAddr, error: netlink::Error) -> PortError {
    PortError::new(operation, address, PortErrorKind::Other, error)
}
