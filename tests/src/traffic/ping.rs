//! A bounded number of packets by the system's own ping.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context, Result};

use crate::{Namespace, process};

/// Echo requests and their replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PingCount {
    /// Requests sent.
    pub sent: u64,
    /// Replies received, duplicates not counted.
    pub received: u64,
}

impl PingCount {
    /// Whether every request was answered, and there was one.
    pub fn is_complete(self) -> bool {
        self.sent > 0 && self.sent == self.received
    }
}

/// What may become of a request that does not fit the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragmentation {
    /// Nobody may fragment it.
    Forbidden,
    /// The sender fragments it to the path's MTU, so that nobody else has to.
    BySender,
    /// Anybody may fragment it; the sender does so to its interface's MTU.
    Allowed,
}

/// Requests that are not like all others.
#[derive(Clone, Copy, Debug)]
pub struct Ping<'a> {
    /// Where they come from.
    pub from: &'a Namespace,
    /// Where they go.
    pub to: IpAddr,
    /// Their source address; the kernel chooses where it is none.
    pub source: Option<IpAddr>,
    /// How many.
    pub count: u32,
    /// Bytes behind the ICMP header of each.
    pub payload: u32,
    /// What may become of them on the way.
    pub fragmentation: Fragmentation,
    /// How long the last reply may take.
    pub patience: Duration,
}

/// What came of a [`Ping`].
#[derive(Clone, Debug)]
pub struct Pinged {
    /// How many requests were answered. What the sender's own kernel refused counts as sent.
    pub count: PingCount,
    /// All that ping said, errors that it received included.
    pub said: String,
}

impl<'a> Ping<'a> {
    /// Three requests of 56 bytes, and a second for the last reply.
    pub fn new(from: &'a Namespace, to: IpAddr) -> Self {
        Self {
            from,
            to,
            source: None,
            count: 3,
            payload: 56,
            fragmentation: Fragmentation::BySender,
            patience: Duration::from_secs(1),
        }
    }

    /// Sends the requests, 20 ms apart, and waits for the replies. No reply at all is a count, not an error. Replies whose payload differs are refused by ping, and quoted.
    pub fn run(self) -> Result<Pinged> {
        let fragmentation = match self.fragmentation {
            Fragmentation::Forbidden => "do",
            Fragmentation::BySender => "want",
            Fragmentation::Allowed => "dont",
        };
        let mut command = self.from.command("ping");
        command.args(["-n", "-i", "0.02", "-M", fragmentation]);
        command.args(["-W", &self.patience.as_secs_f64().to_string()]);
        command.args([
            "-c",
            &self.count.to_string(),
            "-s",
            &self.payload.to_string(),
        ]);
        if let Some(source) = self.source {
            command.args(["-I", &source.to_string()]);
        }
        let finished = process::capture(command.arg(self.to.to_string()))?;
        let count = parse(&finished.stdout).with_context(|| {
            format!(
                "pinging {} from {}: {}",
                self.to,
                self.from.name(),
                finished.stderr.trim()
            )
        })?;
        Ok(Pinged {
            count,
            said: finished.stdout + &finished.stderr,
        })
    }
}

/// Sends `count` requests from `namespace`, 20 ms apart, and waits up to a second for the last reply. No reply at
/// all is a count, not an error.
pub fn ping(namespace: &Namespace, to: IpAddr, count: u32) -> Result<PingCount> {
    let ping = Ping {
        count,
        ..Ping::new(namespace, to)
    };
    Ok(ping.run()?.count)
}

fn parse(printed: &str) -> Result<PingCount> {
    let summary = printed
        .lines()
        .rev()
        .find(|line| line.contains("packets transmitted"))
        .context("no summary")?;
    let number = |word: &str| -> Result<u64> {
        let part = summary
            .split(", ")
            .find(|part| part.contains(word))
            .context("an unknown summary")?;
        Ok(part
            .split(' ')
            .next()
            .context("an empty summary")?
            .parse()?)
    };
    Ok(PingCount {
        sent: number("packets transmitted")?,
        received: number("received")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_iputils_is_read() {
        let printed = "PING 10.0.0.1 (10.0.0.1) 56(84) bytes of data.\n\n--- 10.0.0.1 ping statistics ---\n\
                       7 packets transmitted, 5 received, +2 errors, 28% packet loss, time 120ms\n";

        let count = parse(printed).expect("a summary");

        assert_eq!(
            count,
            PingCount {
                sent: 7,
                received: 5
            }
        );
        assert!(!count.is_complete());
    }
}
