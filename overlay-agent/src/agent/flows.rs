//! Taking old flows away, every few seconds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::task;
use tracing::{error, warn};

use super::{Error, shared::Shared};
use crate::{
    datapath::{self, Flows, Sweep, Timeouts},
    settings,
};

/// Longest time between two looks at all flows, which take a fraction of a second where there are very many.
const RARELY: Duration = Duration::from_secs(10);
/// Shortest time.
const OFTEN: Duration = Duration::from_secs(1);

/// What the last look found, and what all of them did.
#[derive(Debug, Default)]
pub(super) struct FlowCounts {
    answered: AtomicU64,
    unanswered: AtomicU64,
    evicted: AtomicU64,
}

impl FlowCounts {
    /// Entries of the table with this name, if it is one of flows.
    pub(super) fn entries(&self, map: &str) -> Option<u64> {
        let count = match map {
            "FLOW" => &self.answered,
            "FLOW_NEW" => &self.unanswered,
            _ => return None,
        };
        Some(count.load(Ordering::Relaxed))
    }

    /// Flows that had to make room.
    pub(super) fn evicted(&self) -> u64 {
        // An entry for each direction.
        self.evicted.load(Ordering::Relaxed).div_ceil(2)
    }

    fn note(&self, sweep: &Sweep) {
        self.answered.store(sweep.answered, Ordering::Relaxed);
        self.unanswered.store(sweep.unanswered, Ordering::Relaxed);
        self.evicted.fetch_add(sweep.evicted, Ordering::Relaxed);
    }
}

/// Sweeps as long as it is let.
pub(super) async fn sweep_regularly(shared: Arc<Shared>) -> Result<(), Error> {
    let timeouts = timeouts(&shared.settings);
    let interval = (timeouts.shortest() / 2).clamp(OFTEN, RARELY);
    let mut flows = Flows::open(&shared.pins, shared.capacity().flows)?;
    loop {
        tokio::time::sleep(interval).await;
        let swept = task::spawn_blocking(move || {
            let sweep = flows.sweep(&timeouts);
            (flows, sweep)
        });
        let (returned, sweep) = swept.await.map_err(|_panicked| Error::TaskEnded {
            task: "sweep of flows",
        })?;
        flows = returned;
        told(&shared, sweep);
    }
}

fn told(shared: &Shared, sweep: Result<Sweep, datapath::Error>) {
    match sweep {
        Ok(sweep) => {
            if sweep.evicted > 0 {
                warn!(
                    entries = sweep.evicted,
                    "the table of flows was full; the oldest made room"
                );
            }
            shared.flows.note(&sweep);
        }
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            error!(error, "old flows could not be taken away");
        }
    }
}

fn timeouts(settings: &settings::Settings) -> Timeouts {
    let settings::Timeouts {
        tcp,
        tcp_closing,
        udp,
        sctp,
        other,
    } = settings.services.timeouts;
    Timeouts {
        tcp,
        tcp_closing,
        udp,
        sctp,
        other,
    }
}
