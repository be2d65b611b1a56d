//! Sampled drops, from the ring buffer to whoever monitors.
//!
//! Input: the ring buffer. Output: a broadcast channel, which drops what a slow listener does not
//! take. Ends when the ring buffer fails.

use std::{io, sync::Arc};

use nix::net::if_::if_indextoname;
use tokio::sync::broadcast;
use tracing::debug;

use super::shared::Shared;
use crate::{
    api::types::Event,
    datapath::{DropEvent, DropEvents},
    model::Vni,
};

/// Events that a listener may be behind.
pub(super) const BACKLOG: usize = 4096;

/// Passes drops on, whether somebody listens or not: a full ring would count them as lost.
pub(super) async fn report(
    mut drops: DropEvents,
    events: broadcast::Sender<Event>,
    shared: Arc<Shared>,
) -> io::Result<()> {
    loop {
        let drop = drops.next().await?;
        if events.receiver_count() > 0 && events.send(told(&drop, &shared)).is_err() {
            debug!("the last listener went just now");
        }
    }
}

fn told(drop: &DropEvent, shared: &Shared) -> Event {
    let name = if_indextoname(drop.ifindex)
        .ok()
        .and_then(|name| name.into_string().ok());
    let endpoint = shared
        .directory()
        .behind(drop.ifindex)
        .map(|endpoint| endpoint.name.clone());
    let network = drop.vni.map(|vni| {
        let network = Vni::try_from(vni)
            .ok()
            .and_then(|vni| Some(shared.desired().network_by_vni(vni)?.name.clone()));
        network.unwrap_or_else(|| vni.to_string())
    });
    Event {
        unix_ns: drop.unix_ns,
        place: drop.place.to_owned(),
        reason: drop.reason.to_owned(),
        interface: name.unwrap_or_else(|| format!("#{}", drop.ifindex)),
        endpoint,
        network,
        source: drop.source,
        destination: drop.destination,
        length: drop.length,
        sample: drop.sample,
    }
}
