//! Pairs of virtual Ethernet interfaces, each end in its namespace from the first moment.

use std::os::fd::{AsFd, AsRawFd};

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkInfo, LinkMessage},
};

use super::{Error, Link, Namespace, Socket, check_name, socket::CREATE};
use crate::model::MacAddress;

/// A pair to be made. This end goes to the socket's namespace.
#[derive(Clone, Copy, Debug)]
pub struct VethPair<'a> {
    /// Name of this end.
    pub name: &'a str,
    /// Ethernet address of this end; the kernel invents one if it is not given.
    pub mac: Option<MacAddress>,
    /// Name of the other end.
    pub peer_name: &'a str,
    /// Ethernet address of the other end; the kernel invents one if it is not given.
    pub peer_mac: Option<MacAddress>,
    /// Where the other end goes.
    pub peer_namespace: &'a Namespace,
    /// Largest layer-3 packet of both ends, bytes.
    pub mtu: u32,
}

impl Socket {
    /// Makes a pair, both ends switched off, and returns this end. One request makes both or
    /// nothing: no end is ever in a wrong namespace or has a wrong name. An error that
    /// [is exists](Error::is_exists) may mean either name.
    pub fn create_veth(&mut self, pair: &VethPair<'_>) -> Result<Link, Error> {
        check_name(pair.name)?;
        check_name(pair.peer_name)?;

        let mut peer = end(pair.peer_name, pair.peer_mac, pair.mtu);
        let namespace = pair.peer_namespace.as_fd().as_raw_fd();
        peer.attributes.push(LinkAttribute::NetNsFd(namespace));
        let mut message = end(pair.name, pair.mac, pair.mtu);
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]));

        self.change(RouteNetlinkMessage::NewLink(message), CREATE)
            .map_err(|failure| {
                failure.during(
                    "make",
                    format!(
                        "veth pair {} with {} in {}",
                        pair.name,
                        pair.peer_name,
                        pair.peer_namespace.name()
                    ),
                )
            })?;
        self.link_by_name(pair.name)
    }
}

fn end(name: &str, mac: Option<MacAddress>, mtu: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::Mtu(mtu),
    ];
    message
        .attributes
        .extend(mac.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::testing::namespace;

    #[test]
    fn both_ends_are_made_in_their_places_at_once() {
        let (_here, mut socket) = namespace();
        let (there, mut inside) = namespace();
        let pair = VethPair {
            name: "ov0123456789abc",
            mac: Some(MacAddress([2, 0, 0, 0, 0, 1])),
            peer_name: "eth0",
            peer_mac: Some(MacAddress([2, 0x42, 10, 1, 0, 5])),
            peer_namespace: &there,
            mtu: 1450,
        };

        let end = socket.create_veth(&pair).unwrap();

        let peer = inside.link_by_name("eth0").unwrap();
        assert_eq!((end.mac, end.mtu, end.is_up()), (pair.mac, 1450, false));
        assert_eq!(
            (peer.mac, peer.mtu, peer.is_up()),
            (pair.peer_mac, 1450, false)
        );
        assert_eq!(end.peer_ifindex, Some(peer.ifindex));
        assert_eq!(peer.peer_ifindex, Some(end.ifindex));
        assert_eq!(socket.find_link("eth0").unwrap(), None);
    }

    #[test]
    fn a_taken_name_at_either_end_leaves_nothing() {
        let (_here, mut socket) = namespace();
        let (there, mut inside) = namespace();
        let pair = VethPair {
            name: "ov1",
            mac: None,
            peer_name: "eth0",
            peer_mac: None,
            peer_namespace: &there,
            mtu: 1450,
        };
        socket.create_veth(&pair).unwrap();

        let here_taken = socket
            .create_veth(&VethPair {
                peer_name: "eth1",
                ..pair
            })
            .unwrap_err();
        let there_taken = socket
            .create_veth(&VethPair {
                name: "ov2",
                ..pair
            })
            .unwrap_err();
        let too_long = socket
            .create_veth(&VethPair {
                name: "ov0123456789abcd",
                ..pair
            })
            .unwrap_err();

        assert!(here_taken.is_exists(), "{here_taken:?}");
        assert!(there_taken.is_exists(), "{there_taken:?}");
        assert!(
            there_taken.to_string().contains("ov2 with eth0 in"),
            "{there_taken}"
        );
        assert!(
            matches!(too_long, Error::InvalidName { .. }),
            "{too_long:?}"
        );
        assert_eq!(socket.links().unwrap().len(), 2);
        assert_eq!(inside.links().unwrap().len(), 2);
    }
}
