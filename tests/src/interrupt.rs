//! The wish to stop, seen by everything in the testbed that waits.
//!
//! A signal handler only calls [`raise`]; the waiting code then returns [`Interrupted`], and the guards remove
//! what was made on the way out, in the usual order.

use std::{
    error::Error,
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

static RAISED: AtomicBool = AtomicBool::new(false);

/// How often waiting code looks for the wish to stop.
const LOOK: Duration = Duration::from_millis(20);

/// The run was asked to stop before it was done.
#[derive(Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("interrupted")
    }
}

impl Error for Interrupted {}

/// Asks everything that waits in the testbed to return [`Interrupted`]. Safe to call from any thread.
pub fn raise() {
    RAISED.store(true, Ordering::SeqCst);
}

/// Whether [`raise`] was called.
pub fn is_raised() -> bool {
    RAISED.load(Ordering::SeqCst)
}

/// Fails with [`Interrupted`] once [`raise`] was called.
pub fn check() -> Result<(), Interrupted> {
    if is_raised() {
        Err(Interrupted)
    } else {
        Ok(())
    }
}

/// Sleeps for `duration`, or until interrupted.
pub fn pause(duration: Duration) -> Result<(), Interrupted> {
    let end = Instant::now() + duration;
    loop {
        check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(LOOK));
    }
}

/// Calls `ready` until it returns true: at once, then with growing pauses. False when `limit` passed first.
pub fn wait_until(limit: Duration, mut ready: impl FnMut() -> bool) -> Result<bool, Interrupted> {
    let end = Instant::now() + limit;
    let mut step = Duration::from_millis(1);
    loop {
        if ready() {
            return Ok(true);
        }
        if Instant::now() >= end {
            return Ok(false);
        }
        pause(step)?;
        step = (step * 2).min(LOOK);
    }
}
