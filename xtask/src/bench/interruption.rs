//! Ctrl-C: everything that waits returns, and the guards clean up on the way out.

use anyhow::{Context, Result};
use overlay_tests::interrupt::{self, Interrupted};

/// Does `work` with SIGINT, SIGTERM and SIGHUP turned into the testbed's wish to stop.
///
/// # Errors
///
/// Those of `work`, and [`Interrupted`] instead of what the wish to stop made of its commands.
pub(crate) fn interruptible<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    ctrlc::set_handler(|| {
        if !interrupt::is_raised() {
            eprintln!("\ninterrupted: removing what was made …");
        }
        interrupt::raise();
    })
    .context("installing a handler for Ctrl-C")?;
    work().map_err(|error| {
        if interrupt::is_raised() {
            Interrupted.into()
        } else {
            error
        }
    })
}
