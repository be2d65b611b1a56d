//! Following what others change in the network.
//!
//! Input: the kernel's news. Output: commands to the owner. Ends when the owner does.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::Instant};
use tracing::warn;

use super::{owner::Command, shared::Shared};
use crate::netlink::{Change, Error, Watcher};

/// News come in bursts; one look after a burst is enough.
const BURST: Duration = Duration::from_millis(200);

/// Tells the owner which devices went, and when the underlay may have changed.
pub(super) async fn watch(
    mut watcher: Watcher,
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
) -> Result<(), Error> {
    let mut refresh_at: Option<Instant> = None;
    loop {
        let change = tokio::select! {
            change = watcher.next() => change?,
            () = until(refresh_at) => {
                refresh_at = None;
                if commands.send(Command::Refresh).await.is_err() {
                    return Ok(());
                }
                continue;
            }
        };
        let news = read(change, &shared);
        if news.may_concern_the_underlay {
            refresh_at.get_or_insert_with(|| Instant::now() + BURST);
        }
        if let Some(command) = news.command
            && commands.send(command).await.is_err()
        {
            return Ok(());
        }
    }
}

#[derive(Default)]
struct News {
    command: Option<Command>,
    may_concern_the_underlay: bool,
}

fn read(change: Change, shared: &Shared) -> News {
    match change {
        Change::LinkGone { ifindex } if shared.directory().behind(ifindex).is_some() => News {
            command: Some(Command::LinkGone(ifindex)),
            may_concern_the_underlay: false,
        },
        Change::LinkGone { ifindex } | Change::LinkChanged { ifindex } => News {
            command: None,
            may_concern_the_underlay: underlay_devices(shared).contains(&ifindex),
        },
        Change::AddressChanged | Change::RouteChanged => News {
            command: None,
            may_concern_the_underlay: true,
        },
        Change::NeighbourChanged { .. } => News::default(),
        Change::Overrun => {
            warn!("the kernel's news came too fast; looking at everything");
            News {
                command: Some(Command::Sweep),
                may_concern_the_underlay: true,
            }
        }
    }
}

fn underlay_devices(shared: &Shared) -> BTreeSet<u32> {
    shared
        .summary()
        .ways
        .values()
        .map(|way| way.ifindex)
        .collect()
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
