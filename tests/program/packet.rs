//! Packets put together layer by layer; lengths and checksums are filled in at the end.

use std::net::IpAddr;

/// Ethernet around `payload`.
pub(crate) fn ethernet(
    source: [u8; 6],
    destination: [u8; 6],
    kind: u16,
    payload: &[u8],
) -> Vec<u8> {
    [&destination[..], &source, &kind.to_be_bytes(), payload].concat()
}

/// What an IPv4 header says besides its addresses.
#[derive(Clone, Copy)]
pub(crate) struct Ipv4 {
    pub(crate) tos: u8,
    pub(crate) flags_offset: u16,
    pub(crate) protocol: u8,
}

impl Ipv4 {
    /// Do not fragment.
    pub(crate) const DF: u16 = 0x4000;

    pub(crate) fn udp() -> Self {
        Self {
            tos: 0,
            flags_offset: 0,
            protocol: 17,
        }
    }

    pub(crate) fn around(self, source: [u8; 4], destination: [u8; 4], payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, self.tos];
        packet.extend((20 + payload.len() as u16).to_be_bytes());
        packet.extend([0x12, 0x34]);
        packet.extend(self.flags_offset.to_be_bytes());
        packet.extend([64, self.protocol, 0, 0]);
        packet.extend(source);
        packet.extend(destination);
        let sum = checksum(&packet);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet.extend(payload);
        packet
    }
}

/// IPv6 around `payload`.
pub(crate) fn ipv6(source: [u8; 16], destination: [u8; 16], next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next, 255]);
    packet.extend(source);
    packet.extend(destination);
    packet.extend(payload);
    packet
}

/// UDP with a zero checksum around `payload`.
pub(crate) fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    packet.extend(source.to_be_bytes());
    packet.extend(destination.to_be_bytes());
    packet.extend((8 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    packet
}

/// An IP packet of either family in its frame, with right checksums of IP and of what is inside.
pub(crate) fn between(
    macs: ([u8; 6], [u8; 6]),
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    transport: &[u8],
) -> Vec<u8> {
    let transport = sealed(source, destination, protocol, transport);
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let ip = Ipv4 {
                flags_offset: Ipv4::DF,
                protocol,
                ..Ipv4::udp()
            };
            let ip = ip.around(source.octets(), destination.octets(), &transport);
            ethernet(macs.0, macs.1, 0x0800, &ip)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let ip = ipv6(source.octets(), destination.octets(), protocol, &transport);
            ethernet(macs.0, macs.1, 0x86dd, &ip)
        }
        _ => panic!("two families in one packet"),
    }
}

/// A transport header and its payload with the checksum that its protocol has.
pub(crate) fn sealed(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    transport: &[u8],
) -> Vec<u8> {
    let mut sealed = transport.to_vec();
    let (at, has_pseudo_header) = match protocol {
        6 => (16, true),
        17 => (6, true),
        58 => (2, true),
        1 => (2, false),
        _ => return sealed,
    };
    sealed[at..at + 2].fill(0);
    let mut summed = Vec::new();
    if has_pseudo_header {
        for address in [source, destination] {
            match address {
                IpAddr::V4(address) => summed.extend(address.octets()),
                IpAddr::V6(address) => summed.extend(address.octets()),
            }
        }
        summed.extend((sealed.len() as u32).to_be_bytes());
        summed.extend([0, 0, 0, protocol]);
    }
    summed.extend(&sealed);
    let sum = checksum(&summed);
    sealed[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    sealed
}

/// A TCP header without options before `payload`.
pub(crate) fn tcp(ports: [u16; 2], flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    packet.extend(ports[0].to_be_bytes());
    packet.extend(ports[1].to_be_bytes());
    packet.extend([0, 0, 0x10, 0, 0, 0, 0x20, 0, 0x50, flags, 1, 0, 0, 0, 0, 0]);
    packet.extend(payload);
    packet
}

/// VXLAN around an inner frame.
pub(crate) fn vxlan(vni: u32, frame: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = vni.to_be_bytes();
    [&[8, 0, 0, 0, a, b, c, 0], frame].concat()
}

/// An ARP question or answer in its frame.
pub(crate) fn arp(operation: u8, sender_mac: [u8; 6], sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let mut message = vec![0, 1, 8, 0, 6, 4, 0, operation];
    message.extend(sender_mac);
    message.extend(sender);
    message.extend([0; 6]);
    message.extend(target);
    ethernet(sender_mac, [0xff; 6], 0x0806, &message)
}

/// A neighbour solicitation in its frame, with its source link-layer option if the asker has a name.
pub(crate) fn solicitation(mac: [u8; 6], source: [u8; 16], target: [u8; 16]) -> Vec<u8> {
    let mut message = vec![135, 0, 0, 0, 0, 0, 0, 0];
    message.extend(target);
    if source != [0; 16] {
        message.extend([1, 1]);
        message.extend(mac);
    }
    let group = [
        0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, target[13], target[14], target[15],
    ];
    let group_mac = [0x33, 0x33, 0xff, target[13], target[14], target[15]];
    ethernet(mac, group_mac, 0x86dd, &ipv6(source, group, 58, &message))
}

/// The Internet checksum over `bytes` (RFC 1071).
pub(crate) fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
