//! The agent: what runs in it, in which order it starts, how it ends.
//!
//! | task | takes | gives | ends |
//! |---|---|---|---|
//! | `owner` (a thread) | commands | answers, `shared::Shared` | when nobody can send commands any more |
//! | `watch` | the kernel's news | commands | with the data plane |
//! | `audit` | time | commands | with the data plane |
//! | `names` | questions of containers | replies | with the data plane |
//! | `flows` | time, the tables of flows | tables without old flows | with the data plane |
//! | `sockets` | tasks that are gone | ended sockets in containers | with the data plane |
//! | `events` | the ring buffer | a broadcast channel | with the data plane |
//! | `swarm::follower` | news of managers, gossip and endpoints | commands, claims, leases | with the data plane |
//! | `api::server` | requests | commands, answers | with the agent, after running requests |
//!
//! In a static cluster the data plane runs as long as the agent; in a swarm from the moment at which
//! this node becomes part of one.
//!
//! Whatever ends, everything in the kernel stays and goes on working: programs, maps and links are
//! pinned, and the next agent takes them over.

mod addresses;
mod alone;
mod arrival;
mod attach;
mod audit;
mod backend;
mod claim;
#[cfg(test)]
mod datapath_tests;
mod detach;
mod directory;
mod doctor;
mod drain;
mod error;
mod events;
mod explain;
mod flows;
mod health;
mod names;
mod neighbour_limit;
mod owner;
mod plane;
mod plumbing;
mod publish;
mod shared;
mod sockets;
mod start;
mod store;
mod swarm;
mod task_states;
#[cfg(test)]
mod testing;
mod traffic;
mod underlay;
mod uninstall;
mod watch;

use std::{collections::BTreeMap, sync::Arc, time::Instant};

pub use alone::DatapathAlone;
use backend::{AgentBackend, Outline};
use claim::{Claim, DATA_LOCK, NamespaceClaim};
pub use error::Error;
use plane::{Plane, Planes, Tasks, finish, spawn_until};
pub use plumbing::{GatewayError, PortHolder, ReserveError, RulesError, TunnelError};
pub use store::StoreError;
use swarm::Life;
pub use swarm::{DiskError, MemberError, RenewError};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::info;
pub use uninstall::uninstall;

use crate::{
    api::{Listener, server, types::Event},
    control::planner::Plan,
    datapath::Features,
    model::Desired,
    settings::{Cluster, Settings},
};

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
    start::require_root()?;
    let outline = Outline {
        features: Features::probe(settings.attach)?,
        settings: settings.clone(),
        started: Instant::now(),
    };
    let (events, _) = broadcast::channel(events::BACKLOG);
    let planes = Planes::default();
    let mut backend = AgentBackend {
        planes: planes.subscribe(),
        events: events.clone(),
        outline: Arc::new(outline),
        life: None,
        cancel: cancel.clone(),
    };
    let mut tasks = match settings.cluster.clone() {
        Cluster::Static(desired) => run_static(settings, desired, events, planes, &cancel).await?,
        Cluster::Swarm(swarm) => {
            let (life, failures) = Life::new(settings, swarm, planes, events);
            let life = Arc::new(life);
            backend.life = Some(Arc::clone(&life));
            // Whoever asks an agent that has just started finds it where the last one stopped.
            life.begin().await;
            run_swarm(life, failures, &cancel)
        }
    };
    let serving = cancel.clone();
    tasks.spawn(async move {
        let served = server::serve(listener, Arc::new(backend), serving).await;
        served.map_err(|source| Error::Serve { source })?;
        Ok("server")
    });
    info!("ready");
    let outcome = finish(tasks, cancel.clone(), cancel).await;
    info!("stopped; traffic goes on");
    outcome
}

/// Takes part in a swarm whenever this node has a part in one.
fn run_swarm(
    life: Arc<Life>,
    mut failures: mpsc::UnboundedReceiver<Error>,
    cancel: &CancellationToken,
) -> Tasks {
    let mut tasks = Tasks::new();
    let living = Arc::clone(&life);
    spawn_until(&mut tasks, cancel.clone(), async move {
        living.run().await;
        Ok("swarm")
    });
    spawn_until(&mut tasks, cancel.clone(), async move {
        let failed = failures.recv().await;
        Err(failed.unwrap_or(Error::TaskEnded { task: "swarm" }))
    });
    let cancel = cancel.clone();
    tasks.spawn(async move {
        cancel.cancelled().await;
        life.end().await;
        Ok("end of the swarm")
    });
    tasks
}

/// Starts the data plane that a configuration describes.
async fn run_static(
    settings: Settings,
    desired: Desired,
    events: broadcast::Sender<Event>,
    planes: Planes,
    cancel: &CancellationToken,
) -> Result<Tasks, Error> {
    let exact = BTreeMap::new();
    let (changes, comings) = mpsc::unbounded_channel();
    let services = Vec::new();
    let plan = Plan {
        desired: desired.clone(),
        exact,
        services,
    };
    let (shared, commands, mut tasks) =
        plane::start(settings, plan, changes, events, cancel).await?;
    let naming = names::follow(Arc::clone(&shared), desired, comings);
    spawn_until(&mut tasks, cancel.clone(), async move {
        naming.await;
        Ok("names of the file")
    });
    let swarm = None;
    planes.send_replace(Some(Arc::new(Plane {
        shared,
        commands,
        swarm,
    })));
    let cancel = cancel.clone();
    tasks.spawn(async move {
        cancel.cancelled().await;
        planes.send_replace(None);
        Ok("plane")
    });
    Ok(tasks)
}
