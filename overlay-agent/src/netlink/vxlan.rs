//! The vxlan device that takes tunnel metadata from each packet instead of having a network of its
//! own.

use netlink_packet_core::{DecodeError, parse_u8, parse_u16_be, parse_u32};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoData, InfoKind, InfoVxlan, LinkAttribute, LinkInfo, LinkMessage},
};

use super::{Error, Link, Socket, check_name, message::attributes, socket::CREATE};
use crate::model::MacAddress;

const IFLA_VXLAN_ID: u16 = 1;
const IFLA_VXLAN_TTL: u16 = 5;
const IFLA_VXLAN_LEARNING: u16 = 7;
const IFLA_VXLAN_PORT: u16 = 15;
const IFLA_VXLAN_UDP_CSUM: u16 = 18;
const IFLA_VXLAN_UDP_ZERO_CSUM6_TX: u16 = 19;
const IFLA_VXLAN_UDP_ZERO_CSUM6_RX: u16 = 20;
const IFLA_VXLAN_COLLECT_METADATA: u16 = 25;

/// How a vxlan device is set up, as far as it matters here. What was asked for and what is there
/// compare equal if nobody has changed it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one attribute of the device"
)]
pub struct VxlanSettings {
    /// UDP port it listens on and sends to.
    pub port: u16,
    /// VXLAN network identifier; 0 for an external device.
    pub vni: u32,
    /// Whether each packet carries its own VNI and remote address (`ip link … external`).
    pub is_external: bool,
    /// Whether it learns addresses from packets.
    pub is_learning: bool,
    /// Outer time to live; 0 leaves it to the packet's metadata or the host's default.
    pub ttl: u8,
    /// Whether outer IPv4 packets carry a UDP checksum. For an external device each packet's
    /// metadata decides.
    pub udp_checksum: bool,
    /// Whether outer IPv6 packets go without a UDP checksum (`udp6zerocsumtx`).
    pub udp6_zero_checksum_sent: bool,
    /// Whether outer IPv6 packets without a UDP checksum are taken (`udp6zerocsumrx`).
    pub udp6_zero_checksum_received: bool,
}

/// A vxlan device to be made.
#[derive(Clone, Copy, Debug)]
pub struct VxlanDevice<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its Ethernet address; the kernel invents one if it is not given.
    pub mac: Option<MacAddress>,
    /// Largest inner layer-3 packet, bytes; the kernel chooses if it is not given.
    pub mtu: Option<u32>,
    /// Its behaviour.
    pub settings: VxlanSettings,
}

impl VxlanSettings {
    /// An external device: metadata per packet, no learning, checksums in outer IPv4, and packets
    /// without a checksum taken and sent in outer IPv6.
    pub fn external(port: u16) -> Self {
        Self {
            port,
            vni: 0,
            is_external: true,
            is_learning: false,
            ttl: 0,
            udp_checksum: true,
            udp6_zero_checksum_sent: true,
            udp6_zero_checksum_received: true,
        }
    }

    fn attributes(self) -> Vec<InfoVxlan> {
        let mut attributes = vec![
            InfoVxlan::Port(self.port),
            InfoVxlan::Learning(self.is_learning),
            InfoVxlan::Ttl(self.ttl),
            InfoVxlan::UDPCsum(self.udp_checksum),
            InfoVxlan::UDPZeroCsumTX(self.udp6_zero_checksum_sent),
            InfoVxlan::UDPZeroCsumRX(self.udp6_zero_checksum_received),
        ];
        // The kernel refuses an external device with a network of its own.
        attributes.push(if self.is_external {
            InfoVxlan::CollectMetadata(true)
        } else {
            InfoVxlan::Id(self.vni)
        });
        attributes
    }

    pub(super) fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let flag = |value: &[u8]| parse_u8(value).map(|flag| flag != 0);
        let mut settings = Self {
            port: 0,
            vni: 0,
            is_external: false,
            is_learning: false,
            ttl: 0,
            udp_checksum: false,
            udp6_zero_checksum_sent: false,
            udp6_zero_checksum_received: false,
        };
        for attribute in attributes(data, 0) {
            let (kind, value) = attribute?;
            match kind {
                IFLA_VXLAN_ID => settings.vni = parse_u32(value)?,
                IFLA_VXLAN_PORT => settings.port = parse_u16_be(value)?,
                IFLA_VXLAN_TTL => settings.ttl = parse_u8(value)?,
                IFLA_VXLAN_LEARNING => settings.is_learning = flag(value)?,
                IFLA_VXLAN_COLLECT_METADATA => settings.is_external = flag(value)?,
                IFLA_VXLAN_UDP_CSUM => settings.udp_checksum = flag(value)?,
                IFLA_VXLAN_UDP_ZERO_CSUM6_TX => settings.udp6_zero_checksum_sent = flag(value)?,
                IFLA_VXLAN_UDP_ZERO_CSUM6_RX => settings.udp6_zero_checksum_received = flag(value)?,
                _ => {}
            }
        }
        Ok(settings)
    }
}

impl Socket {
    /// Makes a vxlan device, switched off, and returns it. Only [switching it on](Socket::set_up)
    /// takes the UDP port, and fails with `EADDRINUSE` if another device or program has it.
    pub fn create_vxlan(&mut self, device: &VxlanDevice<'_>) -> Result<Link, Error> {
        self.create_vxlan_at(device, 0)
    }

    /// The same with an index that is wanted; 0 leaves the choice to the kernel. Fails with `EBUSY`
    /// or an error that [is exists](Error::is_exists) if another device has the index.
    pub fn create_vxlan_at(
        &mut self,
        device: &VxlanDevice<'_>,
        ifindex: u32,
    ) -> Result<Link, Error> {
        check_name(device.name)?;
        let mut message = LinkMessage::default();
        message.header.index = ifindex;
        message.attributes = vec![
            LinkAttribute::IfName(device.name.to_owned()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Vxlan),
                LinkInfo::Data(InfoData::Vxlan(device.settings.attributes())),
            ]),
        ];
        message
            .attributes
            .extend(device.mac.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
        message
            .attributes
            .extend(device.mtu.map(LinkAttribute::Mtu));

        self.change(RouteNetlinkMessage::NewLink(message), CREATE)
            .map_err(|failure| {
                let port = device.settings.port;
                failure.during(
                    "make",
                    format!("vxlan device {} on UDP port {port}", device.name),
                )
            })?;
        self.link_by_name(device.name)
    }
}

#[cfg(test)]
mod tests {
    use nix::libc;

    use super::*;
    use crate::netlink::testing::namespace;

    #[test]
    fn an_external_device_reads_back_as_it_was_made() {
        let (_namespace, mut socket) = namespace();
        let settings = VxlanSettings {
            ttl: 64,
            ..VxlanSettings::external(4790)
        };
        let mac = MacAddress([2, 0, 0, 0, 0, 7]);
        let device = VxlanDevice {
            name: "ovtunnel",
            mac: Some(mac),
            mtu: Some(8950),
            settings,
        };

        let link = socket.create_vxlan(&device).unwrap();
        socket.set_up(link.ifindex).unwrap();

        let link = socket.link_by_name("ovtunnel").unwrap();
        assert_eq!(link.vxlan, Some(settings));
        assert_eq!(link.kind.as_deref(), Some("vxlan"));
        assert_eq!((link.mac, link.mtu, link.is_up()), (Some(mac), 8950, true));
    }

    #[test]
    fn every_setting_survives_the_kernel() {
        let (_namespace, mut socket) = namespace();
        let external = VxlanSettings::external(4789);
        let other_way = VxlanSettings {
            udp_checksum: false,
            udp6_zero_checksum_sent: false,
            udp6_zero_checksum_received: false,
            ..external
        };
        let plain = VxlanSettings {
            vni: 4096,
            is_external: false,
            is_learning: true,
            ..external
        };

        for settings in [external, other_way, plain] {
            let device = VxlanDevice {
                name: "ovtunnel",
                mac: None,
                mtu: None,
                settings,
            };
            let link = socket.create_vxlan(&device).unwrap();
            assert_eq!(link.vxlan, Some(settings));
            socket.delete_link(link.ifindex).unwrap();
        }
    }

    #[test]
    fn a_taken_port_is_an_error_that_names_it() {
        let (namespace, mut socket) = namespace();
        let settings = VxlanSettings::external(4789);
        let device = VxlanDevice {
            name: "ovtunnel",
            mac: None,
            mtu: None,
            settings,
        };
        let other = VxlanDevice {
            name: "other",
            ..device
        };
        socket.create_vxlan(&device).unwrap();

        let twin = socket.create_vxlan(&other).unwrap_err();
        let _program = namespace
            .run(|| std::net::UdpSocket::bind("0.0.0.0:4789"))
            .unwrap();
        let link = socket.link_by_name("ovtunnel").unwrap();
        let in_use = socket.set_up(link.ifindex).unwrap_err();

        assert!(twin.is_exists(), "{twin:?}");
        assert!(
            twin.to_string()
                .contains("vxlan device other on UDP port 4789"),
            "{twin}"
        );
        assert_eq!(in_use.errno(), Some(libc::EADDRINUSE));
        assert_eq!(in_use.to_string(), "could not switch on interface ovtunnel");
    }
}
