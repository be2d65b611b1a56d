//! Signals that are for the command.

use std::{fs, io, task::Poll};

use nix::sys::signal::Signal;
use tokio::signal::unix::{self, SignalKind};

/// What is passed on.
const PASSED: [Signal; 7] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
];

/// What a terminal sends to every process of its foreground group, the command included.
const FROM_TERMINAL: [Signal; 3] = [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGWINCH];

/// Signals as they arrive.
pub(super) struct Signals {
    streams: Vec<(Signal, unix::Signal)>,
}

impl Signals {
    /// Takes over signals. One that is ignored (as SIGHUP is under `nohup`) stays so, for the command
    /// too.
    pub(super) fn listen() -> io::Result<Self> {
        let ignored = ignored()?;
        let mut streams = Vec::with_capacity(PASSED.len());
        for signal in PASSED {
            let number = signal as i32;
            if ignored >> (number - 1) & 1 == 0 {
                let stream = unix::signal(SignalKind::from_raw(number))?;
                streams.push((signal, stream));
            }
        }
        Ok(Self { streams })
    }

    /// The next signal that the command has not got by itself.
    pub(super) async fn next(&mut self) -> Signal {
        loop {
            let signal = self.any().await;
            if !FROM_TERMINAL.contains(&signal) || !is_in_foreground() {
                return signal;
            }
        }
    }

    async fn any(&mut self) -> Signal {
        std::future::poll_fn(|context| {
            let mut streams = self.streams.iter_mut();
            let ready = streams.find_map(|(signal, stream)| match stream.poll_recv(context) {
                Poll::Ready(Some(())) => Some(*signal),
                Poll::Ready(None) | Poll::Pending => None,
            });
            ready.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// Signals that this process ignores, as bits.
fn ignored() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    let parsed = mask.map(|mask| u64::from_str_radix(mask.trim(), 16));
    match parsed {
        Some(Ok(bits)) => Ok(bits),
        Some(Err(_)) | None => Err(io::Error::other("/proc/self/status has no SigIgn")),
    }
}

/// Whether this process is in the foreground group of its terminal (proc(5): `pgrp` and `tpgid`).
/// What cannot be read is taken for no terminal: a signal twice is better than none.
fn is_in_foreground() -> bool {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut fields = after_name.split_whitespace();
    let (group, foreground) = (fields.nth(2), fields.nth(2));
    group.is_some() && group == foreground
}
