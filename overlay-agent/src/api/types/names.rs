//! Names for containers.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// How containers' questions for names are answered.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct NamesStatus {
    /// Where containers ask.
    pub servers: Vec<NameServer>,
    /// Addresses that have a name.
    pub addresses: u64,
    /// Who is asked for names that are none of ours.
    pub upstream: Vec<SocketAddr>,
}

/// An address at which containers ask.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NameServer {
    /// The address.
    pub address: IpAddr,
    /// Why nobody answers there; `None` if somebody does.
    pub problem: Option<String>,
}

impl NamesStatus {
    /// Where questions are answered.
    pub fn answering(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let answering = self.servers.iter().filter(|it| it.problem.is_none());
        answering.map(|server| server.address)
    }
}

/// What became of questions since the agent started.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct NamesCount {
    /// All that came.
    pub queries: u64,
    /// Answered from what is known here, "no such name" included.
    pub answered: u64,
    /// Passed on to other resolvers.
    pub forwarded: u64,
    /// Of those, answered by nobody in time.
    pub unanswered: u64,
    /// Not passed on, because too many were on their way.
    pub overrun: u64,
    /// Of nobody's container, or of one whose networks have no way out.
    pub refused: u64,
    /// Not understood.
    pub malformed: u64,
    /// Answers that were cut to fit a datagram.
    pub truncated: u64,
    /// Answers that could not be sent, and connections for which there was no room.
    pub dropped: u64,
}
