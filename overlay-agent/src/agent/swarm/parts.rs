//! Everything that runs as long as a node takes part in a swarm.
//!
//! | task | takes | gives |
//! |---|---|---|
//! | `cluster::service`, `cluster::manager::tend` (managers) | 2377/tcp, time | answers, log entries |
//! | `watcher` | the managers' stream | the view: on disk, to the gossip, to the follower |
//! | `gossip` | 7946 | updates |
//! | `relay` (two) | updates; the follower's words | news; claims |
//! | `health` | the checks that are wanted, time | news |
//! | `tenancy` | the view, the endpoints, time | endpoints that follow their services |
//! | `encryption` | the view, the networks here, words of other nodes, the kernel's news | xfrm states and policies, words |
//! | `renewal` | time, the view | new certificates |
//! | `follower` and the data plane | see `agent` | |

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{
    Follower, Handle, News,
    disk::Kept,
    encryption::{self, Encryption},
    follower::Surroundings,
    managers::ManagersClient,
    member::{Access, Entry, FIRST_WORD, Ground, MemberError},
    relay::{self, Teller},
    renewal::Renewal,
    tasks, tenancy, watcher,
};
use crate::{
    agent::{
        Error, health,
        owner::Command,
        plane::{self, Plane, Tasks, spawn_until},
        shared::Shared,
        store::Store,
    },
    cluster::{
        client::{self, Client},
        consensus::{Compaction, Consensus, Options, Start, Timing},
        manager::{self, Link, Manager},
        pki::{Credentials, tls::Tls},
        service::{Counters, Limits, Service},
    },
    control::planner::Cluster,
    gossip::{self, GossipHandle, GossipService, GossipSettings, Known, Pace, Update, next_epoch},
    model::{ClusterId, ClusterView},
    settings::Settings,
};

/// Questions about encryption that wait.
const QUESTIONS: usize = 16;

/// Starts all of it. What was started before something fails is left to `cancel`.
pub(super) async fn start(
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
    let part = Part {
        client: &client,
        tls: tls_now.clone(),
        down: down_now,
    };
    let managing = start_manager(ground, kept, part, entry, tasks, cancel).await?;
    let (manager, door) = managing.unzip();

    let view = begin_run(&client, ground, kept).await?;

    let (service, gossip, updates) = bind_gossip(kept, cluster_id, &view).await?;
    let mut cluster = seen_from_here(ground, kept, view)?;
    let (news, hear) = mpsc::unbounded_channel();
    let plane = start_plane(ground, &mut cluster, &news, cancel).await?;
    let (shared, commands, plane_tasks) = plane;
    tasks.spawn(watch_plane(plane_tasks, cancel.clone()));

    let (view, view_now) = watch::channel(Arc::clone(cluster.view()));
    let managers = ManagersClient::new(client.clone(), view_now.clone());
    let (teller, words) = Teller::new(Arc::clone(&shared.names), Arc::clone(&shared.task_states));
    let attended = teller.attended();
    let (questions, asked) = mpsc::channel(QUESTIONS);
    let encryption = Encryption {
        questions,
        view: view_now.clone(),
    };
    let endpoints = shared.directory().all();
    let names = Arc::clone(&shared.names);
    names.view(cluster.view());
    let directory = Arc::clone(&shared);
    let (checks, wanted) = watch::channel(health::Checks::new());
    let follower = Follower::new(
        cluster,
        Surroundings {
            endpoints,
            in_use: Arc::new(move |lease| directory.directory().uses(lease)),
            commands: commands.clone(),
            events: ground.events.clone(),
            leases: Arc::new(managers.clone()),
            announce: Box::new(teller),
            checks,
        },
    );
    let plane = Arc::new(Plane {
        shared,
        commands,
        swarm: Some(Handle::new(news.clone()).with_encryption(encryption)),
    });
    ground.planes.send_replace(Some(Arc::clone(&plane)));

    let encrypting = encryption::Inputs {
        this: kept.node,
        cluster: cluster_id.to_string(),
        run: kept.epoch.unwrap_or_default(),
        disk: ground.disk.clone(),
        plane: Arc::clone(&plane),
        gossip: gossip.clone(),
        view: view_now.clone(),
        attended,
        questions: asked,
    };
    run_as(tasks, cancel, "encryption", encryption::keep(encrypting));
    let gossiping = cancel.clone();
    tasks.spawn(async move {
        Box::pin(service.run(gossiping)).await;
        Ok("gossip")
    });
    run_as(tasks, cancel, "follower", follower.run(hear));
    run_as(tasks, cancel, "checks", health::check(wanted, news.clone()));
    let (telling, hearing) = (gossip.clone(), news.clone());
    let (heard, following) = (news.clone(), gossip.clone());
    run_as(tasks, cancel, "words", relay::tell(words, telling, heard));
    let hearing = relay::hear(updates, hearing, down, Arc::clone(&names));
    run_as(tasks, cancel, "updates", hearing);
    let (disk, watching) = (ground.disk.clone(), client.clone());
    let watching = watcher::follow(watching, disk, view, following, news, names);
    run_as(tasks, cancel, "watcher", watching);
    let tenancy = tenancy::follow(plane, view_now.clone());
    run_as(tasks, cancel, "tenancy", tenancy);
    let renewing = renewal(ground, &client, tls, view_now.clone()).run();
    run_as(tasks, cancel, "renewal", renewing);
    info!(node = %kept.node, manager = kept.is_manager, "takes part in the swarm");
    Ok(Access {
        kept: kept.clone(),
        managers,
        client,
        tls: tls_now,
        view: view_now,
        gossip,
        manager,
        door,
    })
}

fn renewal(
    ground: &Ground,
    client: &Client,
    tls: watch::Sender<Arc<Tls>>,
    view: watch::Receiver<Arc<ClusterView>>,
) -> Renewal {
    Renewal {
        client: client.clone(),
        files: ground.disk.certificates(),
        clock: ground.clock.clone(),
        tls,
        view,
    }
}

/// Runs what never ends by itself, until it is told to stop.
fn run_as(
    tasks: &mut Tasks,
    cancel: &CancellationToken,
    name: &'static str,
    task: impl Future<Output = ()> + Send + 'static,
) {
    spawn_until(tasks, cancel.clone(), async move {
        task.await;
        Ok(name)
    });
}

async fn bind_gossip(
    kept: &Kept,
    cluster: ClusterId,
    view: &ClusterView,
) -> Result<(GossipService, GossipHandle, mpsc::Receiver<Update>), Error> {
    let known = Known {
        keys: view.keys.clone(),
        members: watcher::gossips(view),
        claims: Vec::new(),
    };
    let settings = GossipSettings {
        cluster: cluster.to_string(),
        node: kept.node,
        listen: SocketAddr::new(kept.listen.ip(), kept.gossip.port()),
        advertise: kept.gossip,
        epoch: kept.epoch.unwrap_or_default(),
        pace: Pace::default(),
        limits: gossip::Limits::default(),
    };
    let bound = GossipService::bind(settings, known).await;
    Ok(bound.map_err(MemberError::from)?)
}

/// The cluster with the endpoints that were here before.
fn seen_from_here(ground: &Ground, kept: &Kept, view: ClusterView) -> Result<Cluster, Error> {
    let mut cluster = Cluster::new(kept.node, Arc::new(view));
    let here = Store::open(&ground.settings.data_dir)?.load()?;
    cluster.set_present(here.iter().map(|endpoint| endpoint.vni).collect());
    let here: Vec<_> = here.into_iter().map(Arc::new).collect();
    let resumed = tasks::Tasks::resumed(here.iter().map(|endpoint| &endpoint.id));
    let own = resumed.all(here.iter(), cluster.view());
    cluster.set_own_tasks(own);
    Ok(cluster)
}

async fn start_plane(
    ground: &Ground,
    cluster: &mut Cluster,
    news: &mpsc::UnboundedSender<News>,
    cancel: &CancellationToken,
) -> Result<(Arc<Shared>, mpsc::Sender<Command>, Tasks), Error> {
    let mut plan = cluster.plan().ok_or(MemberError::Unknown)?;
    plan.services = cluster.take_services();
    let settings = Settings {
        port: cluster.view().data_path_port,
        ..ground.settings.clone()
    };
    plane::start(settings, plan, news.clone(), ground.events.clone(), cancel).await
}

/// Ends when a part of the data plane does.
async fn watch_plane(mut tasks: Tasks, cancel: CancellationToken) -> Result<&'static str, Error> {
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.unwrap_or(Err(Error::TaskEnded {
            task: "task that panicked",
        }))?;
        if !cancel.is_cancelled() {
            return Err(Error::TaskEnded { task: ended });
        }
    }
    Ok("data plane")
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
) -> Result<Option<(Manager, Arc<Counters>)>, Error> {
    if !kept.is_manager {
        return Ok(None);
    }
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
    let door = service.counters();
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
    Ok(Some((manager, door)))
}

/// Remembers that a run begins, with what the managers said last.
async fn begin_run(
    client: &Client,
    ground: &Ground,
    kept: &mut Kept,
) -> Result<ClusterView, Error> {
    let view = last_word(client, ground).await?;
    kept.epoch = Some(next_epoch(kept.epoch));
    kept.managers = watcher::managers(&view);
    ground.disk.save_node(kept).map_err(MemberError::from)?;
    client.set_managers(kept.managers.clone());
    Ok(view)
}

/// What the managers said last: what is kept, or their first word.
async fn last_word(client: &Client, ground: &Ground) -> Result<ClusterView, Error> {
    if let Some(view) = ground.disk.view() {
        return Ok(view);
    }
    let view = timeout(FIRST_WORD, watcher::first(client)).await;
    let view = view.map_err(|_elapsed| MemberError::Silence)?;
    let view = view.map_err(MemberError::NoView)?;
    ground.disk.save_view(&view).map_err(MemberError::from)?;
    Ok(view)
}
