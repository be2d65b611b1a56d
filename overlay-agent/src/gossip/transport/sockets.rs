//! One port, for datagrams and for streams.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tracing::debug;

/// With port 0, how often to look for one that is free for both.
const ATTEMPTS: usize = 16;

/// The gossip's port of this node.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(super) datagrams: UdpSocket,
    pub(super) streams: TcpListener,
}

/// The port could not be had.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen for gossip on {address}, tcp and udp; Docker uses port 7946, `--gossip-port` chooses another"
)]
pub struct ListenError {
    /// What was asked for.
    pub address: SocketAddr,
    /// Why not.
    pub source: io::Error,
}

impl Sockets {
    /// Listens on an address, with UDP and TCP. Port 0 is any that is free for both.
    pub(crate) async fn bind(
        address: SocketAddr,
        receive_buffer: usize,
    ) -> Result<Self, ListenError> {
        let mut attempts = if address.port() == 0 { ATTEMPTS } else { 1 };
        loop {
            attempts -= 1;
            match try_bind(address).await {
                Ok(sockets) => {
                    sockets.enlarge(receive_buffer);
                    return Ok(sockets);
                }
                Err(error) if attempts > 0 && error.kind() == io::ErrorKind::AddrInUse => {}
                Err(source) => return Err(ListenError { address, source }),
            }
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.datagrams.local_addr()
    }

    /// A burst of members' datagrams, or of garbage, must not push members' datagrams out.
    fn enlarge(&self, receive_buffer: usize) {
        let forced = setsockopt(&self.datagrams, sockopt::RcvBufForce, &receive_buffer);
        if forced.is_err()
            && let Err(error) = setsockopt(&self.datagrams, sockopt::RcvBuf, &receive_buffer)
        {
            debug!(%error, "the receive buffer of the gossip stays as it is");
        }
    }
}

async fn try_bind(address: SocketAddr) -> io::Result<Sockets> {
    let streams = TcpListener::bind(address).await?;
    let datagrams = UdpSocket::bind(streams.local_addr()?).await?;
    Ok(Sockets { datagrams, streams })
}

/// Opens a stream from the address that this node listens on.
pub(super) async fn connect(from: SocketAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let to = reachable_from(from, to);
    let socket = if to.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if !from.ip().is_unspecified() && from.is_ipv4() == to.is_ipv4() {
        socket.bind(SocketAddr::new(from.ip(), 0))?;
    }
    socket.connect(to).await
}

/// An IPv4 address as an IPv6 socket writes it.
pub(super) fn reachable_from(from: SocketAddr, to: SocketAddr) -> SocketAddr {
    match (from, to.ip()) {
        (SocketAddr::V6(_), IpAddr::V4(address)) => {
            SocketAddr::new(address.to_ipv6_mapped().into(), to.port())
        }
        _ => to,
    }
}
