//! A node that takes part in a swarm.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    sync::{broadcast, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    disk::{Disk, DiskError, Kept},
    managers::ManagersClient,
    parts,
    renewal::RenewError,
};
use crate::{
    agent::{
        Error,
        plane::{Planes, Tasks, finish},
        start,
    },
    api::types::Event,
    cluster::{
        client::{Client, ClientError},
        consensus::OpenError,
        manager::{Beginning, Manager},
        pki::{
            Clock, Credentials, FileError,
            tls::{Tls, TlsError},
        },
        service::{Counters, ServiceError},
    },
    gossip::{self, GossipHandle},
    model::{ClusterView, Role},
    settings::Settings,
};

/// How long a node that knows nothing waits for a manager's first word.
pub(super) const FIRST_WORD: Duration = Duration::from_secs(20);

/// How long a manager that replaces the root CA waits for its own certificate.
const FOLLOWED: Duration = Duration::from_secs(10);

/// How long a manager stays for the others to go on without it, and how often it looks.
const OUT_OF_THE_VOTE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(100);

/// Why a node could not take part.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// What is kept.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The certificate.
    #[error(transparent)]
    Files(#[from] FileError),
    /// The certificate is not there.
    #[error(
        "this node's certificate is gone from its data directory; `overlay swarm leave --force`, then \
         join again"
    )]
    NoCertificate,
    /// A new certificate.
    #[error(transparent)]
    Renew(#[from] RenewError),
    /// TLS.
    #[error("could not set up TLS")]
    Tls(#[from] TlsError),
    /// The managers' log.
    #[error("could not start as a manager")]
    Consensus(#[from] OpenError),
    /// The first entries of the log.
    #[error("could not begin the swarm")]
    Found(#[from] ServiceError),
    /// A port.
    #[error(
        "could not listen on {address}; choose another with --listen-addr, or stop who uses it"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The gossip's port.
    #[error("could not start the gossip")]
    Gossip(#[from] gossip::ListenError),
    /// Nobody told what the swarm is like.
    #[error("no manager told this node about its swarm")]
    NoView(#[source] ClientError),
    /// Nobody answered.
    #[error("no manager answered within {} s", FIRST_WORD.as_secs())]
    Silence,
    /// The managers do not know this node.
    #[error("the managers do not know this node; `overlay swarm leave --force`, then join again")]
    Unknown,
}

/// How a node begins to take part.
#[derive(Debug)]
pub(super) enum Entry {
    /// As the first node of a new swarm.
    Found(Box<Beginning>),
    /// With what it got when it joined.
    Joined,
    /// With what it kept.
    Restart,
    /// With what it kept, as the only manager.
    Forced,
}

/// What a node that takes part is asked through.
#[derive(Debug)]
pub(in crate::agent) struct Access {
    pub(in crate::agent) kept: Kept,
    pub(in crate::agent) managers: ManagersClient,
    pub(super) client: Client,
    pub(super) tls: watch::Receiver<Arc<Tls>>,
    pub(in crate::agent) view: watch::Receiver<Arc<ClusterView>>,
    pub(in crate::agent) gossip: GossipHandle,
    /// Its part among the managers; none on a worker.
    pub(in crate::agent) manager: Option<Manager>,
    /// What came to its port as a manager; none on a worker.
    pub(in crate::agent) door: Option<Arc<Counters>>,
}

/// A running node.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) access: Arc<Access>,
    pub(super) tasks: Tasks,
    /// Ends the tasks.
    pub(super) cancel: CancellationToken,
}

/// What a node needs of its agent.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    pub(super) settings: Settings,
    pub(super) disk: Disk,
    pub(super) planes: Arc<Planes>,
    pub(super) events: broadcast::Sender<Event>,
    pub(super) clock: Clock,
}

impl Member {
    /// Begins to take part. Nothing runs when that fails.
    pub(super) async fn start(
        ground: &Ground,
        mut kept: Kept,
        credentials: Credentials,
        entry: Entry,
    ) -> Result<Self, Error> {
        let cancel = CancellationToken::new();
        let mut tasks = Tasks::new();
        let started = parts::start(ground, &mut kept, credentials, entry, &mut tasks, &cancel);
        match started.await {
            Ok(access) => Ok(Self {
                access: Arc::new(access),
                tasks,
                cancel,
            }),
            Err(error) => {
                cancel.cancel();
                ground.planes.send_replace(None);
                if let Err(error) = finish(tasks, cancel.clone(), cancel).await {
                    let error: &dyn std::error::Error = &error;
                    warn!(error, "after a failed start");
                }
                Err(error)
            }
        }
    }
}

impl Access {
    /// When a manager last told that it is there, seconds since 1970.
    pub(in crate::agent) fn heard(&self) -> Option<u64> {
        self.client.heard()
    }

    /// What this node does, as the managers say.
    pub(in crate::agent) fn role(&self) -> Role {
        let view = self.view.borrow();
        let member = view.members.get(&self.kept.node);
        member.map_or(Role::Worker, |member| member.role)
    }

    /// Waits until this node proves itself with a certificate of this authority, but not for ever.
    pub(in crate::agent) async fn has_authority(&self, manager: &Manager, name: &str) {
        let mut tls = self.tls.clone();
        let followed = async {
            manager.heard_of_authority(name).await;
            let has = |tls: &Arc<Tls>| {
                let own = tls.credentials();
                let signer = own.bundle().signer_of(&own.certificate());
                signer.is_some_and(|signer| signer.to_string() == name)
            };
            tls.wait_for(has).await.is_ok()
        };
        if timeout(FOLLOWED, followed).await != Ok(true) {
            info!("this node has no certificate of the new root CA yet");
        }
    }

    /// Waits until the managers want something else of this node than it does.
    pub(super) async fn role_changed(&self) -> Role {
        let mut view = self.view.clone();
        let node = self.kept.node;
        let role = |view: &ClusterView| view.members.get(&node).map(|member| member.role);
        let does = if self.kept.is_manager {
            Role::Manager
        } else {
            Role::Worker
        };
        let changed = view.wait_for(|view| role(view).is_some_and(|wanted| wanted != does));
        if changed.await.is_err() {
            // The node's part has ended; so will whoever waits.
            std::future::pending::<()>().await;
        }
        match does {
            Role::Manager => Role::Worker,
            Role::Worker => Role::Manager,
        }
    }

    /// Waits until the other managers decide without this node, but not for ever.
    pub(super) async fn out_of_the_vote(&self) {
        let Some(manager) = &self.manager else {
            return;
        };
        for _ in 0..OUT_OF_THE_VOTE.as_millis() / LOOK.as_millis() {
            let voters = manager.consensus().voters();
            if !voters.iter().any(|(voter, _)| *voter == self.kept.node) {
                return;
            }
            sleep(LOOK).await;
        }
        warn!("the other managers still count on this one");
    }
}

/// Takes the data plane of a node away that took part.
pub(super) fn remove_plane(settings: &Settings) {
    if let Err(error) = start::undo(&settings.run_dir) {
        let error: &dyn std::error::Error = &error;
        warn!(
            error,
            "a part of the data plane is left; `overlay-agent uninstall` removes it"
        );
    }
    if let Err(error) = super::remove_xfrm() {
        let error: &dyn std::error::Error = &error;
        warn!(
            error,
            "xfrm states are left; `overlay-agent uninstall` removes them"
        );
    }
}
