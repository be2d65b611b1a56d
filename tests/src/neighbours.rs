//! The kernel's neighbour table, whose size all network namespaces of a machine share.
//!
//! Each container that talks to N others on its own subnet holds N entries, and each of those N holds one for it;
//! at the default limit of 1024 a sweep over more is cut short, whatever forwards the packets.

use std::{fs, io::ErrorKind};

use anyhow::{Context, Result};

use crate::process::complain;

/// Soft limit, whose overrun is tolerated for five seconds, and hard limit.
const LIMITS: [&str; 2] = [
    "/proc/sys/net/ipv4/neigh/default/gc_thresh2",
    "/proc/sys/net/ipv4/neigh/default/gc_thresh3",
];

/// A raised limit, lowered again on drop.
#[derive(Debug)]
pub struct NeighbourLimit {
    before: Vec<(&'static str, String)>,
    hard: u64,
}

impl NeighbourLimit {
    /// Raises the limit of IPv4 neighbours to `entries`, if it is lower. Nothing is returned where it cannot be
    /// seen: in any network namespace but the machine's first.
    pub fn raise(entries: u64) -> Result<Option<Self>> {
        let mut limit = Self {
            before: Vec::new(),
            hard: 0,
        };
        for path in LIMITS {
            let text = match fs::read_to_string(path) {
                Ok(text) => text.trim().to_owned(),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error).with_context(|| format!("reading {path}")),
            };
            limit.hard = text
                .parse()
                .with_context(|| format!("{path} holds {text:?}"))?;
            if limit.hard < entries {
                limit.before.push((path, text));
                fs::write(path, entries.to_string()).with_context(|| format!("raising {path}"))?;
            }
        }
        Ok(Some(limit))
    }

    /// The hard limit before, in entries.
    pub fn before(&self) -> u64 {
        self.hard
    }
}

impl Drop for NeighbourLimit {
    fn drop(&mut self) {
        for (path, value) in &self.before {
            if let Err(error) = fs::write(path, value) {
                complain(&format!("setting {path} back to {value}"), &error.into());
            }
        }
    }
}
