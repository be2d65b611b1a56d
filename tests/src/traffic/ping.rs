//! A bounded number of packets by the system's own ping.

use std::net::IpAddr;

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

/// Sends `count` requests from `namespace`, 20 ms apart, and waits up to a second for the last reply. No reply at
/// all is a count, not an error.
pub fn ping(namespace: &Namespace, to: IpAddr, count: u32) -> Result<PingCount> {
    let mut command = namespace.command("ping");
    command.args([
        "-n",
        "-q",
        "-i",
        "0.02",
        "-W",
        "1",
        "-c",
        &count.to_string(),
        &to.to_string(),
    ]);
    let finished = process::capture(&mut command)?;
    parse(&finished.stdout).with_context(|| {
        format!(
            "pinging {to} from {}: {}",
            namespace.name(),
            finished.stderr.trim()
        )
    })
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
