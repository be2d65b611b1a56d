//! Network interfaces, read and changed.

#[cfg(test)]
mod tests;

use netlink_packet_core::{DecodeError, parse_i32, parse_string, parse_u8, parse_u32};
pub use netlink_packet_route::link::{LinkFlags, State as OperationalState};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkAttribute, LinkHeader, LinkMessage, Stats64},
};

use super::{
    Error, Socket, VxlanSettings, check_name,
    message::{attributes, mac, text},
};
use crate::model::MacAddress;

const HEADER_LENGTH: usize = 16;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_STATS64: u16 = 23;
const IFLA_CARRIER: u16 = 33;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;

/// A network interface as the kernel describes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Link {
    /// Index, unique in its namespace.
    pub ifindex: u32,
    /// Name, which need not be UTF-8 in the kernel and then has replacement characters.
    pub name: String,
    /// What somebody wrote on it.
    pub alias: Option<String>,
    /// Kind of a virtual interface, such as `veth` or `vxlan`.
    pub kind: Option<String>,
    /// Ethernet address.
    pub mac: Option<MacAddress>,
    /// Largest layer-3 packet, bytes.
    pub mtu: u32,
    /// All flags.
    pub flags: LinkFlags,
    /// State by RFC 2863.
    pub operational_state: OperationalState,
    /// Whether the wire is there: for a veth, whether its peer is up.
    pub has_carrier: bool,
    /// Index of the veth peer, or of the interface underneath, in its own namespace.
    pub peer_ifindex: Option<u32>,
    /// Where that one is, if elsewhere: see [`Socket::namespace_id`].
    pub peer_namespace_id: Option<i32>,
    /// How a vxlan device is set up.
    pub vxlan: Option<VxlanSettings>,
    /// Packets and bytes so far.
    pub statistics: LinkStatistics,
}

/// Packets and bytes since the interface was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LinkStatistics {
    /// Packets received.
    pub received_packets: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Packets received and dropped.
    pub received_dropped: u64,
    /// Bad packets received.
    pub received_errors: u64,
    /// Packets sent.
    pub sent_packets: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Packets dropped instead of sent.
    pub sent_dropped: u64,
    /// Packets that could not be sent.
    pub sent_errors: u64,
}

impl Link {
    /// Whether it is switched on.
    pub fn is_up(&self) -> bool {
        self.flags.contains(LinkFlags::Up)
    }

    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let header = LinkHeader::parse(payload)?;
        let mut link = Self {
            ifindex: header.index,
            name: String::new(),
            alias: None,
            kind: None,
            mac: None,
            mtu: 0,
            flags: header.flags,
            operational_state: OperationalState::Unknown,
            has_carrier: false,
            peer_ifindex: None,
            peer_namespace_id: None,
            vxlan: None,
            statistics: LinkStatistics::default(),
        };
        for attribute in attributes(payload, HEADER_LENGTH) {
            let (kind, value) = attribute?;
            match kind {
                IFLA_IFNAME => link.name = text(value),
                IFLA_IFALIAS => link.alias = Some(text(value)),
                IFLA_ADDRESS => link.mac = mac(value),
                IFLA_MTU => link.mtu = parse_u32(value)?,
                IFLA_OPERSTATE => link.operational_state = parse_u8(value)?.into(),
                IFLA_CARRIER => link.has_carrier = parse_u8(value)? != 0,
                IFLA_LINK => {
                    link.peer_ifindex = Some(parse_u32(value)?).filter(|&index| index != 0);
                }
                IFLA_LINK_NETNSID => link.peer_namespace_id = Some(parse_i32(value)?),
                IFLA_LINKINFO => link.decode_info(value)?,
                IFLA_STATS64 => link.statistics = Stats64::parse(value)?.into(),
                _ => {}
            }
        }
        Ok(link)
    }

    fn decode_info(&mut self, info: &[u8]) -> Result<(), DecodeError> {
        let mut data = None;
        for attribute in attributes(info, 0) {
            let (kind, value) = attribute?;
            match kind {
                IFLA_INFO_KIND => self.kind = Some(parse_string(value)?),
                IFLA_INFO_DATA => data = Some(value),
                _ => {}
            }
        }
        if self.kind.as_deref() == Some("vxlan") {
            self.vxlan = data.map(VxlanSettings::decode).transpose()?;
        }
        Ok(())
    }
}

impl From<Stats64> for LinkStatistics {
    fn from(all: Stats64) -> Self {
        Self {
            received_packets: all.rx_packets,
            received_bytes: all.rx_bytes,
            received_dropped: all.rx_dropped,
            received_errors: all.rx_errors,
            sent_packets: all.tx_packets,
            sent_bytes: all.tx_bytes,
            sent_dropped: all.tx_dropped,
            sent_errors: all.tx_errors,
        }
    }
}

impl Socket {
    /// The interface with this index.
    pub fn link_by_index(&mut self, ifindex: u32) -> Result<Link, Error> {
        self.get(
            RouteNetlinkMessage::GetLink(request(ifindex, [])),
            Link::decode,
        )
        .map_err(|failure| failure.during("find", format!("the interface with index {ifindex}")))
    }

    /// The interface with this name.
    pub fn link_by_name(&mut self, name: &str) -> Result<Link, Error> {
        check_name(name)?;
        let request = request(0, [LinkAttribute::IfName(name.to_owned())]);
        self.get(RouteNetlinkMessage::GetLink(request), Link::decode)
            .map_err(|failure| failure.during("find", format!("interface {name}")))
    }

    /// The interface with this name, if there is one.
    pub fn find_link(&mut self, name: &str) -> Result<Option<Link>, Error> {
        match self.link_by_name(name) {
            Err(error) if error.is_not_found() => Ok(None),
            result => result.map(Some),
        }
    }

    /// All interfaces, in the kernel's order.
    pub fn links(&mut self) -> Result<Vec<Link>, Error> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        self.dump(&request, |payload| Link::decode(payload).map(Some))
            .map_err(|failure| failure.during("list", "the interfaces"))
    }

    /// Switches an interface on.
    pub fn set_up(&mut self, ifindex: u32) -> Result<(), Error> {
        let mut message = request(ifindex, []);
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        self.set_link(message, "switch on", "")
    }

    /// Keeps an interface from asking for Ethernet addresses: whatever it sends arrives.
    pub fn set_without_arp(&mut self, ifindex: u32) -> Result<(), Error> {
        let mut message = request(ifindex, []);
        message.header.flags = LinkFlags::Noarp;
        message.header.change_mask = LinkFlags::Noarp;
        self.set_link(message, "switch off ARP on", "")
    }

    /// Switches an interface off; its routes go.
    pub fn set_down(&mut self, ifindex: u32) -> Result<(), Error> {
        let mut message = request(ifindex, []);
        message.header.change_mask = LinkFlags::Up;
        self.set_link(message, "switch off", "")
    }

    /// Gives an interface another name. Kernels before 6.2 want it switched off for that.
    pub fn rename(&mut self, ifindex: u32, name: &str) -> Result<(), Error> {
        check_name(name)?;
        let message = request(ifindex, [LinkAttribute::IfName(name.to_owned())]);
        self.set_link(message, "rename", &format!(" to {name}"))
    }

    /// Writes on an interface what it is for, at most 255 bytes.
    pub fn set_alias(&mut self, ifindex: u32, alias: &str) -> Result<(), Error> {
        let message = request(ifindex, [LinkAttribute::IfAlias(alias.to_owned())]);
        self.set_link(message, "set the alias of", "")
    }

    /// Sets the largest layer-3 packet, in bytes.
    pub fn set_mtu(&mut self, ifindex: u32, mtu: u32) -> Result<(), Error> {
        let message = request(ifindex, [LinkAttribute::Mtu(mtu)]);
        self.set_link(message, "set the MTU of", &format!(" to {mtu}"))
    }

    /// Sets the Ethernet address.
    pub fn set_mac(&mut self, ifindex: u32, mac: MacAddress) -> Result<(), Error> {
        let message = request(ifindex, [LinkAttribute::Address(mac.0.to_vec())]);
        self.set_link(
            message,
            "set the Ethernet address of",
            &format!(" to {mac}"),
        )
    }

    /// Deletes an interface; a veth takes its peer with it.
    pub fn delete_link(&mut self, ifindex: u32) -> Result<(), Error> {
        let message = RouteNetlinkMessage::DelLink(request(ifindex, []));
        self.change(message, 0)
            .map_err(|failure| failure.during("delete", self.describe(ifindex)))
    }

    fn set_link(
        &mut self,
        message: LinkMessage,
        operation: &'static str,
        to: &str,
    ) -> Result<(), Error> {
        let ifindex = message.header.index;
        self.change(RouteNetlinkMessage::SetLink(message), 0)
            .map_err(|failure| failure.during(operation, format!("{}{to}", self.describe(ifindex))))
    }

    /// An interface in the words of an error message: its name, while it has one.
    pub(super) fn describe(&mut self, ifindex: u32) -> String {
        match self.link_by_index(ifindex) {
            Ok(link) => format!("interface {}", link.name),
            Err(_gone) => format!("the interface with index {ifindex}"),
        }
    }
}

fn request(ifindex: u32, attributes: impl Into<Vec<LinkAttribute>>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = ifindex;
    message.attributes = attributes.into();
    message
}
