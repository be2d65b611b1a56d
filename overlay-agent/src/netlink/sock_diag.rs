//! Sockets of a namespace, whoever has them: listing those that talk to somebody, and ending them
//! (`include/uapi/linux/sock_diag.h`, `inet_diag.h`).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use netlink_packet_core::{DecodeError, NetlinkPayload, NetlinkSerializable, parse_u16_be};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use nix::libc;

use super::{Error, Namespace, Socket, error::Failure};

/// `SOCK_DIAG_BY_FAMILY` and `SOCK_DESTROY`.
const LIST: u16 = 20;
const DESTROY: u16 = 21;

/// `AF_INET` and `AF_INET6`.
const INET: u8 = 2;
const INET6: u8 = 10;

/// Length of `struct inet_diag_req_v2`, and of `struct inet_diag_sockid` at its end.
const REQUEST_LENGTH: usize = 56;
const ID_LENGTH: usize = 48;
/// Where that has the cookie.
const COOKIE_AT: usize = 40;

/// What is listed, as errors call it.
const LISTED: &str = "the sockets of a namespace";

/// Where `struct inet_diag_msg` has the socket's identity.
const ID_AT: usize = 4;

/// Every state of TCP with a peer that may still be waited for; a connected UDP socket is established.
/// `SYN_RECV` is none: such a request is no socket of a process yet.
const STATES: u32 = 1 << ESTABLISHED
    | 1 << SYN_SENT
    | 1 << FIN_WAIT1
    | 1 << FIN_WAIT2
    | 1 << CLOSE_WAIT
    | 1 << LAST_ACK
    | 1 << CLOSING;
const ESTABLISHED: u32 = 1;
const SYN_SENT: u32 = 2;
const FIN_WAIT1: u32 = 4;
const FIN_WAIT2: u32 = 5;
const CLOSE_WAIT: u32 = 8;
const LAST_ACK: u32 = 9;
const CLOSING: u32 = 11;

/// A protocol whose sockets can be ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Transport {
    /// Connections.
    Tcp,
    /// Connected sockets only: the others talk to nobody in particular.
    Udp,
}

/// Two ends, as a socket of the namespace sees them. IPv4 is never spelt as IPv6.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct Conversation {
    /// The protocol.
    pub transport: Transport,
    /// What tells the socket from all others of the kernel.
    pub cookie: u64,
    /// The socket's own address and port.
    pub local: SocketAddr,
    /// Those of whom it talks to.
    pub peer: SocketAddr,
}

/// Looks at the sockets of one namespace.
#[derive(Debug)]
pub struct SocketDiagnosis {
    socket: Socket,
}

/// A socket, as the kernel finds it again.
struct Found {
    conversation: Conversation,
    family: u8,
    id: [u8; ID_LENGTH],
}

impl SocketDiagnosis {
    /// Looks at the calling thread's network namespace.
    pub fn open() -> Result<Self, Error> {
        let socket = Socket::open_for(NETLINK_SOCK_DIAG);
        let socket = socket.map_err(|failure| failure.during("open", "a socket for diagnosis"))?;
        Ok(Self { socket })
    }

    /// Looks at another network namespace.
    pub fn open_in(namespace: &Namespace) -> Result<Self, Error> {
        namespace.run(Self::open)?
    }

    /// Ends every socket whose conversation is of interest: its owner gets `ECONNABORTED`, the other end of a
    /// connection a reset. Returns how many were ended.
    ///
    /// Fails with an error that [`is_unsupported`](Error::is_unsupported) where the kernel was built without
    /// `CONFIG_INET_DIAG_DESTROY`.
    pub fn end(&mut self, is_wanted: impl Fn(&Conversation) -> bool) -> Result<usize, Error> {
        let mut count = 0;
        for transport in [Transport::Tcp, Transport::Udp] {
            for family in [INET, INET6] {
                let found = self
                    .list(transport, family)
                    .map_err(|failure| failure.during("list", LISTED))?;
                for found in found.iter().filter(|found| is_wanted(&found.conversation)) {
                    count += usize::from(self.destroy(found)?);
                }
            }
        }
        Ok(count)
    }

    /// Whether the kernel can end sockets, found out by asking for one that nobody has.
    pub fn can_end(&mut self) -> Result<bool, Error> {
        match self.ask(Transport::Tcp, INET) {
            Err(failure) if is_missing(&failure) => return Ok(false),
            Err(failure) => return Err(failure.during("list", LISTED)),
            Ok(_) => {}
        }
        let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
        let found = Found {
            conversation: Conversation {
                transport: Transport::Tcp,
                cookie: 0,
                local: nobody,
                peer: nobody,
            },
            family: INET,
            id: [0; ID_LENGTH],
        };
        match self.destroy(&found) {
            Ok(_) => Ok(true),
            Err(error) if error.is_unsupported() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Where the kernel cannot list the sockets of a family or protocol, there are none to end.
    fn list(&mut self, transport: Transport, family: u8) -> Result<Vec<Found>, Failure> {
        match self.ask(transport, family) {
            Err(failure) if is_missing(&failure) => Ok(Vec::new()),
            listed => listed,
        }
    }

    fn ask(&mut self, transport: Transport, family: u8) -> Result<Vec<Found>, Failure> {
        let message = Message {
            kind: LIST,
            transport,
            family,
            id: [0; ID_LENGTH],
        };
        let decode = |payload: &[u8]| decode(transport, payload);
        self.socket.dump(&message, decode)
    }

    /// Ends one socket; false if it had ended already.
    fn destroy(&mut self, found: &Found) -> Result<bool, Error> {
        let message = Message {
            kind: DESTROY,
            transport: found.conversation.transport,
            family: found.family,
            id: found.id,
        };
        let destroyed = self.socket.change(message, 0);
        let destroyed = destroyed.map_err(|failure| failure.during("end", "a socket"));
        match destroyed {
            // The second: another socket has its ends by now.
            Err(error) if error.is_not_found() || error.errno() == Some(libc::ESTALE) => Ok(false),
            destroyed => destroyed.map(|()| true),
        }
    }
}

/// Whether the kernel has nobody who could answer.
fn is_missing(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused { source, .. } if source.raw_os_error() == Some(libc::ENOENT))
}

/// `struct inet_diag_req_v2`.
#[derive(Clone)]
struct Message {
    kind: u16,
    transport: Transport,
    family: u8,
    id: [u8; ID_LENGTH],
}

impl NetlinkSerializable for Message {
    fn message_type(&self) -> u16 {
        self.kind
    }

    fn buffer_len(&self) -> usize {
        REQUEST_LENGTH
    }

    fn serialize(&self, buffer: &mut [u8]) {
        let (head, id) = buffer.split_at_mut(REQUEST_LENGTH - ID_LENGTH);
        let [states_a, states_b, states_c, states_d] = STATES.to_ne_bytes();
        head.copy_from_slice(&[
            self.family,
            self.transport.number(),
            0,
            0,
            states_a,
            states_b,
            states_c,
            states_d,
        ]);
        id.copy_from_slice(&self.id);
    }
}

impl From<Message> for NetlinkPayload<Message> {
    fn from(message: Message) -> Self {
        Self::InnerMessage(message)
    }
}

impl Transport {
    /// IANA's protocol number.
    fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

/// Reads a `struct inet_diag_msg`: family, state, timer and retransmissions, a byte each, then the identity:
/// ports, addresses in four words each, interface and cookie.
fn decode(transport: Transport, payload: &[u8]) -> Result<Option<Found>, DecodeError> {
    let family = *payload.first().ok_or("a socket has no family")?;
    let id = payload
        .get(ID_AT..ID_AT + ID_LENGTH)
        .and_then(|id| <[u8; ID_LENGTH]>::try_from(id).ok())
        .ok_or("a socket has no identity")?;
    let end = |port: usize, address: usize| -> Result<SocketAddr, DecodeError> {
        let port = parse_u16_be(&id[port..port + 2])?;
        let bytes = &id[address..address + 16];
        let address = if family == INET {
            <[u8; 4]>::try_from(&bytes[..4]).map(IpAddr::from)
        } else {
            <[u8; 16]>::try_from(bytes).map(|bytes| Ipv6Addr::from(bytes).to_canonical())
        };
        let address = address.map_err(|_never| DecodeError::from("an address has no bytes"))?;
        Ok(SocketAddr::new(address, port))
    };
    let conversation = Conversation {
        transport,
        cookie: cookie(&id),
        local: end(0, 4)?,
        peer: end(2, 20)?,
    };
    Ok(Some(Found {
        conversation,
        family,
        id,
    }))
}

/// At the end of a `struct inet_diag_sockid`: two words, the lower one first.
fn cookie(id: &[u8; ID_LENGTH]) -> u64 {
    let (words, _) = id[COOKIE_AT..].as_chunks();
    let high_first = words.iter().rev();
    high_first.fold(0, |cookie, word| {
        cookie << 32 | u64::from(u32::from_ne_bytes(*word))
    })
}

#[cfg(test)]
mod tests {
    use std::{
        io::{ErrorKind, Read as _},
        net::{TcpListener, TcpStream, UdpSocket},
        time::{Duration, Instant},
    };

    use super::*;
    use crate::netlink::testing::namespace;

    fn up() -> Namespace {
        let (namespace, mut socket) = namespace();
        let loopback = socket.link_by_name("lo").unwrap();
        socket.set_up(loopback.ifindex).unwrap();
        namespace
    }

    /// A connection inside, client first; an IPv6 client may speak to an IPv4-mapped address.
    fn connection(namespace: &Namespace, listen: &str, connect: &str) -> (TcpStream, TcpStream) {
        namespace
            .run(|| {
                let listener = TcpListener::bind(listen).unwrap();
                let port = listener.local_addr().unwrap().port();
                let address: IpAddr = connect.parse().unwrap();
                let client = TcpStream::connect((address, port)).unwrap();
                (client, listener.accept().unwrap().0)
            })
            .unwrap()
    }

    #[test]
    fn a_connection_that_hangs_is_ended_at_once_and_others_are_not() {
        let namespace = up();
        let (hanging, server) = connection(&namespace, "127.0.0.1:0", "127.0.0.1");
        let (mapped, mapped_server) = connection(&namespace, "[::]:0", "::ffff:127.0.0.1");
        let (other, other_server) = connection(&namespace, "[::1]:0", "::1");
        let peers = [&server, &mapped_server].map(|server| server.local_addr().unwrap().port());
        let mut diagnosis = SocketDiagnosis::open_in(&namespace).unwrap();
        let started = Instant::now();

        let is_wanted = |it: &Conversation| {
            it.peer.ip() == IpAddr::from([127, 0, 0, 1]) && peers.contains(&it.peer.port())
        };
        let ended = diagnosis.end(is_wanted).unwrap();

        assert_eq!(ended, 2);
        for mut client in [hanging, mapped] {
            let error = client.read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
        }
        assert!(started.elapsed() < Duration::from_secs(1));
        other.set_nonblocking(true).unwrap();
        let error = (&other).read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        drop((server, mapped_server, other_server));
    }

    #[test]
    fn a_connected_udp_socket_is_ended_and_an_unconnected_one_is_not() {
        let namespace = up();
        let (connected, free) = namespace
            .run(|| {
                let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
                connected.connect("127.0.0.1:9").unwrap();
                (connected, UdpSocket::bind("127.0.0.1:0").unwrap())
            })
            .unwrap();
        let mut diagnosis = SocketDiagnosis::open_in(&namespace).unwrap();

        let ended = diagnosis.end(|it| it.transport == Transport::Udp).unwrap();

        assert_eq!(ended, 1);
        let error = connected.recv(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
        free.set_nonblocking(true).unwrap();
        let error = free.recv(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn this_kernel_can_end_sockets_or_says_that_it_cannot() {
        let namespace = up();
        let mut diagnosis = SocketDiagnosis::open_in(&namespace).unwrap();

        let can_end = diagnosis.can_end().unwrap();

        let (client, server) = connection(&namespace, "127.0.0.1:0", "127.0.0.1");
        let ended = diagnosis.end(|_| true);
        assert_eq!(ended.is_ok(), can_end, "{ended:?}");
        drop((client, server));
    }
}
