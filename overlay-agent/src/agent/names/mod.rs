//! Names for this node's containers: what is known goes in, and the server answers from it.
//!
//! | task | takes | gives | ends |
//! |---|---|---|---|
//! | `names` | questions of containers, the host's resolv.conf | replies, [`Names::state`] | with the data plane |
//! | `names of the file` (static cluster) | endpoints that come and go | the zone | with the owner |
//!
//! What other nodes and managers say is passed on by who hears it: `swarm::relay` and `swarm::watcher`.

mod askers;
mod descriptors;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{Arc, OnceLock},
};

use askers::Containers;
use tokio::sync::{mpsc, watch};

use super::{shared::Shared, swarm::News};
use crate::{
    dns::{Counters, Desk, Doors, Endpoint, Figures, NetworkFacts, Servers, Side, Zone, serve},
    model::{Attachment, Claim, ClusterView, Desired, NodeId, Place, Vni},
    settings::DnsSettings,
};

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// What is known of names, and how answering goes.
#[derive(Debug)]
pub(super) struct Names {
    zone: watch::Sender<Arc<Zone>>,
    doors: watch::Sender<Doors>,
    counters: Arc<Counters>,
    /// Who is asked for other names, once the server runs.
    servers: OnceLock<Servers>,
}

/// How answering goes.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// Where it answers, or why it does not.
    pub(super) doors: Doors,
    /// Who is asked for other names.
    pub(super) servers: Arc<[SocketAddr]>,
    /// Addresses that have a name.
    pub(super) addresses: usize,
    pub(super) figures: Figures,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            zone: watch::channel(Arc::default()).0,
            doors: watch::channel(Doors::default()).0,
            counters: Arc::default(),
            servers: OnceLock::new(),
        }
    }
}

impl Names {
    /// Takes over what the managers say.
    pub(super) fn view(&self, view: &Arc<ClusterView>) {
        self.change(|zone| zone.set_view(view));
    }

    /// Takes over what the other nodes say.
    pub(super) fn claims(&self, claims: &[(Place, Option<(NodeId, Claim)>)]) {
        self.change(|zone| {
            for (place, winner) in claims {
                let endpoint = winner.as_ref().map(|(_, claim)| Endpoint::from(claim));
                zone.set_endpoint(*place, Side::Elsewhere, endpoint);
            }
        });
    }

    /// Takes over what this node says of an endpoint of its own.
    pub(super) fn claim(&self, claim: &Claim) {
        let place = Place {
            vni: claim.vni,
            address: claim.address,
        };
        self.own(place, Some(Endpoint::from(claim)));
    }

    /// An address of this node is free.
    pub(super) fn withdraw(&self, vni: Vni, address: IpAddr) {
        self.own(Place { vni, address }, None);
    }

    fn own(&self, place: Place, endpoint: Option<Endpoint>) {
        self.change(|zone| zone.set_endpoint(place, Side::Here, endpoint));
    }

    /// Changes the zone where it is, unless somebody answers from it at this moment.
    fn change(&self, change: impl FnOnce(&mut Zone)) {
        self.zone.send_modify(|zone| change(Arc::make_mut(zone)));
    }

    /// How answering goes.
    pub(super) fn state(&self) -> State {
        State {
            doors: self.doors.borrow().clone(),
            servers: self.servers.get().map(Servers::now).unwrap_or_default(),
            addresses: self.zone.borrow().addresses(),
            figures: self.counters.figures(),
        }
    }
}

/// Answers this node's containers until it is dropped.
pub(super) async fn answer(shared: Arc<Shared>) {
    let settings = &shared.settings.dns;
    if !settings.enabled {
        return std::future::pending().await;
    }
    descriptors::raise();
    let names = &shared.names;
    let (servers, follower) = servers(settings);
    let servers = names.servers.get_or_init(|| servers).clone();
    let desk = Arc::new(Desk::new(
        names.zone.subscribe(),
        Arc::new(Containers(Arc::clone(&shared))),
        servers,
        settings.ttl_s,
        Arc::clone(&names.counters),
    ));
    let serving = serve(
        desk,
        settings.addresses.clone(),
        settings.port,
        names.doors.clone(),
    );
    match follower {
        Some(follower) => tokio::join!(serving, follower.run()).0,
        None => serving.await,
    }
}

fn servers(settings: &DnsSettings) -> (Servers, Option<crate::dns::ServersFollower>) {
    if settings.upstream.is_empty() {
        let (servers, follower) = Servers::of_file(Path::new(RESOLV_CONF), &settings.addresses);
        (servers, Some(follower))
    } else {
        (Servers::fixed(&settings.upstream), None)
    }
}

/// Where nobody else tells of endpoints: follows those of this node until the owner ends.
pub(super) async fn follow(
    shared: Arc<Shared>,
    desired: Desired,
    mut changes: mpsc::UnboundedReceiver<News>,
) {
    let names = &shared.names;
    names.change(|zone| zone.set_networks(&networks(&desired)));
    let present = shared.directory().all();
    for attachment in present.values() {
        tell(names, attachment, true);
    }
    while let Some(news) = changes.recv().await {
        if let News::Attached(attachment) = &news {
            tell(names, attachment, true);
        } else if let News::Detached(attachment) = &news {
            tell(names, attachment, false);
        }
    }
}

fn tell(names: &Names, attachment: &Attachment, is_here: bool) {
    for address in attachment.addresses() {
        let vni = attachment.vni;
        let endpoint = is_here
            .then(|| Endpoint::new(&attachment.name, &attachment.id, &attachment.aliases, None));
        names.own(Place { vni, address }, endpoint);
    }
}

fn networks(desired: &Desired) -> BTreeMap<Vni, NetworkFacts> {
    let networks = desired.networks.iter().map(|network| {
        let facts = NetworkFacts {
            name: network.name.clone(),
            subnets: network.subnets.clone(),
            is_internal: false,
            is_ingress: false,
        };
        (network.vni, facts)
    });
    networks.collect()
}
