//! A client and a server, and what both see of each other.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use overlay_tests::{Namespace, Pair};

use super::tables::Tables;

/// Virtual addresses in blue that no block has.
pub(super) const VIP: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 100);
pub(super) const VIP_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0xff, 0x100);

const PATIENCE: Duration = Duration::from_secs(4);

/// Two hosts, and on `a` a service whose only task is `two`.
pub(super) fn pair() -> Pair {
    let pair = Pair::with(|config| config.socket_lb(true)).expect("a pair");
    serve(&pair);
    pair
}

pub(super) fn serve(pair: &Pair) {
    let tables = Tables::of(&pair.a);
    for (number, vip, task) in [
        (1, VIP.into(), pair.two.v4().into()),
        (2, VIP_V6.into(), pair.two.v6().into()),
    ] {
        tables.serve(number, vip, task).expect("a service");
    }
}

/// An IPv4 address as IPv6 sockets spell it.
pub(super) fn mapped(address: Ipv4Addr) -> IpAddr {
    address.to_ipv6_mapped().into()
}

/// Who talks to whom.
pub(super) struct Talk<'a> {
    pub(super) client: &'a Namespace,
    pub(super) server: &'a Namespace,
    pub(super) client_v4: Ipv4Addr,
    pub(super) client_v6: Ipv6Addr,
}

impl<'a> Talk<'a> {
    pub(super) fn of(pair: &'a Pair) -> Self {
        Self {
            client: pair.one.namespace(),
            server: pair.two.namespace(),
            client_v4: pair.one.v4(),
            client_v6: pair.one.v6(),
        }
    }

    /// A request and its answer; the server must see the client's own address, the client the service's.
    pub(super) fn tcp(&self, service: IpAddr, task: IpAddr) -> Result<()> {
        let (mut client, mut server) = self.connect(service, task)?;
        client.write_all(b"who are you?")?;
        server.read_exact(&mut [0; 12]).context("the request")?;
        server.write_all(b"a task")?;
        client.read_exact(&mut [0; 6]).context("the answer")?;
        Ok(())
    }

    /// The same in datagrams, twice, with a client's socket that is connected or not.
    pub(super) fn udp(&self, service: IpAddr, task: IpAddr, is_connected: bool) -> Result<()> {
        let server = self.server.run(|| UdpSocket::bind((task, 0)))??;
        server.set_read_timeout(Some(PATIENCE))?;
        let service = SocketAddr::new(service, server.local_addr()?.port());
        let any: IpAddr = match service {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let client = self.client.run(|| UdpSocket::bind((any, 0)))??;
        client.set_read_timeout(Some(PATIENCE))?;
        if is_connected {
            client.connect(service)?;
            ensure!(client.peer_addr()? == service, "{:?}", client.peer_addr());
        }
        let mut buffer = [0; 16];
        for _twice in 0..2 {
            if is_connected {
                client.send(b"ping")?;
            } else {
                client.send_to(b"ping", service)?;
            }
            let (_, from) = server.recv_from(&mut buffer).context("the request")?;
            self.is_client(from)?;
            server.send_to(b"pong", from)?;
            let (_, from) = client.recv_from(&mut buffer).context("the answer")?;
            ensure!(from == service, "the answer came from {from}");
        }
        Ok(())
    }

    fn connect(&self, service: IpAddr, task: IpAddr) -> Result<(TcpStream, TcpStream)> {
        let listener = self.server.run(|| TcpListener::bind((task, 0)))??;
        let service = SocketAddr::new(service, listener.local_addr()?.port());
        let client = self
            .client
            .run(|| TcpStream::connect_timeout(&service, PATIENCE))?
            .with_context(|| format!("connecting to {service}"))?;
        let (server, from) = listener.accept()?;
        self.is_client(from)?;
        let peer = client.peer_addr()?;
        ensure!(peer == service, "the client believes in {peer}");
        for stream in [&client, &server] {
            stream.set_read_timeout(Some(PATIENCE))?;
        }
        Ok((client, server))
    }

    fn is_client(&self, seen: SocketAddr) -> Result<()> {
        let own: [IpAddr; 2] = [self.client_v4.into(), self.client_v6.into()];
        ensure!(own.contains(&seen.ip()), "the server saw {seen}");
        Ok(())
    }
}

/// A connection to a service, client first.
pub(super) fn connected(by: &Talk<'_>, service: IpAddr, task: IpAddr) -> (TcpStream, TcpStream) {
    by.connect(service, task).expect("a connection")
}

/// Asks at `names` over UDP and TCP, and answers at `server`, both in one namespace.
pub(super) fn ask_names(namespace: &Namespace, names: Ipv4Addr, server: &str) -> Result<()> {
    let asked = SocketAddr::from((names, 53));
    let (datagrams, listener) = namespace.run(|| {
        Ok::<_, std::io::Error>((UdpSocket::bind(server)?, TcpListener::bind(server)?))
    })??;
    thread::scope(|scope| {
        let answering = scope.spawn(move || -> Result<()> {
            datagrams.set_read_timeout(Some(PATIENCE))?;
            let mut buffer = [0; 16];
            let (_, from) = datagrams.recv_from(&mut buffer)?;
            datagrams.send_to(b"here", from)?;
            Ok(())
        });
        let client = namespace.run(|| UdpSocket::bind("0.0.0.0:0"))??;
        client.set_read_timeout(Some(PATIENCE))?;
        client.send_to(b"where?", asked)?;
        let (_, from) = client.recv_from(&mut [0; 16]).context("the answer")?;
        ensure!(from == asked, "the answer came from {from}");
        let answered = answering.join();
        answered.map_err(|_panic| anyhow::anyhow!("BUG: a server panicked"))?
    })?;
    let client = namespace.run(|| TcpStream::connect_timeout(&asked, PATIENCE))??;
    listener.accept()?;
    ensure!(client.peer_addr()? == asked, "{:?}", client.peer_addr());
    Ok(())
}
