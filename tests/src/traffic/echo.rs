//! Echo requests and replies (ICMP and `ICMPv6`) through raw sockets.

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    process,
    time::Duration,
};

use anyhow::{Context, Result};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use crate::Namespace;

/// Of the two protocols, type of request and of reply.
const V4: (u8, u8) = (8, 0);
const V6: (u8, u8) = (128, 129);

/// Type, code, checksum, identifier, sequence number, and our own number in the payload.
const LENGTH: usize = 16;

/// A raw socket that sees every reply that reaches its namespace; an identifier tells its own from others'.
#[derive(Debug)]
pub(super) struct Echo {
    socket: UdpSocket,
    identifier: [u8; 2],
    is_v6: bool,
}

impl Echo {
    /// Opens a socket inside `namespace` for the family of `to`. `patience` limits each receive.
    pub(super) fn open(namespace: &Namespace, to: IpAddr, patience: Duration) -> Result<Self> {
        let (family, protocol) = match to {
            IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp),
            IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6),
        };
        let raw = namespace
            .run(|| socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol))?
            .context("opening a raw ICMP socket")?;
        // Only its send_to and recv_from are used, which are the same for every kind of IP socket.
        let socket = UdpSocket::from(raw);
        socket
            .set_read_timeout(Some(patience))
            .context("setting a time limit")?;
        // Requests of several sockets may be under way; the descriptor is unique while this one is open.
        let unique = process::id()
            .wrapping_mul(64)
            .wrapping_add(std::os::fd::AsRawFd::as_raw_fd(&socket).unsigned_abs());
        let [.., high, low] = unique.to_be_bytes();
        Ok(Self {
            socket,
            identifier: [high, low],
            is_v6: to.is_ipv6(),
        })
    }

    /// A second handle of the same socket, for another thread.
    pub(super) fn share(&self) -> Result<Self> {
        let socket = self.socket.try_clone().context("sharing a socket")?;
        Ok(Self { socket, ..*self })
    }

    /// Sends the request `number`.
    pub(super) fn ask(&self, to: IpAddr, number: u32) -> io::Result<()> {
        self.socket
            .send_to(&self.request(number), SocketAddr::new(to, 0))
            .map(drop)
    }

    /// Waits for a reply to one of our requests and returns who sent it and the request's number; nothing when
    /// patience ran out or something else arrived.
    pub(super) fn answer(&self) -> io::Result<Option<(IpAddr, u32)>> {
        let mut packet = [0; 256];
        match self.socket.recv_from(&mut packet) {
            Ok((length, from)) => Ok(self
                .number(&packet[..length])
                .map(|number| (from.ip(), number))),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn request(&self, number: u32) -> [u8; LENGTH] {
        let mut message = [0; LENGTH];
        message[0] = if self.is_v6 { V6.0 } else { V4.0 };
        message[4..6].copy_from_slice(&self.identifier);
        message[6..8].copy_from_slice(&(number as u16).to_be_bytes());
        message[8..12].copy_from_slice(&number.to_be_bytes());
        // ICMPv6 is summed by the kernel, over a pseudo header that this socket does not know.
        if !self.is_v6 {
            let sum = checksum(&message);
            message[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        message
    }

    fn number(&self, packet: &[u8]) -> Option<u32> {
        // Only IPv4's raw sockets deliver the IP header.
        let (header, reply) = if self.is_v6 {
            (0, V6.1)
        } else {
            (usize::from(packet.first()? & 0x0f) * 4, V4.1)
        };
        let message: &[u8; LENGTH] = packet.get(header..)?.first_chunk()?;
        let ours = message[0] == reply && message[4..6] == self.identifier;
        let number = *message[8..].first_chunk()?;
        ours.then_some(u32::from_be_bytes(number))
    }
}

/// RFC 1071, for a message of even length.
fn checksum(message: &[u8]) -> u16 {
    let sum: u32 = message
        .chunks_exact(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !(((folded & 0xffff) + (folded >> 16)) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo() -> Echo {
        Echo {
            socket: UdpSocket::bind("127.0.0.1:0").expect("a socket"),
            identifier: [0xfe, 0x01],
            is_v6: false,
        }
    }

    #[test]
    fn a_request_sums_to_zero() {
        assert_eq!(checksum(&echo().request(0x0102_fffe)), 0);
    }

    #[test]
    fn only_replies_to_our_own_requests_count() {
        let echo = echo();
        let mut reply = [&[0x45; 20][..], &echo.request(7)].concat();
        assert_eq!(echo.number(&reply), None);

        reply[20] = V4.1;
        assert_eq!(echo.number(&reply), Some(7));

        reply[25] ^= 1;
        assert_eq!(echo.number(&reply), None);
    }
}
