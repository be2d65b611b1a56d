//! VXLAN that somebody on the underlay sends as it is, with any outer source: what no encrypted network takes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use anyhow::{Context as _, Result};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use crate::Namespace;

const UDP: u8 = 17;

/// Where the second part of a packet in parts begins, in units of eight bytes; behind the headers that tell its
/// network.
const SECOND_PART: usize = 5;

/// What the outer packet looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One packet.
    Whole,
    /// One packet with IP options, which only the kernel's own path takes.
    Options,
    /// Two parts.
    Parts,
}

/// A datagram in a network, from one host of the underlay to another, both on IPv4.
#[derive(Clone, Copy, Debug)]
pub struct Cleartext {
    /// Outer source and destination.
    pub hosts: (Ipv4Addr, Ipv4Addr),
    /// The network.
    pub vni: u32,
    /// Inner source and destination, of one family.
    pub inner: (IpAddr, IpAddr),
    /// Inner destination port.
    pub port: u16,
}

impl Cleartext {
    /// Sends it `count` times from inside `namespace`.
    pub fn send(&self, namespace: &Namespace, form: Form, count: u32) -> Result<()> {
        let raw = namespace
            .run(|| {
                socket(
                    AddressFamily::Inet,
                    SockType::Raw,
                    SockFlag::SOCK_CLOEXEC,
                    SockProtocol::Raw,
                )
            })?
            .context("opening a raw socket")?;
        // Only its send_to is used, which is the same for every kind of IP socket; raw ones take no port.
        let socket = UdpSocket::from(raw);
        let to = SocketAddr::new(self.hosts.1.into(), 0);
        let mut packets = self.packets(form);
        for number in 0..count {
            for packet in &mut packets {
                // What tells the parts of one packet from those of another; 0 would be replaced.
                let identification = (number % 0xffff + 1) as u16;
                packet[4..6].copy_from_slice(&identification.to_be_bytes());
                let sent = socket.send_to(packet, to);
                sent.with_context(|| format!("sending VXLAN as {}", self.hosts.0))?;
            }
        }
        Ok(())
    }

    /// The outer packets; the kernel fills in their length and checksum.
    fn packets(&self, form: Form) -> Vec<Vec<u8>> {
        let frame = self.frame();
        let mut udp = vec![0x9c, 0x40];
        udp.extend(4789_u16.to_be_bytes());
        udp.extend((16 + frame.len() as u16).to_be_bytes());
        udp.extend([0, 0, 8, 0, 0, 0]);
        udp.extend((self.vni << 8).to_be_bytes());
        udp.extend(frame);
        match form {
            Form::Whole => vec![self.outer(0x45, 0, &udp)],
            Form::Options => vec![self.outer(0x46, 0, &[&[1, 1, 1, 0], &udp[..]].concat())],
            Form::Parts => {
                let (first, second) = udp.split_at(SECOND_PART * 8);
                vec![
                    self.outer(0x45, 0x2000, first),
                    self.outer(0x45, SECOND_PART as u16, second),
                ]
            }
        }
    }

    fn outer(&self, version_and_length: u8, flags_offset: u16, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![version_and_length, 0, 0, 0, 0, 0];
        packet.extend(flags_offset.to_be_bytes());
        packet.extend([64, UDP, 0, 0]);
        packet.extend(self.hosts.0.octets());
        packet.extend(self.hosts.1.octets());
        packet.extend(payload);
        packet
    }

    /// The inner frame: its receiver's Ethernet address does not matter.
    fn frame(&self) -> Vec<u8> {
        let mut udp = vec![0x9c, 0x41];
        udp.extend(self.port.to_be_bytes());
        udp.extend([0, 16, 0, 0]);
        udp.extend(*b"forgery!");
        let (kind, ip) = match self.inner {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let mut ip = vec![0x45, 0, 0, 36, 0, 1, 0, 0, 64, UDP, 0, 0];
                ip.extend(source.octets());
                ip.extend(destination.octets());
                let sum = checksum(&ip);
                ip[10..12].copy_from_slice(&sum.to_be_bytes());
                ([8, 0], ip)
            }
            (source, destination) => {
                let v6 = |address| match address {
                    IpAddr::V6(address) => address.octets(),
                    IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                };
                let addresses = [v6(source), v6(destination)].concat();
                let pseudo = [&addresses[..], &[0, UDP, 0, 16], &udp].concat();
                let sum = checksum(&pseudo);
                udp[6..8].copy_from_slice(&sum.to_be_bytes());
                let header = [0x60, 0, 0, 0, 0, 16, UDP, 64];
                ([0x86, 0xdd], [&header[..], &addresses].concat())
            }
        };
        let ethernet = [[2, 0x42, 0, 0, 0, 9], [2, 0x42, 0, 0, 0, 8]].concat();
        [&ethernet[..], &kind, &ip, &udp].concat()
    }
}

/// The one's complement sum (RFC 1071) over an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks_exact(2);
    let mut sum: u32 = words
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
