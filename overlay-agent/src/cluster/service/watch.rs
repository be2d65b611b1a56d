//! The body of `/v1/watch`: one JSON document on a line.

use std::{io, sync::Arc};

use axum::body::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use serde::Serialize;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{Changes, Managers, Peer, Route, Service, wire::Line};

pub(super) const NDJSON: &str = "application/x-ndjson";

struct Watcher<M: Managers> {
    service: Arc<Service<M>>,
    peer: Peer,
    changes: Changes<M::Change>,
    heartbeat: Interval,
    cancel: CancellationToken,
}

/// Lines until the manager has nothing more to tell, the service ends, or the watcher is no node any
/// more: its certificate may expire, and it may be removed, while it watches.
pub(super) fn lines<M: Managers>(
    service: Arc<Service<M>>,
    peer: Peer,
    changes: Changes<M::Change>,
    cancel: CancellationToken,
) -> impl Stream<Item = io::Result<Bytes>> {
    let mut heartbeat = interval(service.limits.heartbeat);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watcher = Watcher {
        service,
        peer,
        changes,
        heartbeat,
        cancel,
    };
    stream::unfold(watcher, async |mut watcher| {
        let line = watcher.next().await?;
        Some((encode(&line), watcher))
    })
}

impl<M: Managers> Watcher<M> {
    async fn next(&mut self) -> Option<Line<M::Change>> {
        let line = tokio::select! {
            biased;
            () = self.cancel.cancelled() => None,
            // Before changes, so that a flood of them does not keep a removed node here.
            _ = self.heartbeat.tick() => Some(Line::Heartbeat),
            change = self.changes.next() => change.map(Line::Change),
        };
        let is_welcome = self.service.node(&self.peer, Route::Watch).is_ok();
        line.filter(|_line| is_welcome)
    }
}

fn encode(line: &Line<impl Serialize>) -> io::Result<Bytes> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    Ok(text.into())
}
