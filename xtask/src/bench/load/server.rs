//! The answering end.

use std::{
    io::{ErrorKind, Read, Write},
    net::{IpAddr, TcpListener, TcpStream, UdpSocket},
    thread,
};

use anyhow::{Context, Result};

use super::{MESSAGE, Protocol};

/// What the server prints once it can be asked.
pub(crate) const READY: &str = "ready";

/// Where to listen.
#[derive(clap::Args)]
pub(super) struct Options {
    #[arg(value_enum)]
    protocol: Protocol,
    /// Address to listen on.
    address: IpAddr,
    /// Port, for UDP the first of as many as there are flows.
    port: u16,
    /// How many flows will come (UDP).
    #[arg(long, default_value_t = 1)]
    flows: u16,
}

pub(super) fn run(options: &Options) -> Result<()> {
    match options.protocol {
        Protocol::Udp => udp(options),
        Protocol::Tcp => tcp(options, serve),
        Protocol::Connect => tcp(options, serve_one),
    }
}

fn udp(options: &Options) -> Result<()> {
    let mut sockets = Vec::new();
    for port in options.port..options.port + options.flows {
        let socket = UdpSocket::bind((options.address, port))
            .with_context(|| format!("listening on UDP port {port} of {}", options.address))?;
        sockets.push(socket);
    }
    println!("{READY}");
    thread::scope(|scope| {
        let threads: Vec<_> = sockets
            .iter()
            .map(|socket| scope.spawn(|| echo(socket)))
            .collect();
        for thread in threads {
            match thread.join() {
                Ok(result) => result?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(())
    })
}

fn echo(socket: &UdpSocket) -> Result<()> {
    let mut message = [0; MESSAGE];
    loop {
        match socket.recv_from(&mut message) {
            Ok((length, from)) => {
                socket
                    .send_to(&message[..length], from)
                    .context("sending a response")?;
            }
            // An ICMP error about an earlier response, whose receiver has gone.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(error).context("receiving a request"),
        }
    }
}

fn tcp(options: &Options, serve: fn(TcpStream) -> Result<()>) -> Result<()> {
    let listener = TcpListener::bind((options.address, options.port)).with_context(|| {
        format!(
            "listening on TCP port {} of {}",
            options.port, options.address
        )
    })?;
    println!("{READY}");
    thread::scope(|scope| {
        loop {
            let (stream, _from) = listener.accept().context("accepting a connection")?;
            // One connection's end is its client's business.
            scope.spawn(|| drop(serve(stream)));
        }
    })
}

fn serve(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut message = [0; MESSAGE];
    loop {
        stream.read_exact(&mut message)?;
        stream.write_all(&message)?;
    }
}

/// The server's end keeps the address pair busy for a while, so that the client can go on.
fn serve_one(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut message = [0; MESSAGE];
    stream.read_exact(&mut message)?;
    stream.write_all(&message)?;
    Ok(())
}
