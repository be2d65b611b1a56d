//! `cargo xtask bench load`: request and response over UDP or TCP, as the bench starts it inside namespaces.
//!
//! One flow asks, waits for the answer, and asks again; several flows do so side by side, each on a thread of its
//! own with a port (UDP) or a connection (TCP) of its own.

mod client;
mod latency;
mod server;

use anyhow::Result;

pub(crate) use self::{client::Outcome, server::READY};

/// Bytes of a request, and of its response.
const MESSAGE: usize = 64;

/// Bytes at a message's beginning that number it.
const NUMBER: usize = 8;

/// Which end to play.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    role: Role,
}

#[derive(clap::Subcommand)]
enum Role {
    /// Answer requests until killed.
    Server(server::Options),
    /// Ask for a while and print what was measured, as JSON.
    Client(client::Options),
}

/// What carries the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Protocol {
    /// One datagram each way.
    Udp,
    /// One segment each way, without Nagle's delay.
    Tcp,
    /// The same on a connection of its own for each request, which the server closes.
    Connect,
}

impl Protocol {
    /// As the command line spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Connect => "connect",
        }
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.role {
        Role::Server(options) => server::run(options),
        Role::Client(options) => client::run(options),
    }
}
