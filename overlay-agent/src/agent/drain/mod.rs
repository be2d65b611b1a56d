//! Planned ends of tasks: first nobody sends them new flows, then the old ones end, then they go.

mod flows;

use std::{path::Path, sync::Arc, time::Duration};

use flows::Tables;
use tokio::{
    task,
    time::{Instant, sleep, sleep_until},
};
use tracing::{debug, info};

use super::plane::Plane;
use crate::{
    api::ApiError,
    model::{Attachment, ClusterView, NamespaceId},
    netlink::Namespace,
};

/// Within this time the others know, lost packets included; what they have sent by then has arrived.
const SPREAD: Duration = Duration::from_millis(500);

/// Time between two looks whether flows are left.
const LOOK: Duration = Duration::from_millis(250);

/// Has tasks among these endpoints drained: returns when no flow of theirs is left, or when the longest
/// drain time of their services is over. Endpoints that are no tasks need nothing.
pub(super) async fn drain(
    plane: &Plane,
    view: &ClusterView,
    endpoints: &[Arc<Attachment>],
) -> Result<(), ApiError> {
    let Some(swarm) = &plane.swarm else {
        return Ok(());
    };
    let tasks: Vec<&Arc<Attachment>> = endpoints
        .iter()
        .filter(|endpoint| endpoint.service.is_some())
        .collect();
    if tasks.is_empty() {
        return Ok(());
    }
    let services = tasks
        .iter()
        .filter_map(|task| view.services.get(&task.service?));
    let longest = services
        .map(|service| service.drain_s)
        .max()
        .unwrap_or_default();
    let until = Instant::now() + Duration::from_secs(longest.into());
    swarm
        .drain(tasks.iter().map(|task| task.id.clone()).collect())
        .await?;
    info!(tasks = tasks.len(), longest, "drains");
    sleep_until(until.min(Instant::now() + SPREAD)).await;
    // Twice, because a connection may be between two processes' hands.
    let mut quiet = 0;
    while quiet < 2 && Instant::now() < until {
        quiet = if is_quiet(&tasks).await { quiet + 1 } else { 0 };
        sleep(LOOK).await;
    }
    debug!(is_quiet = quiet >= 2, "drained");
    Ok(())
}

async fn is_quiet(tasks: &[&Arc<Attachment>]) -> bool {
    for task in tasks {
        let attachment = Arc::clone(task);
        let looked = task::spawn_blocking(move || {
            let tables = read(&attachment.netns, attachment.namespace)?;
            Some(tables.is_quiet(&attachment.addresses().collect::<Vec<_>>()))
        });
        // Whatever cannot be looked at is gone, and has no flows.
        if !looked.await.ok().flatten().unwrap_or(true) {
            return false;
        }
    }
    true
}

fn read(netns: &Path, id: NamespaceId) -> Option<Tables> {
    let namespace = Namespace::open(netns).ok()?;
    if namespace.id() != id {
        return None;
    }
    namespace.run(Tables::read).ok()
}
