//! The cluster that most tests use: one address book, and two hosts with agents and a container on each.

use std::{
    io::{Write as _, stderr},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::Deref,
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    Binaries, Container, Host, Machine, Session, StaticConfig, Underlay, Wiring,
    container::Attached,
    static_config::{Network, Node},
    traffic::ping,
};

/// The network on which containers are unless a test says otherwise: IPv4 and IPv6.
pub const BLUE: &str = "blue";

/// Another network: IPv4 only.
pub const RED: &str = "red";

/// The gateway of [`BLUE`], which no container can have.
pub const BLUE_GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);

/// An address of [`BLUE`] that is nobody's and in nobody's block.
pub const BLUE_NOBODY: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 250);

/// The networks [`BLUE`] and [`RED`].
pub fn networks() -> Vec<Network> {
    vec![
        Network::new(BLUE, 4096, &["10.1.0.0/23", "fd00:1::/64"]),
        Network::new(RED, 4097, &["10.2.0.0/24"]),
    ]
}

/// A node for each of up to four machines, with its own quarter of 10.1.0.0/24, of `fd00:1::/118` and of
/// 10.2.0.0/24.
pub fn nodes(machines: &[Machine]) -> Vec<Node> {
    (0_u16..4)
        .zip(machines)
        .map(|(place, machine)| {
            let first = place * 64;
            let v4 = format!("10.1.0.{first}/26");
            let v6 = format!("fd00:1::{place}00/120");
            Node::on(machine)
                .blocks(BLUE, &[&v4, &v6])
                .blocks(RED, &[&format!("10.2.0.{first}/26")])
        })
        .collect()
}

/// [`nodes`] and [`networks`], with audits only on request.
pub fn config(machines: &[Machine]) -> StaticConfig {
    StaticConfig::new(nodes(machines), networks()).audit_interval("1h")
}

/// A container that is attached to [`BLUE`].
#[derive(Debug)]
pub struct Guest {
    container: Container,
    /// Its interface there.
    pub eth0: Attached,
}

impl Guest {
    /// Makes the namespace `name` and attaches it on `host`.
    pub fn new(session: &Session, host: &Host, name: &str) -> Result<Self> {
        let container = Container::new(session, name)?;
        let eth0 = container.attach(host, BLUE, &[])?;
        Ok(Self { container, eth0 })
    }

    /// Its IPv4 address.
    pub fn v4(&self) -> Ipv4Addr {
        self.eth0.v4.unwrap_or(Ipv4Addr::UNSPECIFIED)
    }

    /// Its IPv6 address.
    pub fn v6(&self) -> Ipv6Addr {
        self.eth0.v6.unwrap_or(Ipv6Addr::UNSPECIFIED)
    }
}

impl Deref for Guest {
    type Target = Container;

    fn deref(&self) -> &Container {
        &self.container
    }
}

/// Hosts `a` and `b`, with the container `one` on the first and `two` on the second. If the thread panics, both
/// agents' counters and logs are printed on the way out.
#[derive(Debug)]
pub struct Pair {
    /// On host `a`.
    pub one: Guest,
    /// On host `b`.
    pub two: Guest,
    /// The first host.
    pub a: Host,
    /// The second host.
    pub b: Host,
    underlay: Underlay,
    session: Session,
}

impl Pair {
    /// Starts one with [`config`].
    pub fn start() -> Result<Self> {
        Self::with(|config| config)
    }

    /// Starts one with a changed [`config`].
    pub fn with(change: impl FnOnce(StaticConfig) -> StaticConfig) -> Result<Self> {
        let session = Session::for_test()?;
        let underlay = Underlay::build(&session, "u", &["a", "b"], Wiring::direct())?;
        let config = change(config(underlay.machines()));
        Self::on(session, underlay, &config)
    }

    /// Starts one on the first two machines of an underlay.
    pub fn on(session: Session, underlay: Underlay, config: &StaticConfig) -> Result<Self> {
        let binaries = Binaries::find()?;
        let [a, b, ..] = underlay.machines() else {
            bail!("a pair takes two machines");
        };
        let a = Host::start(&session, "host", a, config, &binaries)?;
        let b = Host::start(&session, "host", b, config, &binaries)?;
        let one = Guest::new(&session, &a, "one")?;
        let two = Guest::new(&session, &b, "two")?;
        Ok(Self {
            one,
            two,
            a,
            b,
            underlay,
            session,
        })
    }

    /// What owns it all.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The machines of its underlay; the first two have the agents.
    pub fn machines(&self) -> &[Machine] {
        self.underlay.machines()
    }

    /// The addresses of `two`, IPv4 first.
    pub fn targets(&self) -> [IpAddr; 2] {
        [self.two.v4().into(), self.two.v6().into()]
    }

    /// Pings `two` from `one` in both families; a lost reply is an error.
    pub fn check_reach(&self) -> Result<()> {
        for target in self.targets() {
            let count = ping(self.one.namespace(), target, 3).context("pinging two from one")?;
            ensure!(count.is_complete(), "pinging {target} from one: {count:?}");
        }
        Ok(())
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for host in [&self.a, &self.b] {
            for question in ["stats", "doctor", "status"] {
                let told = host.overlay(&[question]);
                let told = told.unwrap_or_else(|error| format!("{error:#}"));
                drop(writeln!(
                    stderr(),
                    "overlay {question} on {}:\n{told}",
                    host.name()
                ));
            }
        }
    }
}
