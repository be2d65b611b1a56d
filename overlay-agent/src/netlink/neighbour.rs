//! Which Ethernet address stands for which IP address on a link.

use std::net::IpAddr;

use netlink_packet_core::{DecodeError, NLM_F_CREATE, NLM_F_REPLACE};
pub use netlink_packet_route::neighbour::NeighbourState;
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    neighbour::{NeighbourAttribute, NeighbourFlags, NeighbourHeader, NeighbourMessage},
    route::RouteType,
};

use super::{
    Error, Socket,
    message::{attributes, family, ip, mac},
};
use crate::model::MacAddress;

const HEADER_LENGTH: usize = 12;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;

/// An entry of the neighbour table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Neighbour {
    /// Interface it is reached by.
    pub ifindex: u32,
    /// Its address.
    pub address: IpAddr,
    /// Its Ethernet address, once known.
    pub mac: Option<MacAddress>,
    /// How much the kernel trusts the entry.
    pub state: NeighbourState,
}

impl Neighbour {
    fn decode(payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        let header = NeighbourHeader::parse(payload)?;
        if ![AddressFamily::Inet, AddressFamily::Inet6].contains(&header.family) {
            return Ok(None);
        }
        let mut address = None;
        let mut link_address = None;
        for attribute in attributes(payload, HEADER_LENGTH) {
            let (kind, value) = attribute?;
            match kind {
                NDA_DST => address = Some(ip(value)?),
                NDA_LLADDR => link_address = mac(value),
                _ => {}
            }
        }
        Ok(address.map(|address| Self {
            ifindex: header.ifindex,
            address,
            mac: link_address,
            state: header.state,
        }))
    }
}

impl Socket {
    /// The entry of one address on one interface.
    pub fn neighbour(&mut self, ifindex: u32, address: IpAddr) -> Result<Neighbour, Error> {
        let message = request(ifindex, address);
        self.get(RouteNetlinkMessage::GetNeighbour(message), |payload| {
            Neighbour::decode(payload)?.ok_or_else(|| DecodeError::from("it has no address"))
        })
        .map_err(|failure| {
            let interface = self.describe(ifindex);
            failure.during("find", format!("neighbour {address} on {interface}"))
        })
    }

    /// All entries of one interface, both families.
    pub fn neighbours(&mut self, ifindex: u32) -> Result<Vec<Neighbour>, Error> {
        let mut message = NeighbourMessage::default();
        message.attributes = vec![NeighbourAttribute::IfIndex(ifindex)];
        self.dump(&RouteNetlinkMessage::GetNeighbour(message), |payload| {
            let neighbour = Neighbour::decode(payload)?;
            Ok(neighbour.filter(|neighbour| neighbour.ifindex == ifindex))
        })
        .map_err(|failure| {
            let interface = self.describe(ifindex);
            failure.during("list", format!("the neighbours on {interface}"))
        })
    }

    /// Adds an entry that neither expires nor is asked for, or makes the present one so.
    pub fn set_permanent_neighbour(
        &mut self,
        ifindex: u32,
        address: IpAddr,
        mac: MacAddress,
    ) -> Result<(), Error> {
        let mut message = request(ifindex, address);
        message.header.state = NeighbourState::Permanent;
        message.header.kind = RouteType::Unicast;
        message
            .attributes
            .push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
        let flags = NLM_F_CREATE | NLM_F_REPLACE;
        self.change(RouteNetlinkMessage::NewNeighbour(message), flags)
            .map_err(|failure| {
                let interface = self.describe(ifindex);
                failure.during(
                    "set",
                    format!("neighbour {address} to {mac} on {interface}"),
                )
            })
    }

    /// Deletes an entry.
    pub fn delete_neighbour(&mut self, ifindex: u32, address: IpAddr) -> Result<(), Error> {
        let message = request(ifindex, address);
        self.change(RouteNetlinkMessage::DelNeighbour(message), 0)
            .map_err(|failure| {
                let interface = self.describe(ifindex);
                failure.during("delete", format!("neighbour {address} on {interface}"))
            })
    }
}

fn request(ifindex: u32, address: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family(address);
    message.header.ifindex = ifindex;
    message.header.flags = NeighbourFlags::empty();
    message.attributes = vec![NeighbourAttribute::Destination(address.into())];
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::testing::pair;

    #[test]
    fn a_permanent_neighbour_is_found_and_listed() {
        let [mut left, right] = pair();
        let ifindex = left.link.ifindex;
        let mac = right.link.mac.unwrap();
        let addresses: [IpAddr; 2] = ["10.9.0.2".parse().unwrap(), "fd00:9::2".parse().unwrap()];

        for address in addresses {
            let other = MacAddress([2, 0, 0, 0, 0, 1]);
            left.socket
                .set_permanent_neighbour(ifindex, address, other)
                .unwrap();
            left.socket
                .set_permanent_neighbour(ifindex, address, mac)
                .unwrap();
        }

        let listed = left.socket.neighbours(ifindex).unwrap();
        for address in addresses {
            let state = NeighbourState::Permanent;
            let expected = Neighbour {
                ifindex,
                address,
                mac: Some(mac),
                state,
            };
            assert_eq!(left.socket.neighbour(ifindex, address).unwrap(), expected);
            assert!(listed.contains(&expected), "{listed:?}");
        }
        assert!(left.socket.neighbours(1).unwrap().is_empty());
    }

    #[test]
    fn a_deleted_neighbour_is_not_found() {
        let [mut left, _right] = pair();
        let ifindex = left.link.ifindex;
        let address = "10.9.0.2".parse().unwrap();
        let mac = MacAddress([2, 0, 0, 0, 0, 1]);
        left.socket
            .set_permanent_neighbour(ifindex, address, mac)
            .unwrap();

        left.socket.delete_neighbour(ifindex, address).unwrap();

        let listed = left.socket.neighbours(ifindex).unwrap();
        let is_known = |entry: &Neighbour| entry.address == address && entry.mac.is_some();
        assert!(!listed.iter().any(is_known), "{listed:?}");
        let unknown = left
            .socket
            .neighbour(ifindex, "10.9.0.9".parse().unwrap())
            .unwrap_err();
        assert!(unknown.is_not_found(), "{unknown:?}");
        let expected = "could not find neighbour 10.9.0.9 on interface left";
        assert!(unknown.to_string().starts_with(expected), "{unknown}");
    }
}
