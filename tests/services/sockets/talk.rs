//! A task that is talked to, and what both sides see of each other.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use overlay_tests::{Container, Namespace, Swarm, container::Attached, interrupt, service::PORT};

use crate::scene::BLUE;

/// How long an answer may take on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(4);

const NAMES: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11)), 53);

/// Both ends of a connection, and the client's address as the server saw it.
pub(super) type Connection = (TcpStream, TcpStream, IpAddr);

/// How a client sends datagrams.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Connected,
    Free,
}

/// A task whose sockets are the test's.
pub(super) struct Task {
    pub(super) container: Container,
    eth0: Attached,
    listener: TcpListener,
    datagrams: UdpSocket,
}

impl Task {
    pub(super) fn start(swarm: &Swarm, place: usize, service: &str, name: &str) -> Result<Self> {
        let container = Container::new(swarm.session(), name)?;
        let eth0 = container.attach(&swarm[place], BLUE, &["--service", service])?;
        let any = (Ipv6Addr::UNSPECIFIED, PORT);
        let (listener, datagrams) = container
            .namespace()
            .run(|| Ok::<_, std::io::Error>((TcpListener::bind(any)?, UdpSocket::bind(any)?)))??;
        listener.set_nonblocking(true)?;
        datagrams.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            container,
            eth0,
            listener,
            datagrams,
        })
    }

    /// A connection on which a question was answered. The client must believe that it talks to `to`.
    pub(super) fn connect(&self, from: &Namespace, to: SocketAddr) -> Result<Connection> {
        let (mut client, mut server, seen) = self.accept(from, to)?;
        ensure!(client.peer_addr()? == to, "{to}: {:?}", client.peer_addr());
        client.write_all(b"who are you?")?;
        server.read_exact(&mut [0; 12]).context("the question")?;
        server.write_all(b"a task")?;
        client.read_exact(&mut [0; 6]).context("the answer")?;
        Ok((client, server, seen))
    }

    fn accept(&self, from: &Namespace, to: SocketAddr) -> Result<Connection> {
        let client = from
            .run(|| TcpStream::connect_timeout(&to, PATIENCE))?
            .with_context(|| format!("connecting to {to}"))?;
        let mut accepted = None;
        interrupt::wait_until(PATIENCE, || {
            accepted = self.listener.accept().ok();
            accepted.is_some()
        })?;
        let (server, seen) = accepted.with_context(|| format!("{to} is not the task"))?;
        server.set_nonblocking(false)?;
        for stream in [&client, &server] {
            stream.set_read_timeout(Some(PATIENCE))?;
        }
        Ok((client, server, seen.ip().to_canonical()))
    }

    /// A connection to the task's own address.
    pub(super) fn connect_directly(&self, from: &Namespace) -> Result<Connection> {
        self.connect(from, (self.eth0.need_v4()?, PORT).into())
    }

    /// Receives one datagram and answers it; who sent it.
    pub(super) fn answer_datagram(&self, to: SocketAddr) -> Result<IpAddr> {
        let mut question = [0; 16];
        let received = self.datagrams.recv_from(&mut question);
        let (length, from) = received.with_context(|| format!("the question to {to}"))?;
        self.datagrams.send_to(&question[..length], from)?;
        Ok(from.ip().to_canonical())
    }
}

/// Two questions by one socket; the answers must come from `to`. Returns the client as the task saw it.
pub(super) fn exchange_datagrams(
    from: &Namespace,
    task: &Task,
    to: SocketAddr,
    way: Way,
) -> Result<IpAddr> {
    let socket = match way {
        Way::Connected => connected_socket(from, to)?,
        Way::Free => free_socket(from, to)?,
    };
    let mut seen = None;
    for _twice in 0..2 {
        match way {
            Way::Connected => socket.send(b"ping"),
            Way::Free => socket.send_to(b"ping", to),
        }
        .with_context(|| format!("sending to {to}"))?;
        seen = Some(task.answer_datagram(to)?);
        let (_, from) = socket.recv_from(&mut [0; 16]).context("the answer")?;
        ensure!(from == to, "{from} answered instead of {to}");
    }
    seen.context("BUG: nobody asked")
}

/// A socket that is connected, and believes so.
pub(super) fn connected_socket(from: &Namespace, to: SocketAddr) -> Result<UdpSocket> {
    let socket = free_socket(from, to)?;
    socket
        .connect(to)
        .with_context(|| format!("aiming at {to}"))?;
    ensure!(socket.peer_addr()? == to, "{to}: {:?}", socket.peer_addr());
    Ok(socket)
}

/// A socket of the family of `to`.
pub(super) fn free_socket(from: &Namespace, to: SocketAddr) -> Result<UdpSocket> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = from.run(|| UdpSocket::bind((any, 0)))??;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// An IPv4 address as IPv6 sockets spell it.
pub(super) fn mapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().into(),
        IpAddr::V6(_) => address,
    }
}

/// Asks 127.0.0.11 for a name's IPv4 address; the answer, and who gave it.
pub(super) fn ask_name(
    from: &Namespace,
    name: &str,
    is_tcp: bool,
) -> Result<(Vec<u8>, SocketAddr)> {
    // RFC 1035, 4.1: number 7, recursion desired, one question, for an address.
    let mut question = vec![
        0,
        7,
        1,
        0,
        0,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        u8::try_from(name.len())?,
    ];
    question.extend(name.as_bytes());
    question.extend([0, 0, 1, 0, 1]);
    let mut answer = vec![0; 512];
    if !is_tcp {
        let socket = free_socket(from, NAMES)?;
        socket.send_to(&question, NAMES)?;
        let (length, from) = socket.recv_from(&mut answer).context("the answer")?;
        answer.truncate(length);
        return Ok((answer, from));
    }
    let mut stream = from.run(|| TcpStream::connect_timeout(&NAMES, PATIENCE))??;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&u16::try_from(question.len())?.to_be_bytes())?;
    stream.write_all(&question)?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).context("the answer")?;
    answer.truncate(u16::from_be_bytes(length).into());
    stream.read_exact(&mut answer)?;
    Ok((answer, stream.peer_addr()?))
}
