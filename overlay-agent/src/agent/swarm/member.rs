//! A node that takes part in a swarm: everything that runs as long as it does.
//!
//! | task | takes | gives |
//! |---|---|---|
//! | `cluster::service`, `cluster::manager::tend` (managers) | 2377/tcp, time | answers, log entries |
//! | `watcher` | the managers' stream | the view: on disk, to the gossip, to the follower |
//! | `gossip` | 7946 | updates |
//! | `relay` (two) | updates; the follower's words | news; claims |
//! | `renewal` | time, the view | new certificates |
//! | `follower` and the data plane | see `agent` | |

use std::{collections::BTreeSet, io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    sync::{broadcast, mpsc, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    Follower, Handle,
    disk::{Disk, DiskError, Kept},
    follower::Surroundings,
    managers::ManagersClient,
    relay::{self, Teller},
    renewal::{RenewError, Renewal},
    watcher,
};
use crate::{
    agent::{
        Error,
        plane::{self, Plane, Planes, Tasks, finish, spawn_until},
        start,
        store::Store,
    },
    api::types::Event,
    cluster::{
        client::{self, Client, ClientError},
        consensus::{Compaction, Consensus, OpenError, Options, Start, Timing},
        manager::{self, Beginning, Link, Manager},
        pki::{
            Clock, Credentials, FileError,
            tls::{Tls, TlsError},
        },
        service::{Limits, Service, ServiceError},
    },
    control::planner::Cluster,
    gossip::{self, GossipHandle, GossipService, GossipSettings, Known, Pace, next_epoch},
    model::{ClusterView, Role},
    settings::Settings,
};

/// How long a node that knows nothing waits for a manager's first word.
const FIRST_WORD: Duration = Duration::from_secs(20);

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
        let started = start_parts(ground, &mut kept, credentials, entry, &mut tasks, &cancel).await;
        match started {
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

async fn start_parts(
    ground: &Ground,
    kept: &mut Kept,
    credentials: Credentials,
    entry: Entry,
    tasks: &mut Tasks,
    cancel: &CancellationToken,
) -> Result<Access, Error> {
    let cluster_id = credentials.identity().cluster;
    let tls = Tls::new(credentials, ground.clock.clone()).map_err(MemberError::from)?;
    let (tls, tls_now) = watch::channel(Arc::new(tls));
    let client = Client::new(
        tls_now.clone(),
        kept.managers.clone(),
        client::Timing::default(),
        manager::jitter(),
    );
    let (down, down_now) = watch::channel(BTreeSet::new());
    let manager = if kept.is_manager {
        let part = Part {
            client: &client,
            tls: tls_now.clone(),
            down: down_now,
        };
        Some(start_manager(ground, kept, part, entry, tasks, cancel).await?)
    } else {
        None
    };

    let view = match ground.disk.view() {
        Some(view) => view,
        None => first_word(&client, ground).await?,
    };
    kept.epoch = Some(next_epoch(kept.epoch));
    kept.managers = watcher::managers(&view);
    ground.disk.save_node(kept).map_err(MemberError::from)?;
    client.set_managers(kept.managers.clone());

    let known = Known {
        keys: view.keys.clone(),
        members: watcher::gossips(&view),
        claims: Vec::new(),
    };
    let gossip_settings = GossipSettings {
        cluster: cluster_id.to_string(),
        node: kept.node,
        listen: SocketAddr::new(kept.listen.ip(), kept.gossip.port()),
        advertise: kept.gossip,
        epoch: kept.epoch.unwrap_or_default(),
        pace: Pace::default(),
        limits: gossip::Limits::default(),
    };
    let bound = GossipService::bind(gossip_settings, known).await;
    let (service, gossip, updates) = bound.map_err(MemberError::from)?;

    let mut cluster = Cluster::new(kept.node, Arc::new(view));
    let store = Store::open(&ground.settings.data_dir)?;
    let here = store.load()?;
    cluster.set_present(here.iter().map(|endpoint| endpoint.vni).collect());
    let plan = cluster.plan().ok_or(MemberError::Unknown)?;
    let settings = Settings {
        port: cluster.view().data_path_port,
        ..ground.settings.clone()
    };
    let (news, hear) = mpsc::unbounded_channel();
    let plane = plane::start(settings, plan, news.clone(), ground.events.clone(), cancel);
    let (shared, commands, plane_tasks) = plane.await?;
    let mut plane_tasks = plane_tasks;
    let plane_cancel = cancel.clone();
    tasks.spawn(async move {
        while let Some(ended) = plane_tasks.join_next().await {
            let ended = ended.unwrap_or(Err(Error::TaskEnded {
                task: "task that panicked",
            }))?;
            if !plane_cancel.is_cancelled() {
                return Err(Error::TaskEnded { task: ended });
            }
        }
        Ok("data plane")
    });

    let (view, view_now) = watch::channel(Arc::clone(cluster.view()));
    let managers = ManagersClient::new(client.clone(), view_now.clone());
    let (teller, words) = Teller::new();
    let endpoints = shared.directory().all();
    let directory = Arc::clone(&shared);
    let follower = Follower::new(
        cluster,
        Surroundings {
            endpoints,
            in_use: Arc::new(move |lease| directory.directory().uses(lease)),
            commands: commands.clone(),
            events: ground.events.clone(),
            leases: Arc::new(managers.clone()),
            announce: Box::new(teller),
        },
    );
    ground.planes.send_replace(Some(Arc::new(Plane {
        shared,
        commands,
        swarm: Some(Handle::new(news.clone())),
    })));

    let gossiping = cancel.clone();
    tasks.spawn(async move {
        Box::pin(service.run(gossiping)).await;
        Ok("gossip")
    });
    spawn_until(tasks, cancel.clone(), async move {
        follower.run(hear).await;
        Ok("follower")
    });
    let (telling, hearing) = (gossip.clone(), news.clone());
    let (heard, following) = (news.clone(), gossip.clone());
    spawn_until(tasks, cancel.clone(), async move {
        relay::tell(words, telling, heard).await;
        Ok("words")
    });
    spawn_until(tasks, cancel.clone(), async move {
        relay::hear(updates, hearing, down).await;
        Ok("updates")
    });
    let (disk, watching) = (ground.disk.clone(), client.clone());
    spawn_until(tasks, cancel.clone(), async move {
        watcher::follow(watching, disk, view, following, news).await;
        Ok("watcher")
    });
    let renewal = Renewal {
        client: client.clone(),
        files: ground.disk.certificates(),
        clock: ground.clock.clone(),
        tls,
        view: view_now.clone(),
    };
    spawn_until(tasks, cancel.clone(), async move {
        renewal.run().await;
        Ok("renewal")
    });
    info!(node = %kept.node, manager = kept.is_manager, "takes part in the swarm");
    Ok(Access {
        kept: kept.clone(),
        managers,
        client,
        tls: tls_now,
        view: view_now,
        gossip,
        manager,
    })
}

/// What a manager's part needs of the rest.
struct Part<'a> {
    client: &'a Client,
    tls: watch::Receiver<Arc<Tls>>,
    down: manager::Down,
}

async fn start_manager(
    ground: &Ground,
    kept: &Kept,
    part: Part<'_>,
    entry: Entry,
    tasks: &mut Tasks,
    cancel: &CancellationToken,
) -> Result<Manager, Error> {
    let options = Options {
        data_dir: ground.disk.directory().to_owned(),
        id: kept.node,
        address: kept.control,
        timing: Timing::default(),
        compaction: Compaction::default(),
    };
    let (start, beginning) = match entry {
        Entry::Found(beginning) => (
            Start::Init {
                epoch: rand::random(),
            },
            Some(beginning),
        ),
        Entry::Joined => (Start::Join, None),
        Entry::Restart => (Start::Restart, None),
        Entry::Forced => (
            Start::ForceNewCluster {
                epoch: rand::random(),
            },
            None,
        ),
    };
    let address = kept.listen;
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|source| MemberError::Listen { address, source })?;
    let link = Link::new(part.client.clone());
    let consensus = Consensus::start(start, options, link).await;
    let consensus = consensus.map_err(MemberError::from)?;
    let manager = Manager::new(consensus.clone(), ground.clock.clone(), part.down);
    let service = Service::new(
        Arc::new(manager.clone()),
        part.tls,
        ground.clock.clone(),
        Limits::default(),
    );
    let serving = cancel.clone();
    tasks.spawn(async move {
        service.serve(listener, serving).await;
        Ok("managers' service")
    });
    spawn_until(tasks, cancel.clone(), {
        let manager = manager.clone();
        async move {
            manager::tend(manager).await;
            Ok("managers' chores")
        }
    });
    let stopping = cancel.clone();
    tasks.spawn(async move {
        stopping.cancelled().await;
        consensus.shutdown().await;
        Ok("consensus")
    });
    if let Some(beginning) = beginning {
        manager.found(&beginning).await.map_err(MemberError::from)?;
    }
    Ok(manager)
}

async fn first_word(client: &Client, ground: &Ground) -> Result<ClusterView, Error> {
    let view = timeout(FIRST_WORD, watcher::first(client)).await;
    let view = view.map_err(|_elapsed| MemberError::Silence)?;
    let view = view.map_err(MemberError::NoView)?;
    ground.disk.save_view(&view).map_err(MemberError::from)?;
    Ok(view)
}

impl Access {
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
}
