//! A stream of echo requests beside something else, with every loss known.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};

use super::{PingCount, echo::Echo};
use crate::Namespace;

/// How long a reply may take before it counts as lost.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often the listener looks whether it shall stop.
const LOOK: Duration = Duration::from_millis(50);

/// Requests that go on until [`Flood::stop`].
#[derive(Debug)]
pub struct Flood {
    stop: Arc<AtomicBool>,
    sender: Option<JoinHandle<u32>>,
    listener: Option<JoinHandle<()>>,
    done: Arc<AtomicBool>,
    received: Arc<AtomicUsize>,
}

impl Flood {
    /// Starts to send one request to `to` from inside `namespace` each `interval`.
    pub fn start(namespace: &Namespace, to: IpAddr, interval: Duration) -> Result<Self> {
        let asking = Echo::open(namespace, to, LOOK)?;
        let listening = asking.share()?;
        let (stop, done) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let received = Arc::new(AtomicUsize::new(0));
        let sender = thread::spawn({
            let stop = Arc::clone(&stop);
            move || send(&asking, to, interval, &stop)
        });
        let listener = thread::spawn({
            let (done, received) = (Arc::clone(&done), Arc::clone(&received));
            move || receive(&listening, to, &done, &received)
        });
        Ok(Self {
            stop,
            sender: Some(sender),
            listener: Some(listener),
            done,
            received,
        })
    }

    /// Stops sending, waits up to half a second for the last replies, and returns the counts. A request that
    /// the kernel refused to send counts as lost.
    pub fn stop(mut self) -> Result<PingCount> {
        self.stop.store(true, Ordering::SeqCst);
        let sender = self.sender.take().context("BUG: a flood stopped twice")?;
        let sent = sender
            .join()
            .map_err(|_panic| anyhow!("BUG: the sender of a flood panicked"))?;
        let end = Instant::now() + PATIENCE;
        while self.received() < u64::from(sent) && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
        Ok(PingCount {
            sent: sent.into(),
            received: self.received(),
        })
    }

    /// Replies so far.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst) as u64
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.done.store(true, Ordering::SeqCst);
        // Its result was taken by stop, or nobody asks for it.
        drop(self.sender.take().map(JoinHandle::join));
        drop(self.listener.take().map(JoinHandle::join));
    }
}

fn send(echo: &Echo, to: IpAddr, interval: Duration, stop: &AtomicBool) -> u32 {
    let mut due = Instant::now();
    let mut sent = 0;
    while !stop.load(Ordering::SeqCst) {
        drop(echo.ask(to, sent));
        sent += 1;
        due += interval;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    sent
}

fn receive(echo: &Echo, to: IpAddr, done: &AtomicBool, received: &AtomicUsize) {
    let mut seen = std::collections::BTreeSet::new();
    while !done.load(Ordering::SeqCst) {
        // An error here is one that ICMP reported about a request, whose loss the counts show.
        if let Ok(Some((from, number))) = echo.answer()
            && from == to
            && seen.insert(number)
        {
            received.store(seen.len(), Ordering::SeqCst);
        }
    }
}
