//! SCTP, which the kernel that most tests run on lacks: through a virtual address and through published ports whose
//! number changes on the way, with checksums that a device is to make and with such that are made.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd as _, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use nix::sys::{
    socket::{
        AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, connect,
        listen, setsockopt, socket, sockopt,
    },
    time::TimeVal,
};
use overlay_tests::{Counters, Namespace, Pair, interrupt};

use crate::{
    PATIENCE, kernel,
    scene::{PUBLISHED, Scene, TARGET, VIPS, addresses, of_family},
};

/// Enough for aggregates of many segments.
const MUCH: usize = 200_000;

/// What is sent at once: SCTP keeps messages whole.
const MESSAGE: usize = 8000;

impl Scene {
    /// Asks the virtual addresses from a container, and the published port from outside.
    fn exchange_everywhere(&self) -> Result<()> {
        for vip in VIPS {
            let asked = SocketAddr::new(vip, TARGET);
            self.exchange(self.pair.one.namespace(), &self.client(), asked)?;
        }
        let outside = self.outside();
        for node in addresses(&self.pair.machines()[1]) {
            let asked = SocketAddr::new(node, PUBLISHED);
            self.exchange(&outside.namespace, &addresses(outside), asked)?;
        }
        Ok(())
    }

    /// Sends much to an address and gets it back from the task, which sees the client's own address.
    fn exchange(&self, client: &Namespace, own: &[IpAddr], asked: SocketAddr) -> Result<()> {
        let task = &self.pair.two;
        let own_end = SocketAddr::new(of_family(&self.task(), asked.ip())?, TARGET);
        let own = of_family(own, asked.ip())?;
        let listener = task.namespace().run(|| serve_at(own_end))??;
        let server = thread::spawn(move || -> Result<IpAddr> {
            let (mut stream, peer) = listener.accept().context("accepting")?;
            let received = receive(&mut stream)?;
            send(&mut stream, &received)?;
            // Its end is the client's.
            let mut end = [0; 1];
            ensure!(matches!(stream.read(&mut end), Ok(0)), "no end");
            Ok(peer.ip().to_canonical())
        });
        let asking = || {
            let mut stream = await_connection(client, own, asked)?;
            let sent: Vec<u8> = (0..MUCH).map(|at| (at * 31 % 251) as u8).collect();
            send(&mut stream, &sent)?;
            ensure!(receive(&mut stream)? == sent, "the answer is another");
            Ok(())
        };
        let answered: Result<()> = asking();
        let seen = server.join().expect("no panic");
        answered.with_context(|| format!("{own} asks {asked}; the server: {seen:?}"))?;
        let seen = seen.with_context(|| format!("{own} asks {asked}"))?;
        ensure!(seen == own, "the server saw {seen}, not {own}");
        Ok(())
    }

    /// Where packets begin and end: devices there make the checksums, or leave them to the kernel.
    fn ends(&self) -> [&Namespace; 3] {
        let Pair { one, two, .. } = &self.pair;
        [one.namespace(), two.namespace(), &self.outside().namespace]
    }
}

/// A socket of one family that waits for nothing longer than the tests' patience.
fn open(address: SocketAddr) -> Result<OwnedFd> {
    let family = if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    };
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(family, SockType::Stream, flags, SockProtocol::Sctp);
    let socket = socket.context("a socket for SCTP")?;
    if address.is_ipv6() {
        setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
    }
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    let limit = TimeVal::new(PATIENCE.as_secs().cast_signed(), 0);
    setsockopt(&socket, sockopt::SendTimeout, &limit)?;
    setsockopt(&socket, sockopt::ReceiveTimeout, &limit)?;
    // A socket that is bound to all addresses tells the other end about each of them.
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))
        .with_context(|| format!("binding to {address}"))?;
    Ok(socket)
}

/// `std`'s types for TCP are sockets of any kind underneath.
fn serve_at(address: SocketAddr) -> Result<TcpListener> {
    let socket = open(address)?;
    listen(&socket, Backlog::new(4)?).context("listening")?;
    Ok(socket.into())
}

/// Connects as soon as somebody answers.
fn await_connection(client: &Namespace, own: IpAddr, asked: SocketAddr) -> Result<TcpStream> {
    let begun = Instant::now();
    loop {
        let connected = client.run(|| -> Result<TcpStream> {
            let socket = open(SocketAddr::new(own, 0))?;
            connect(socket.as_raw_fd(), &SockaddrStorage::from(asked)).context("connecting")?;
            Ok(socket.into())
        })?;
        if connected.is_ok() || begun.elapsed() > PATIENCE {
            return connected;
        }
        interrupt::pause(Duration::from_millis(200))?;
    }
}

fn send(stream: &mut TcpStream, bytes: &[u8]) -> Result<()> {
    for message in bytes.chunks(MESSAGE) {
        stream.write_all(message).context("sending")?;
    }
    Ok(())
}

fn receive(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut bytes = vec![0; MUCH];
    stream.read_exact(&mut bytes).context("receiving")?;
    Ok(bytes)
}

#[test]
fn sctp_passes_virtual_addresses_and_published_ports() {
    kernel::load("sctp");
    let scene = Scene::new("sctp").expect("a scene");
    let hosts = [&scene.pair.a, &scene.pair.b];

    for offload in ["on", "off"] {
        for end in scene.ends() {
            let set = ["-K", "eth0", "tx-checksum-sctp", offload];
            end.exec("ethtool", &set).expect("a setting");
        }
        let counted = Counters::during(hosts, || scene.exchange_everywhere());

        let counted = counted.unwrap_or_else(|error| panic!("offload {offload}: {error:#}"));
        for counters in counted {
            assert_eq!(counters.losses(), [], "offload {offload}: {counters:?}");
        }
    }
}
