//! The agent: what runs in it, in which order it starts, how it ends.
//!
//! | task | takes | gives | ends |
//! |---|---|---|---|
//! | `owner` (a thread) | commands | answers, `shared::Shared` | when nobody can send commands any more |
//! | `watch` | the kernel's news | commands | with the agent |
//! | `audit` | time | commands | with the agent |
//! | `events` | the ring buffer | a broadcast channel | with the agent |
//! | `api::server` | requests | commands, answers | with the agent, after running requests |
//!
//! Whatever ends, everything in the kernel stays and goes on working: programs, maps and links are
//! pinned, and the next agent takes them over.

mod addresses;
mod attach;
mod audit;
mod backend;
mod claim;
#[cfg(test)]
mod datapath_tests;
mod detach;
mod directory;
mod doctor;
mod error;
mod events;
mod explain;
mod neighbour_limit;
mod owner;
mod plumbing;
mod shared;
mod start;
mod store;
#[cfg(test)]
mod testing;
mod traffic;
mod underlay;
mod uninstall;
mod watch;

use std::sync::Arc;

use backend::AgentBackend;
use claim::{Claim, DATA_LOCK, NamespaceClaim};
pub use error::Error;
pub use plumbing::{PortHolder, TunnelError};
pub use store::StoreError;
use tokio::{
    sync::{broadcast, mpsc},
    task::{self, JoinSet},
};
use tokio_util::sync::CancellationToken;
use tracing::info;
pub use uninstall::uninstall;

use crate::{
    api::{Listener, server},
    datapath::DropEvents,
    netlink::Watcher,
    settings::Settings,
};

/// Commands that may wait for the owner before senders do.
const QUEUE: usize = 256;

/// Runs the agent until `cancel`. Everything stays in the kernel then, and traffic goes on.
///
/// # Errors
/// If it could not start, nothing new is left of the attempt but what the next one takes over.
pub async fn run(settings: Settings, cancel: CancellationToken) -> Result<(), Error> {
    // First, because it is also the claim to the run directory. Requests wait until they are served.
    let listener = Listener::bind(&settings.run_dir)?;
    let _claims = (
        Claim::take(&settings.data_dir, DATA_LOCK)?,
        NamespaceClaim::take()?,
    );
    // Before the present state is read, so that no later change is missed.
    let watcher = Watcher::open()?;
    let interval = settings.audit_interval;
    let started = task::spawn_blocking(move || start::start(settings)).await;
    let owner = started.unwrap_or(Err(Error::TaskEnded { task: "start" }))?;
    let shared = Arc::clone(&owner.shared);
    let drops = DropEvents::open(&shared.pins)?;

    let (commands, queue) = mpsc::channel(QUEUE);
    let (events, _) = broadcast::channel(events::BACKLOG);
    let backend = AgentBackend {
        commands: commands.clone(),
        events: events.clone(),
        shared: Arc::clone(&shared),
        cancel: cancel.clone(),
    };
    let mut tasks: JoinSet<Result<&'static str, Error>> = JoinSet::new();
    tasks.spawn_blocking(move || {
        owner.run(queue);
        Ok("owner")
    });
    spawn_until(&mut tasks, cancel.clone(), {
        let (commands, shared) = (commands.clone(), Arc::clone(&shared));
        async move {
            watch::watch(watcher, commands, shared).await?;
            Ok("watch")
        }
    });
    spawn_until(&mut tasks, cancel.clone(), {
        let shared = Arc::clone(&shared);
        async move {
            audit::audit_regularly(interval, commands, shared).await;
            Ok("audit")
        }
    });
    spawn_until(&mut tasks, cancel.clone(), async move {
        events::report(drops, events, shared)
            .await
            .map_err(|source| Error::Serve { source })?;
        Ok("events")
    });
    let serving = cancel.clone();
    tasks.spawn(async move {
        let served = server::serve(listener, Arc::new(backend), serving).await;
        served.map_err(|source| Error::Serve { source })?;
        Ok("server")
    });
    info!("ready");
    finish(tasks, cancel).await
}

/// Runs a task that never ends by itself, until the agent is told to stop.
fn spawn_until(
    tasks: &mut JoinSet<Result<&'static str, Error>>,
    cancel: CancellationToken,
    task: impl Future<Output = Result<&'static str, Error>> + Send + 'static,
) {
    tasks.spawn(async move {
        tokio::select! {
            ended = task => ended,
            () = cancel.cancelled() => Ok("cancelled"),
        }
    });
}

/// Waits for the end. A task that ends before it was told to takes the agent with it.
async fn finish(
    mut tasks: JoinSet<Result<&'static str, Error>>,
    cancel: CancellationToken,
) -> Result<(), Error> {
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let was_told = cancel.is_cancelled();
        let ended = ended.unwrap_or(Err(Error::TaskEnded {
            task: "task that panicked",
        }));
        match ended {
            Ok(task) if !was_told => outcome = outcome.and(Err(Error::TaskEnded { task })),
            Ok(_) => {}
            Err(error) => outcome = outcome.and(Err(error)),
        }
        cancel.cancel();
    }
    info!("stopped; traffic goes on");
    outcome
}
