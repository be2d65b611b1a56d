//! The data plane of a node that has its place in a cluster: the owner, and the tasks around it.

use std::sync::Arc;

use tokio::{
    sync::{broadcast, mpsc, watch},
    task::{self, JoinSet},
};
use tokio_util::sync::CancellationToken;

use super::{
    Error, audit, events, flows, names,
    owner::Command,
    shared::Shared,
    sockets,
    start::{self, Senders},
    swarm::{self, News},
    watch as news,
};
use crate::{
    api::types::Event, control::planner::Plan, datapath::DropEvents, netlink::Watcher,
    settings::Settings,
};

/// Commands that may wait for the owner before senders do.
const QUEUE: usize = 256;

/// What requests work with.
#[derive(Debug)]
pub(super) struct Plane {
    /// What the owner told.
    pub(super) shared: Arc<Shared>,
    /// To the owner.
    pub(super) commands: mpsc::Sender<Command>,
    /// To the part that follows the swarm; none in a static cluster.
    pub(super) swarm: Option<swarm::Handle>,
}

/// The data plane, as long as there is one.
pub(super) type Planes = watch::Sender<Option<Arc<Plane>>>;

/// Its tasks. Each ends with an error or when it is told to; the owner when nobody can send it
/// commands any more.
pub(super) type Tasks = JoinSet<Result<&'static str, Error>>;

/// Starts it. Everything stays in the kernel when `cancel` ends it.
pub(super) async fn start(
    settings: Settings,
    plan: Plan,
    changes: mpsc::UnboundedSender<News>,
    events: broadcast::Sender<Event>,
    cancel: &CancellationToken,
) -> Result<(Arc<Shared>, mpsc::Sender<Command>, Tasks), Error> {
    // Before the present state is read, so that no later change is missed.
    let watcher = Watcher::open()?;
    let interval = settings.audit_interval;
    let (gone, told) = mpsc::unbounded_channel();
    let senders = Senders { changes, gone };
    let started = task::spawn_blocking(move || start::start(settings, plan, senders)).await;
    let owner = started.unwrap_or(Err(Error::TaskEnded { task: "start" }))?;
    let shared = Arc::clone(&owner.shared);
    let drops = DropEvents::open(&shared.pins)?;

    let (commands, queue) = mpsc::channel(QUEUE);
    let mut tasks = Tasks::new();
    tasks.spawn_blocking(move || {
        owner.run(queue);
        Ok("owner")
    });
    spawn_until(&mut tasks, cancel.clone(), {
        let (commands, shared) = (commands.clone(), Arc::clone(&shared));
        async move {
            news::watch(watcher, commands, shared).await?;
            Ok("watch")
        }
    });
    spawn_until(&mut tasks, cancel.clone(), {
        let (commands, shared) = (commands.clone(), Arc::clone(&shared));
        async move {
            audit::audit_regularly(interval, commands, shared).await;
            Ok("audit")
        }
    });
    spawn_until(&mut tasks, cancel.clone(), {
        let shared = Arc::clone(&shared);
        async move {
            flows::sweep_regularly(shared).await?;
            Ok("flows")
        }
    });
    spawn_until(&mut tasks, cancel.clone(), {
        let shared = Arc::clone(&shared);
        async move {
            sockets::end_as_told(told, shared).await;
            Ok("sockets")
        }
    });
    spawn_until(&mut tasks, cancel.clone(), {
        let shared = Arc::clone(&shared);
        async move {
            events::report(drops, events, shared)
                .await
                .map_err(|source| Error::Serve { source })?;
            Ok("events")
        }
    });
    spawn_until(&mut tasks, cancel.clone(), {
        let shared = Arc::clone(&shared);
        async move {
            names::answer(shared).await;
            Ok("names")
        }
    });
    Ok((shared, commands, tasks))
}

/// Runs a task that never ends by itself, until it is told to stop.
pub(super) fn spawn_until(
    tasks: &mut Tasks,
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

/// Waits for the end. A task that ends before it was told to takes the others with it. Whoever cancels
/// only `told` lets tasks end one after the other.
pub(super) async fn finish(
    mut tasks: Tasks,
    told: CancellationToken,
    cancel: CancellationToken,
) -> Result<(), Error> {
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let was_told = told.is_cancelled();
        let ended = ended.unwrap_or(Err(Error::TaskEnded {
            task: "task that panicked",
        }));
        match ended {
            Ok(task) if !was_told => outcome = outcome.and(Err(Error::TaskEnded { task })),
            Ok(_) => {}
            Err(error) => outcome = outcome.and(Err(error)),
        }
        told.cancel();
        cancel.cancel();
    }
    outcome
}
