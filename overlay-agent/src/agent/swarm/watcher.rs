//! The managers' word as it changes: kept on disk, and passed on to all that follow it.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use futures_util::FutureExt as _;
use tokio::sync::{mpsc, watch};
use tracing::{debug, info, warn};

use super::{News, disk::Disk};
use crate::{
    agent::names::Names,
    cluster::{
        client::{Client, ClientError, Watch, Watched},
        service::ErrorKind,
        state::ViewUpdate,
    },
    gossip::GossipHandle,
    model::{ClusterView, NodeId, Role},
};

/// How many changes are passed on together at most, so that a flood of them does not keep all of them back.
const TOGETHER: usize = 1000;

/// Where the managers of a view answer.
pub(super) fn managers(view: &ClusterView) -> Vec<SocketAddr> {
    let members = view.members.values();
    let managers = members.filter(|member| member.role == Role::Manager);
    managers.map(|member| member.control).collect()
}

/// Where the nodes of a view gossip.
pub(super) fn gossips(view: &ClusterView) -> BTreeMap<NodeId, SocketAddr> {
    let members = view.members.values();
    members.map(|member| (member.id, member.gossip)).collect()
}

/// Waits for a view, whichever manager gives it.
pub(super) async fn first(client: &Client) -> Result<ClusterView, ClientError> {
    let mut view = ClusterView::default();
    let mut watch: Watch<ViewUpdate> = client.watch(None);
    loop {
        match watch.next().await {
            Watched::Connected { .. } => {}
            Watched::Change(change) => {
                if change.change.apply_to(&mut view).is_ok() {
                    return Ok(view);
                }
            }
            Watched::Lost { error, .. } => {
                if is_final(&error) {
                    return Err(error);
                }
                debug!(%error, "no manager yet");
            }
        }
    }
}

/// Whether the managers want nothing to do with this node any more.
fn is_final(error: &ClientError) -> bool {
    error
        .refusal()
        .is_some_and(|refusal| refusal.kind == ErrorKind::Forbidden)
}

/// Follows the managers until nobody wants to know. Changes that come while earlier ones are passed on are passed on
/// together: each time is work for the whole view, and there may be thousands.
pub(super) async fn follow(
    client: Client,
    disk: Disk,
    view: watch::Sender<Arc<ClusterView>>,
    gossip: GossipHandle,
    news: mpsc::UnboundedSender<News>,
    names: Arc<Names>,
) {
    let mut copy = ClusterView::clone(&view.borrow());
    let mut watch: Watch<ViewUpdate> = client.watch(Some(copy.index));
    let mut is_lost = false;
    loop {
        let (mut is_new, mut together) = (false, 0);
        let mut next = Some(watch.next().await);
        while let Some(watched) = next {
            match watched {
                Watched::Connected { manager } => {
                    debug!(%manager, "follows a manager");
                    is_lost = false;
                }
                Watched::Lost { error, .. } => {
                    report(&error, is_lost);
                    is_lost = true;
                }
                Watched::Change(change) => {
                    if let Err(gap) = change.change.apply_to(&mut copy) {
                        debug!(%gap, "asks for everything");
                        watch = client.watch(None);
                    } else {
                        is_new = true;
                    }
                }
            }
            together += 1;
            next = (together < TOGETHER)
                .then(|| watch.next().now_or_never())
                .flatten();
        }
        if !is_new {
            continue;
        }
        if let Err(error) = disk.save_view(&copy) {
            let error: &dyn std::error::Error = &error;
            warn!(error, "a restart would begin with an older view");
        }
        let whole = Arc::new(copy.clone());
        client.set_managers(managers(&whole));
        // The key comes first: a removed node must not read what is said next.
        let told = match gossip.set_keys(whole.keys.clone()).await {
            Ok(()) => gossip.set_members(gossips(&whole)).await,
            stopped => stopped,
        };
        names.view(&whole);
        view.send_replace(Arc::clone(&whole));
        if told.is_err() || news.send(News::View(whole)).is_err() {
            return;
        }
    }
}

/// Every attempt fails while no manager answers; the first failure is news.
fn report(error: &ClientError, is_known: bool) {
    let error: &dyn std::error::Error = error;
    if is_known {
        debug!(error, "still no manager tells");
    } else {
        info!(error, "no manager tells; goes on with what is known");
    }
}
