//! Datagrams whose IP header is written by hand, through a raw socket: with any source address.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use anyhow::{Context, Result, bail};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use crate::Namespace;

const UDP: u8 = 17;
const HOPS: u8 = 64;

/// A datagram as its sender wants it to look.
#[derive(Clone, Copy, Debug)]
pub struct Forgery<'a> {
    /// Its source, whoever has that.
    pub source: SocketAddr,
    /// Its destination, of the same family.
    pub destination: SocketAddr,
    /// Its payload.
    pub payload: &'a [u8],
}

impl Forgery<'_> {
    /// Sends it from inside `namespace`.
    pub fn send(&self, namespace: &Namespace) -> Result<()> {
        let packet = self.packet()?;
        let family = if self.destination.is_ipv4() {
            AddressFamily::Inet
        } else {
            AddressFamily::Inet6
        };
        let raw = namespace
            .run(|| {
                socket(
                    family,
                    SockType::Raw,
                    SockFlag::SOCK_CLOEXEC,
                    SockProtocol::Raw,
                )
            })?
            .context("opening a raw socket")?;
        // Only its send_to is used, which is the same for every kind of IP socket; raw ones take no port.
        UdpSocket::from(raw)
            .send_to(&packet, SocketAddr::new(self.destination.ip(), 0))
            .with_context(|| format!("sending a datagram as {}", self.source))?;
        Ok(())
    }

    fn packet(&self) -> Result<Vec<u8>> {
        let length = 8 + u16::try_from(self.payload.len()).context("too long a payload")?;
        let mut udp = Vec::with_capacity(length.into());
        udp.extend(self.source.port().to_be_bytes());
        udp.extend(self.destination.port().to_be_bytes());
        udp.extend(length.to_be_bytes());
        udp.extend([0, 0]);
        udp.extend(self.payload);

        let mut addresses = Vec::new();
        let mut ip = match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                addresses.extend(source.octets());
                addresses.extend(destination.octets());
                // The kernel fills in total length and checksum.
                vec![0x45, 0, 0, 0, 0, 0, 0, 0, HOPS, UDP, 0, 0]
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                addresses.extend(source.octets());
                addresses.extend(destination.octets());
                let [high, low] = length.to_be_bytes();
                vec![0x60, 0, 0, 0, high, low, UDP, HOPS]
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
                bail!("{} and {} differ in family", self.source, self.destination)
            }
        };
        let pseudo = [&addresses, &[0, UDP][..], &length.to_be_bytes()].concat();
        let sum = checksum(&[&pseudo, &udp]);
        udp[6..8].copy_from_slice(&sum.to_be_bytes());
        ip.extend(addresses);
        ip.extend(udp);
        Ok(ip)
    }
}

/// RFC 768: the one's complement sum over parts of which only the last may be of odd length; never zero.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let mut sum: u32 = words
        .map(|word| {
            let low = word.get(1).copied().unwrap_or(0);
            u32::from(u16::from_be_bytes([word[0], low]))
        })
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    match !(sum as u16) {
        0 => 0xffff,
        sum => sum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_sums_to_all_ones() {
        let forgery = Forgery {
            source: "[fd00::1]:7".parse().expect("an address"),
            destination: "[fd00::2]:9".parse().expect("an address"),
            payload: b"odd",
        };

        let packet = forgery.packet().expect("one family");

        let mut pseudo = packet[8..40].to_vec();
        pseudo.extend([0, UDP, 0, 11]);
        assert_eq!(packet.len(), 40 + 8 + 3);
        assert_eq!(checksum(&[&pseudo, &packet[40..]]), 0xffff);
    }

    #[test]
    fn families_do_not_mix() {
        let forgery = Forgery {
            source: "10.0.0.1:7".parse().expect("an address"),
            destination: "[fd00::2]:9".parse().expect("an address"),
            payload: b"",
        };

        assert!(forgery.packet().is_err());
    }
}
