//! `overlay run`: a command in a network namespace of its own, attached to networks as long as it
//! lives.
//!
//! Everything happens on the one thread of the process, because `unshare` changes only the thread
//! that calls it and a child inherits from the thread that spawns it.

mod child;
mod endpoints;
mod files;
mod signals;
#[cfg(test)]
mod tests;

use std::{path::Path, pin::pin, process::ExitCode};

use anyhow::{Context as _, bail};
use endpoints::Endpoints;
use nix::{
    sched,
    sched::CloneFlags,
    sys::signal::{Signal, raise},
    unistd,
};
use signals::Signals;

use super::{failure::warn, plan::Run, resolver};
use crate::api::Client;

/// Runs the command and returns its status; the endpoints are gone then, whatever happened.
pub(super) async fn run(client: &Client, run_dir: &Path, run: Run) -> anyhow::Result<ExitCode> {
    if !unistd::geteuid().is_root() {
        bail!("`overlay run` makes a network namespace, which needs root; use sudo");
    }
    // Asked for nothing but an answer.
    client.networks().await?;
    let name = match &run.name {
        Some(name) => name.clone(),
        None => made_up_name()?,
    };
    // From here on a signal must not end this process before the endpoints are gone.
    let mut signals = Signals::listen().context("listen for signals")?;
    sched::unshare(CloneFlags::CLONE_NEWNET).context("make a network namespace")?;
    let mut endpoints = Endpoints::new(client, name);
    let outcome = match endpoints.attach(&run).await {
        Ok(()) => start(run_dir, &run, &endpoints, &mut signals).await,
        Err(error) => Err(error),
    };
    endpoints.detach().await;
    outcome
}

async fn start(
    run_dir: &Path,
    run: &Run,
    endpoints: &Endpoints<'_>,
    signals: &mut Signals,
) -> anyhow::Result<ExitCode> {
    let servers = resolver::servers(endpoints.client(), &endpoints.addresses()).await;
    for note in files::shadow(run_dir, &endpoints.hosts(), &servers)? {
        warn(&note);
    }
    let farewell = endpoints.drain(run.service.is_some());
    let command = child::supervise(&run.program, &run.arguments, signals, farewell);
    let mut command = pin!(command);
    if let Some(service) = &run.service {
        tokio::select! {
            ended = &mut command => return ended,
            () = endpoints.taken_away() => {
                warn(&format!("service `{service}` is gone, and its tasks with it"));
                // As Docker ends tasks; it is passed on like one from outside.
                raise(Signal::SIGTERM).context("end the command")?;
            }
        }
    }
    command.await
}

/// `run-` and six hexadecimal digits.
fn made_up_name() -> anyhow::Result<String> {
    let uuid = std::fs::read_to_string("/proc/sys/kernel/random/uuid");
    let uuid = uuid.context("read a random number from /proc/sys/kernel/random/uuid")?;
    let digits: String = uuid.chars().take(6).collect();
    Ok(format!("run-{digits}"))
}
