//! Addresses of interfaces.

use std::net::IpAddr;

use netlink_packet_core::{DecodeError, parse_u32};
use netlink_packet_route::{
    RouteNetlinkMessage,
    address::{AddressAttribute, AddressFlags, AddressHeader, AddressHeaderFlags, AddressMessage},
};

use super::{
    Error, Socket,
    message::{attributes, family, ip},
    socket::CREATE,
};

const HEADER_LENGTH: usize = 8;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;

/// An address of an interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InterfaceAddress {
    /// Whose address it is.
    pub ifindex: u32,
    /// The address.
    pub address: IpAddr,
    /// Length of the on-link prefix, bits.
    pub prefix_length: u8,
    /// Whether it waits for its duplicate-address check and cannot be used yet.
    pub is_tentative: bool,
    /// Whether the check found that another host has it, so that it is never used.
    pub is_duplicate: bool,
    /// Whether it stays until somebody deletes it.
    pub is_permanent: bool,
}

impl InterfaceAddress {
    fn decode(payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        let header = AddressHeader::parse(payload)?;
        let mut flags = u32::from(header.flags.bits());
        let mut remote = None;
        let mut local = None;
        for attribute in attributes(payload, HEADER_LENGTH) {
            let (kind, value) = attribute?;
            match kind {
                IFA_ADDRESS => remote = ip(value).ok(),
                IFA_LOCAL => local = ip(value).ok(),
                IFA_FLAGS => flags = parse_u32(value)?,
                _ => {}
            }
        }
        let flags = AddressFlags::from_bits_retain(flags);
        // On a point-to-point interface the first one is the other side's.
        Ok(local.or(remote).map(|address| Self {
            ifindex: header.index,
            address,
            prefix_length: header.prefix_len,
            is_tentative: flags.contains(AddressFlags::Tentative),
            is_duplicate: flags.contains(AddressFlags::Dadfailed),
            is_permanent: flags.contains(AddressFlags::Permanent),
        }))
    }
}

impl Socket {
    /// Adds an address and with it the route to its prefix. An IPv6 address gets no
    /// duplicate-address check: it can be bound and sent from at once, and received on as soon as
    /// [`wait_until_local`](Socket::wait_until_local) says.
    pub fn add_address(
        &mut self,
        ifindex: u32,
        address: IpAddr,
        prefix_length: u8,
    ) -> Result<(), Error> {
        let mut message = request(ifindex, address, prefix_length);
        if address.is_ipv6() {
            message.header.flags = AddressHeaderFlags::Nodad;
        }
        self.change(RouteNetlinkMessage::NewAddress(message), CREATE)
            .map_err(|failure| {
                let interface = self.describe(ifindex);
                failure.during(
                    "add",
                    format!("address {address}/{prefix_length} to {interface}"),
                )
            })
    }

    /// Deletes an address.
    pub fn delete_address(
        &mut self,
        ifindex: u32,
        address: IpAddr,
        prefix_length: u8,
    ) -> Result<(), Error> {
        let message = request(ifindex, address, prefix_length);
        self.change(RouteNetlinkMessage::DelAddress(message), 0)
            .map_err(|failure| {
                let interface = self.describe(ifindex);
                failure.during(
                    "delete",
                    format!("address {address}/{prefix_length} of {interface}"),
                )
            })
    }

    /// The addresses of one interface.
    pub fn addresses(&mut self, ifindex: u32) -> Result<Vec<InterfaceAddress>, Error> {
        let mut message = AddressMessage::default();
        message.header.index = ifindex;
        self.dump(&RouteNetlinkMessage::GetAddress(message), |payload| {
            let address = InterfaceAddress::decode(payload)?;
            Ok(address.filter(|address| address.ifindex == ifindex))
        })
        .map_err(|failure| {
            let interface = self.describe(ifindex);
            failure.during("list", format!("the addresses of {interface}"))
        })
    }

    /// The addresses of all interfaces.
    pub fn all_addresses(&mut self) -> Result<Vec<InterfaceAddress>, Error> {
        let message = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        self.dump(&message, InterfaceAddress::decode)
            .map_err(|failure| failure.during("list", "the addresses of all interfaces"))
    }
}

fn request(ifindex: u32, address: IpAddr, prefix_length: u8) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(address);
    message.header.prefix_len = prefix_length;
    message.header.index = ifindex;
    message.attributes = vec![
        AddressAttribute::Local(address),
        AddressAttribute::Address(address),
    ];
    message
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::netlink::testing::pair;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_ipv6_address_can_be_used_at_once() {
        let [mut left, _right] = pair();
        let ifindex = left.link.ifindex;

        left.socket
            .add_address(ifindex, address("fd00:9::1"), 64)
            .unwrap();
        let bound = left
            .namespace
            .run(|| UdpSocket::bind("[fd00:9::1]:0"))
            .unwrap();

        bound.unwrap();
        let addresses = left.socket.addresses(ifindex).unwrap();
        let added = addresses
            .iter()
            .find(|entry| entry.address == address("fd00:9::1"))
            .unwrap();
        assert_eq!(
            *added,
            InterfaceAddress {
                ifindex,
                address: address("fd00:9::1"),
                prefix_length: 64,
                is_tentative: false,
                is_duplicate: false,
                is_permanent: true,
            }
        );
    }

    #[test]
    fn an_added_address_is_listed_and_a_deleted_one_is_not() {
        let [mut left, _right] = pair();
        let ifindex = left.link.ifindex;
        let first = address("10.9.0.1");
        let second = address("10.9.0.2");

        left.socket.add_address(ifindex, first, 24).unwrap();
        left.socket.add_address(ifindex, second, 32).unwrap();
        left.socket.delete_address(ifindex, first, 24).unwrap();

        let v4 = |addresses: Vec<InterfaceAddress>| -> Vec<_> {
            let v4 = addresses
                .into_iter()
                .filter(|entry| entry.address.is_ipv4());
            v4.map(|entry| (entry.ifindex, entry.address, entry.prefix_length))
                .collect()
        };
        assert_eq!(
            v4(left.socket.addresses(ifindex).unwrap()),
            [(ifindex, second, 32)]
        );
        assert_eq!(
            v4(left.socket.all_addresses().unwrap()),
            [(ifindex, second, 32)]
        );
        assert!(left.socket.addresses(1).unwrap().is_empty());
    }

    #[test]
    fn an_error_names_address_and_interface() {
        let [mut left, _right] = pair();
        let ifindex = left.link.ifindex;
        left.socket
            .add_address(ifindex, address("10.9.0.1"), 24)
            .unwrap();

        let twice = left
            .socket
            .add_address(ifindex, address("10.9.0.1"), 24)
            .unwrap_err();
        let absent = left
            .socket
            .delete_address(ifindex, address("10.9.0.7"), 24)
            .unwrap_err();
        let long = left
            .socket
            .add_address(ifindex, address("10.9.0.8"), 33)
            .unwrap_err();
        let gone = left.socket.addresses(4_000_000).unwrap_err();

        assert!(twice.is_exists(), "{twice:?}");
        assert!(
            twice
                .to_string()
                .contains("address 10.9.0.1/24 to interface left"),
            "{twice}"
        );
        assert!(absent.is_not_found(), "{absent:?}");
        assert!(
            absent.to_string().contains("10.9.0.7/24 of interface left"),
            "{absent}"
        );
        assert_eq!(long.errno(), Some(nix::libc::EINVAL));
        assert!(gone.is_not_found(), "{gone:?}");
    }
}
