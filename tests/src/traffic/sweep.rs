//! One echo request to each of many addresses, through one raw socket: thousands of hosts in well under a second.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::echo::Echo;
use crate::{Namespace, interrupt};

/// Requests on their way at once: well below what a socket's default buffer takes in replies.
const WINDOW: usize = 64;

/// How long the replies of a window may take.
const PATIENCE: Duration = Duration::from_millis(200);

/// How often an address that did not answer is asked again.
const PASSES: usize = 3;

/// Asks each of `addresses` from inside `from` and returns those that never answered, in rising order.
pub fn sweep(from: &Namespace, addresses: &[Ipv4Addr]) -> Result<Vec<Ipv4Addr>> {
    let echo = Echo::open(from, Ipv4Addr::UNSPECIFIED.into(), PATIENCE)?;
    let mut silent: BTreeSet<IpAddr> = addresses.iter().copied().map(IpAddr::from).collect();
    for _ in 0..PASSES {
        let asked: Vec<IpAddr> = silent.iter().copied().collect();
        for window in asked.chunks(WINDOW) {
            interrupt::check()?;
            ask(&echo, window, &mut silent)?;
        }
    }
    Ok(addresses
        .iter()
        .copied()
        .filter(|address| silent.contains(&IpAddr::from(*address)))
        .collect())
}

fn ask(echo: &Echo, window: &[IpAddr], silent: &mut BTreeSet<IpAddr>) -> Result<()> {
    let mut awaited: BTreeSet<IpAddr> = window.iter().copied().collect();
    for (number, address) in (0..).zip(window) {
        // What the kernel refuses to send is not answered, and asked again in the next pass.
        if echo.ask(*address, number).is_err() {
            awaited.remove(address);
        }
    }
    let end = Instant::now() + PATIENCE;
    while !awaited.is_empty() && Instant::now() < end {
        if let Some((from, _number)) = echo.answer().context("waiting for echo replies")? {
            awaited.remove(&from);
            silent.remove(&from);
        }
    }
    Ok(())
}
