//! The asking end.

use std::{
    io::{ErrorKind, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::{MESSAGE, NUMBER, Protocol, latency::Latencies};

/// Round trips before the clock starts: they resolve neighbours and warm caches.
const WARM_UP: u32 = 200;

/// Losses while warming up that tell a dead server from a dropped packet.
const GIVE_UP: u32 = 5;

/// How long a response may take before its datagram counts as lost.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whom to ask, and how long.
#[derive(clap::Args)]
pub(super) struct Options {
    #[arg(value_enum)]
    protocol: Protocol,
    /// The server's address.
    address: IpAddr,
    /// The server's port, for UDP the first of as many as there are flows.
    port: u16,
    /// Flows side by side.
    #[arg(long, default_value_t = 1)]
    flows: u16,
    /// How long to ask.
    #[arg(long, default_value_t = 3)]
    seconds: u32,
}

/// What a run came to.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Outcome {
    /// Completed round trips per second, of all flows together.
    pub(crate) rt_per_s: f64,
    /// Median round trip, microseconds.
    pub(crate) p50_us: f64,
    /// The round trip that 99 of 100 stay below, microseconds.
    pub(crate) p99_us: f64,
    /// Requests without a response.
    pub(crate) lost: u64,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let outcome = measure(options)?;
    println!(
        "{}",
        serde_json::to_string(&outcome).context("writing the result")?
    );
    Ok(())
}

fn measure(options: &Options) -> Result<Outcome> {
    let flows = (0..options.flows)
        .map(|flow| Flow::open(options.protocol, options.address, options.port, flow))
        .collect::<Result<Vec<Flow>>>()?;
    let start = Barrier::new(flows.len());
    let duration = Duration::from_secs(options.seconds.into());
    let results = thread::scope(|scope| {
        let threads: Vec<_> = flows
            .into_iter()
            .map(|flow| scope.spawn(|| ask_for(flow, &start, duration)))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads
            .into_iter()
            .map(join)
            .collect::<Result<Vec<Counts>>>()
    })?;
    let mut latencies = Latencies::default();
    let mut rt_per_s = 0.0;
    let mut lost = 0;
    for counts in results {
        let trips =
            u32::try_from(counts.latencies.count()).context("more round trips than can be")?;
        rt_per_s += f64::from(trips) / counts.elapsed.as_secs_f64();
        lost += counts.lost;
        latencies.absorb(&counts.latencies);
    }
    let [p50_us, p99_us] = latencies
        .percentiles_us([500, 990])
        .with_context(|| format!("{} port {} answered nothing", options.address, options.port))?;
    Ok(Outcome {
        rt_per_s,
        p50_us,
        p99_us,
        lost,
    })
}

struct Counts {
    latencies: Latencies,
    elapsed: Duration,
    lost: u64,
}

fn ask_for(mut flow: Flow, start: &Barrier, duration: Duration) -> Result<Counts> {
    let warm = flow.warm_up();
    // None may start to measure while another still warms up, and none may wait for one that failed.
    start.wait();
    warm?;
    let mut latencies = Latencies::default();
    let mut lost = 0;
    let begin = Instant::now();
    loop {
        let asked = Instant::now();
        if asked - begin >= duration {
            return Ok(Counts {
                latencies,
                elapsed: asked - begin,
                lost,
            });
        }
        if flow.ask()? {
            latencies.add(asked.elapsed());
        } else {
            lost += 1;
        }
    }
}

enum Carrier {
    Udp(UdpSocket),
    Tcp(TcpStream),
    Connect(SocketAddr),
}

struct Flow {
    carrier: Carrier,
    message: [u8; MESSAGE],
    asked: u64,
}

impl Flow {
    fn open(protocol: Protocol, address: IpAddr, port: u16, flow: u16) -> Result<Self> {
        let carrier = match protocol {
            Protocol::Udp => Carrier::Udp(connect_udp(SocketAddr::new(address, port + flow))?),
            Protocol::Tcp => Carrier::Tcp(connect_tcp(SocketAddr::new(address, port))?),
            Protocol::Connect => Carrier::Connect(SocketAddr::new(address, port)),
        };
        Ok(Self {
            carrier,
            message: [0; MESSAGE],
            asked: 0,
        })
    }

    fn warm_up(&mut self) -> Result<()> {
        let mut lost = 0;
        for _ in 0..WARM_UP {
            lost += u32::from(!self.ask()?);
            ensure!(lost < GIVE_UP, "{GIVE_UP} requests got no response");
        }
        Ok(())
    }

    /// One round trip. False when the response did not come in time.
    fn ask(&mut self) -> Result<bool> {
        self.asked += 1;
        let number = self.asked.to_be_bytes();
        self.message[..NUMBER].copy_from_slice(&number);
        let mut response = [0; MESSAGE];
        match &mut self.carrier {
            Carrier::Tcp(stream) => {
                stream
                    .write_all(&self.message)
                    .context("sending a request")?;
                stream
                    .read_exact(&mut response)
                    .context("receiving a response")?;
                ensure!(
                    response[..NUMBER] == number,
                    "a response to another request came over TCP"
                );
                Ok(true)
            }
            Carrier::Connect(server) => {
                let mut stream = connect_tcp(*server)?;
                stream
                    .write_all(&self.message)
                    .context("sending a request")?;
                stream
                    .read_exact(&mut response)
                    .context("receiving a response")?;
                // The server closes first.
                let rest = stream.read(&mut [0]).context("waiting for the end")?;
                ensure!(rest == 0, "a response that does not end");
                Ok(true)
            }
            Carrier::Udp(socket) => {
                socket.send(&self.message).context("sending a request")?;
                loop {
                    match socket.recv(&mut response) {
                        Ok(MESSAGE) if response[..NUMBER] == number => return Ok(true),
                        // The late response to a request that was given up.
                        Ok(_) => {}
                        Err(error)
                            if matches!(
                                error.kind(),
                                ErrorKind::WouldBlock | ErrorKind::TimedOut
                            ) =>
                        {
                            return Ok(false);
                        }
                        Err(error) => return Err(error).context("receiving a response"),
                    }
                }
            }
        }
    }
}

fn connect_udp(server: SocketAddr) -> Result<UdpSocket> {
    let any: SocketAddr = if server.is_ipv4() {
        ([0; 4], 0).into()
    } else {
        ([0_u16; 8], 0).into()
    };
    let socket = UdpSocket::bind(any).context("opening a UDP socket")?;
    socket
        .connect(server)
        .with_context(|| format!("aiming at {server}"))?;
    socket
        .set_read_timeout(Some(PATIENCE))
        .context("setting a time limit")?;
    Ok(socket)
}

fn connect_tcp(server: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(server).with_context(|| format!("connecting to {server}"))?;
    stream
        .set_nodelay(true)
        .context("switching Nagle's algorithm off")?;
    Ok(stream)
}
