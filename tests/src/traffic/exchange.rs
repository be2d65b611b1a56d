//! Bytes to a server and back, over TCP and UDP, compared at both ends.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use nix::sys::{
    socket::{setsockopt, sockopt::ReceiveTimeout},
    time::TimeVal,
};

use crate::{Namespace, interrupt};

/// How long a step may take: longer than TCP's first two retransmissions.
const PATIENCE: Duration = Duration::from_secs(4);

/// A client and a server that returns what it gets.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// Where the client is.
    pub client: &'a Namespace,
    /// Where the server is.
    pub server: &'a Namespace,
    /// The server's address.
    pub address: IpAddr,
}

impl Exchange<'_> {
    /// Sends messages of `lengths` bytes over one TCP connection, each after the last one has come back.
    pub fn tcp(&self, lengths: &[usize]) -> Result<()> {
        self.tcp_by(self.address, lengths).map(drop)
    }

    /// The same, where the client asks another address than the server's own. Returns which client the server
    /// saw.
    pub fn tcp_by(&self, asked: IpAddr, lengths: &[usize]) -> Result<IpAddr> {
        let what = || format!("{} by {asked} over TCP", self.names());
        let (client, server, seen) = self.connect(asked).with_context(what)?;
        let exchanged = thread::scope(|scope| {
            let serving = scope.spawn(|| serve(server, lengths));
            let asked = ask(client, lengths);
            let outcome = serving
                .join()
                .map_err(|_panic| anyhow!("BUG: a server panicked"))?;
            // What the server missed explains why the client waited.
            outcome.context("the server")?;
            asked.context("the client")
        });
        exchanged.with_context(what)?;
        Ok(seen)
    }

    /// Sends datagrams of `lengths` bytes, each after the last one has come back. A lost one is an error.
    pub fn udp(&self, lengths: &[usize]) -> Result<()> {
        self.udp_by(self.address, lengths)
    }

    /// The same, where the client asks another address than the server's own, and must be answered from there.
    pub fn udp_by(&self, asked: IpAddr, lengths: &[usize]) -> Result<()> {
        self.exchange_datagrams(asked, lengths)
            .with_context(|| format!("{} by {asked} over UDP", self.names()))
    }

    fn connect(&self, asked: IpAddr) -> Result<(TcpStream, TcpStream, IpAddr)> {
        let listener = self
            .server
            .run(|| TcpListener::bind((self.address, 0)))?
            .context("listening")?;
        let own = listener.local_addr().context("asking for the port")?;
        let address = SocketAddr::new(asked, own.port());
        let client = self
            .client
            .run(|| TcpStream::connect_timeout(&address, PATIENCE))?
            .context("connecting")?;
        // The standard library has no time limit for accepting.
        let limit = TimeVal::new(PATIENCE.as_secs().cast_signed(), 0);
        setsockopt(&listener, ReceiveTimeout, &limit).context("setting a time limit")?;
        let (server, seen) = listener.accept().context("accepting")?;
        for stream in [&client, &server] {
            stream.set_nodelay(true).context("setting no delay")?;
            stream
                .set_read_timeout(Some(PATIENCE))
                .context("setting a time limit")?;
            stream
                .set_write_timeout(Some(PATIENCE))
                .context("setting a time limit")?;
        }
        Ok((client, server, seen.ip()))
    }

    fn exchange_datagrams(&self, asked: IpAddr, lengths: &[usize]) -> Result<()> {
        let server = bind(self.server, self.address)?;
        let any: IpAddr = if self.address.is_ipv4() {
            [0; 4].into()
        } else {
            [0; 16].into()
        };
        let client = bind(self.client, any)?;
        let own = server.local_addr().context("asking for the port")?;
        let address = SocketAddr::new(asked, own.port());
        for &length in lengths {
            interrupt::check()?;
            let sent = pattern(length);
            client
                .send_to(&sent, address)
                .with_context(|| format!("sending {length} bytes"))?;
            let from =
                receive(&server, &sent).with_context(|| format!("{length} bytes to the server"))?;
            server
                .send_to(&sent, from)
                .with_context(|| format!("sending {length} bytes back"))?;
            let from =
                receive(&client, &sent).with_context(|| format!("{length} bytes to the client"))?;
            ensure!(from == address, "{from} answered instead of {address}");
        }
        Ok(())
    }

    fn names(&self) -> String {
        let (client, server) = (self.client.name(), self.server.name());
        format!("{client} to {} of {server}", self.address)
    }
}

fn bind(namespace: &Namespace, address: IpAddr) -> Result<UdpSocket> {
    let socket = namespace
        .run(|| UdpSocket::bind((address, 0)))?
        .with_context(|| format!("opening a socket in {}", namespace.name()))?;
    socket
        .set_read_timeout(Some(PATIENCE))
        .context("setting a time limit")?;
    Ok(socket)
}

fn serve(mut stream: TcpStream, lengths: &[usize]) -> Result<()> {
    for &length in lengths {
        let message = read(&mut stream, length)?;
        write(&mut stream, &message)?;
    }
    Ok(())
}

fn ask(mut stream: TcpStream, lengths: &[usize]) -> Result<()> {
    for &length in lengths {
        interrupt::check()?;
        write(&mut stream, &pattern(length))?;
        read(&mut stream, length)?;
    }
    Ok(())
}

fn read(stream: &mut TcpStream, length: usize) -> Result<Vec<u8>> {
    let mut got = vec![0; length];
    let what = || format!("a message of {length} bytes");
    stream.read_exact(&mut got).with_context(what)?;
    compare(&got, &pattern(length)).with_context(what)?;
    Ok(got)
}

fn write(stream: &mut TcpStream, message: &[u8]) -> Result<()> {
    stream
        .write_all(message)
        .with_context(|| format!("sending {} bytes", message.len()))
}

fn receive(socket: &UdpSocket, expected: &[u8]) -> Result<SocketAddr> {
    // One byte more than the longest datagram.
    let mut room = vec![0; usize::from(u16::MAX) + 1];
    let (length, from) = socket.recv_from(&mut room).context("receiving")?;
    compare(&room[..length], expected)?;
    Ok(from)
}

fn compare(got: &[u8], expected: &[u8]) -> Result<()> {
    ensure!(
        got.len() == expected.len(),
        "{} bytes arrived, not {}",
        got.len(),
        expected.len()
    );
    let wrong = got.iter().zip(expected).position(|(got, sent)| got != sent);
    ensure!(wrong.is_none(), "byte {} is wrong", wrong.unwrap_or(0));
    Ok(())
}

/// Bytes that repeat at no power of two, and differ between lengths from the first on.
fn pattern(length: usize) -> Vec<u8> {
    (length..)
        .map(|number| (number % 251) as u8)
        .take(length)
        .collect()
}
