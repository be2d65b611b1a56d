//! Ports that the data plane answers, kept from every other process by sockets that are bound and do
//! nothing. They go with the agent, and the next one binds them again.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd as _, OwnedFd},
};

use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, setsockopt, socket,
        sockopt,
    },
};

use super::port::{PortHolder, socket_holder};
use crate::model::{PortKey, Protocol};

/// Why a port cannot be answered here.
#[derive(Debug, thiserror::Error)]
pub enum ReserveError {
    /// Somebody has it.
    #[error("{key} is taken by {holder}")]
    Taken {
        /// The port.
        key: PortKey,
        /// Who has it.
        holder: PortHolder,
    },
    /// The host does not have the address.
    #[error("{} is no address of this host", .key.address)]
    NoAddress {
        /// The port.
        key: PortKey,
    },
    /// The system refused for another reason.
    #[error("the system does not give {key} away")]
    Refused {
        /// The port.
        key: PortKey,
        /// What it says.
        source: Errno,
    },
}

/// The ports that are held. A protocol or family that the kernel does not have takes no socket: nobody
/// else can use it either.
#[derive(Debug, Default)]
pub(super) struct Reserved {
    sockets: BTreeMap<PortKey, Option<OwnedFd>>,
}

impl Reserved {
    /// Keeps a port; that it is kept already is no error.
    pub(super) fn hold(&mut self, key: &PortKey) -> Result<(), ReserveError> {
        if !self.sockets.contains_key(key) {
            self.sockets.insert(*key, reserve(key)?);
        }
        Ok(())
    }

    /// Gives a port back.
    pub(super) fn release(&mut self, key: &PortKey) {
        self.sockets.remove(key);
    }
}

fn reserve(key: &PortKey) -> Result<Option<OwnedFd>, ReserveError> {
    let key = *key;
    let refused = |source| {
        if source == Errno::EADDRNOTAVAIL {
            ReserveError::NoAddress { key }
        } else {
            ReserveError::Refused { key, source }
        }
    };
    let bound = match open(&key) {
        Ok(socket) => try_bind(&socket, &key).map(|()| socket),
        Err(Errno::EPROTONOSUPPORT | Errno::ESOCKTNOSUPPORT | Errno::EAFNOSUPPORT) => {
            return Ok(None);
        }
        Err(error) => return Err(refused(error)),
    };
    match bound {
        Ok(socket) => Ok(Some(socket)),
        Err(Errno::EADDRINUSE) => match socket_holder(key.protocol, key.port) {
            Some(holder) => Err(ReserveError::Taken { key, holder }),
            // Only what is left of ended connections.
            None => bind_over_remains(&key).map(Some).map_err(refused),
        },
        // The family is switched off, so that nobody has an address of it.
        Err(Errno::EADDRNOTAVAIL) if key.address.is_unspecified() => Ok(None),
        Err(error) => Err(refused(error)),
    }
}

fn open(key: &PortKey) -> nix::Result<OwnedFd> {
    let family = match key.address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    let (kind, protocol) = match key.protocol {
        Protocol::Tcp => (SockType::Stream, SockProtocol::Tcp),
        Protocol::Udp => (SockType::Datagram, SockProtocol::Udp),
        Protocol::Sctp => (SockType::Stream, SockProtocol::Sctp),
    };
    socket(family, kind, SockFlag::SOCK_CLOEXEC, protocol)
}

fn try_bind(socket: &OwnedFd, key: &PortKey) -> nix::Result<()> {
    if key.address.is_ipv6() {
        setsockopt(socket, sockopt::Ipv6V6Only, &true)?;
    }
    if key.protocol == Protocol::Udp {
        // Nobody reads it; without room the kernel keeps nothing for it.
        setsockopt(socket, sockopt::RcvBuf, &0)?;
    }
    let address = SockaddrStorage::from(SocketAddr::new(key.address, key.port));
    bind(socket.as_raw_fd(), &address)
}

/// Once it is bound the socket must not share the port with others that say the same.
fn bind_over_remains(key: &PortKey) -> nix::Result<OwnedFd> {
    let socket = open(key)?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    try_bind(&socket, key)?;
    setsockopt(&socket, sockopt::ReuseAddr, &false)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;
    use crate::netlink::{Namespace, Socket};

    fn key(address: &str, protocol: Protocol, port: u16) -> PortKey {
        PortKey {
            address: address.parse().unwrap(),
            protocol,
            port,
        }
    }

    /// Runs in a network namespace of its own, whose ports nobody else uses.
    fn alone(test: impl FnOnce() + Send) {
        let namespace = Namespace::create().expect("making a network namespace takes root");
        let mut socket = Socket::open_in(&namespace).unwrap();
        let loopback = socket.link_by_name("lo").unwrap();
        socket.set_up(loopback.ifindex).unwrap();
        namespace.run(test).unwrap();
    }

    #[test]
    fn nobody_else_can_use_a_port_that_is_held() {
        alone(|| {
            let mut reserved = Reserved::default();
            for protocol in [Protocol::Tcp, Protocol::Udp] {
                for address in ["0.0.0.0", "::"] {
                    reserved.hold(&key(address, protocol, 8080)).unwrap();
                    reserved.hold(&key(address, protocol, 8080)).unwrap();
                }
            }

            for address in ["127.0.0.1:8080", "[::1]:8080"] {
                // std's listener says SO_REUSEADDR, as servers do.
                let tcp = TcpListener::bind(address).unwrap_err();
                let udp = UdpSocket::bind(address).unwrap_err();
                assert_eq!(tcp.kind(), std::io::ErrorKind::AddrInUse, "{address}");
                assert_eq!(udp.kind(), std::io::ErrorKind::AddrInUse, "{address}");
            }

            reserved.release(&key("0.0.0.0", Protocol::Tcp, 8080));
            TcpListener::bind("127.0.0.1:8080").unwrap();
        });
    }

    #[test]
    fn whoever_has_a_port_is_named() {
        alone(|| {
            let _listener = TcpListener::bind("[::1]:8080").unwrap();
            let mut reserved = Reserved::default();
            let own = std::fs::read_to_string("/proc/self/comm").unwrap();

            let error = reserved.hold(&key("::", Protocol::Tcp, 8080)).unwrap_err();

            let holder = format!("process {} ({})", std::process::id(), own.trim());
            let expected = format!("port 8080/tcp at :: is taken by {holder}");
            assert_eq!(error.to_string(), expected);
            reserved.hold(&key("0.0.0.0", Protocol::Tcp, 8080)).unwrap();
            reserved.hold(&key("::", Protocol::Udp, 8080)).unwrap();
        });
    }

    #[test]
    fn an_address_that_the_host_does_not_have_is_refused() {
        alone(|| {
            let mut reserved = Reserved::default();

            let error = reserved.hold(&key("192.0.2.9", Protocol::Tcp, 80));

            let error = error.unwrap_err().to_string();
            assert_eq!(error, "192.0.2.9 is no address of this host");
        });
    }

    #[test]
    fn ended_connections_do_not_keep_a_port() {
        alone(|| {
            let listener = TcpListener::bind("127.0.0.1:8080").unwrap();
            let client = TcpStream::connect("127.0.0.1:8080").unwrap();
            // The side that ends it first remembers it.
            drop(listener.accept().unwrap());
            drop((client, listener));
            let mut reserved = Reserved::default();

            reserved.hold(&key("0.0.0.0", Protocol::Tcp, 8080)).unwrap();

            assert!(TcpListener::bind("127.0.0.1:8080").is_err());
        });
    }
}
