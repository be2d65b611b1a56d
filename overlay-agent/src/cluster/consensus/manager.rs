//! A manager's part in the consensus: starting, looking, stopping.

use std::{collections::BTreeMap, fmt, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Leader, OpenError, Options, StateMachine, StoreError, Transport,
    network::{Contacts, Network},
    store::{Epoch, FileMedium, LogStore, Machine, MachineStore, Store},
    supervisor::supervise,
    types::{Peer, Raft},
};
use crate::model::NodeId;

/// How a manager begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Start {
    /// As the only voter of a new swarm.
    Init {
        /// 64 random bits, not zero.
        epoch: u64,
    },
    /// With nothing, until the leader of a swarm adds it.
    Join,
    /// With what it had.
    Restart,
    /// With what it had, as the only voter of a swarm that has no other manager any more. The others of
    /// old are shut out and must join anew.
    ForceNewCluster {
        /// 64 random bits, not zero.
        epoch: u64,
    },
}

/// A manager's part in the consensus. Clones are the same manager.
///
/// Runs until `shutdown`.
pub struct Consensus<S> {
    pub(super) inner: Arc<Inner<S>>,
}

pub(super) struct Inner<S> {
    pub(super) options: Options,
    pub(super) store: Arc<Store>,
    pub(super) epoch: Arc<Epoch>,
    pub(super) machine: Arc<Machine<S>>,
    pub(super) contacts: Arc<Contacts>,
    pub(super) engine: watch::Sender<Engine>,
    pub(super) leader: watch::Sender<Option<Leader>>,
    /// One change of the voters at a time.
    pub(super) changing: Mutex<()>,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
}

/// Whether openraft runs.
#[derive(Clone)]
pub(super) enum Engine {
    Running(Raft),
    Failed(StoreError),
    Stopped,
}

impl<S> Clone for Consensus<S> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<S> fmt::Debug for Consensus<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consensus")
            .field("id", &self.inner.options.id)
            .field("leader", &*self.inner.leader.borrow())
            .finish_non_exhaustive()
    }
}

impl<S: StateMachine> Consensus<S> {
    /// Starts a manager. With `Init` and `ForceNewCluster` it leads when this returns; otherwise it may
    /// take until other managers answer. The state is at once what the newest snapshot and the log up to
    /// the last known commit say.
    pub async fn start(
        start: Start,
        options: Options,
        transport: impl Transport,
    ) -> Result<Self, OpenError> {
        let medium = FileMedium::new(&options.data_dir);
        let id = options.id;
        let open = move || match start {
            Start::Init { epoch } => Store::create(medium, id, epoch.max(1)),
            Start::Join => Store::create(medium, id, 0),
            Start::Restart | Start::ForceNewCluster { .. } => Store::open(medium, id),
        };
        Self::start_on(start, options, transport, open).await
    }

    /// `start` on a medium that holds an initialised store.
    #[cfg(test)]
    pub(super) async fn start_in(
        medium: impl super::store::Medium,
        start: Start,
        options: Options,
        transport: impl Transport,
    ) -> Result<Self, OpenError> {
        let id = options.id;
        Self::start_on(start, options, transport, move || Store::open(medium, id)).await
    }

    async fn start_on<T: Transport>(
        start: Start,
        options: Options,
        transport: T,
        open: impl FnOnce() -> Result<Store, StoreError> + Send + 'static,
    ) -> Result<Self, OpenError> {
        options.raft()?;
        let forced = match start {
            Start::ForceNewCluster { epoch } => Some(epoch.max(1)),
            Start::Init { .. } | Start::Join | Start::Restart => None,
        };
        let (id, peer) = (options.id.into(), Peer::at(options.address));
        let prepare = move || {
            let store = open()?;
            if let Some(epoch) = forced {
                store.force_single_voter(id, peer, epoch)?;
            }
            let store = Arc::new(store);
            let epoch = Epoch::load(Arc::clone(&store))?;
            let machine = Machine::load(&store)?;
            Ok::<_, StoreError>((store, epoch, machine))
        };
        let (store, epoch, machine) = tokio::task::spawn_blocking(prepare)
            .await
            .map_err(|_panicked| OpenError::Stopped)??;
        let inner = Arc::new(Inner {
            options,
            store,
            epoch: Arc::new(epoch),
            machine: Arc::new(machine),
            contacts: Arc::default(),
            engine: watch::Sender::new(Engine::Stopped),
            leader: watch::Sender::new(None),
            changing: Mutex::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        let transport = Arc::new(transport);
        let raft = inner.run(&transport).await?;
        let this = Self {
            inner: Arc::clone(&inner),
        };
        inner.engine.send_replace(Engine::Running(raft.clone()));
        inner
            .tasks
            .spawn(supervise(Arc::clone(&inner), transport, raft.clone()));
        inner.tasks.close();
        match this.settle(start, &raft).await {
            Ok(()) => Ok(this),
            Err(error) => {
                this.shutdown().await;
                Err(error)
            }
        }
    }

    async fn settle(&self, start: Start, raft: &Raft) -> Result<(), OpenError> {
        let options = &self.inner.options;
        match start {
            Start::Join | Start::Restart => return Ok(()),
            Start::ForceNewCluster { .. } => {}
            Start::Init { .. } => {
                let voters = BTreeMap::from([(options.id.into(), Peer::at(options.address))]);
                if let Err(error) = raft.initialize(voters).await {
                    return Err(if error.api_error().is_some() {
                        OpenError::Initialised
                    } else {
                        self.inner
                            .store
                            .take_fault()
                            .map_or(OpenError::Stopped, OpenError::Store)
                    });
                }
            }
        }
        let mut leader = self.inner.leader.subscribe();
        let leads = leader.wait_for(|leader| leader.is_some_and(|leader| leader.id == options.id));
        match timeout(options.timing.request, leads).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(OpenError::Stopped),
            Err(_) => Err(OpenError::NoLeader),
        }
    }

    /// Stops this manager's part, and returns when its file is closed.
    pub async fn shutdown(&self) {
        self.inner.stop.cancel();
        self.inner.tasks.wait().await;
    }

    /// This manager.
    pub fn id(&self) -> NodeId {
        self.inner.options.id
    }

    /// The managers that vote, sorted.
    pub fn voters(&self) -> Vec<(NodeId, SocketAddr)> {
        let Engine::Running(raft) = &*self.inner.engine.borrow() else {
            return Vec::new();
        };
        let metrics = raft.metrics();
        let metrics = metrics.borrow();
        let membership = metrics.membership_config.membership();
        let mut voters: Vec<_> = membership
            .voter_ids()
            .filter_map(|id| Some((id.into(), membership.get_node(&id)?.address)))
            .collect();
        voters.sort_unstable();
        voters
    }

    /// How long ago another manager last answered this one. The leader hears from all that are alive
    /// every one and a half heartbeats; others hear nothing while there is a leader.
    pub fn last_contact(&self, id: NodeId) -> Option<Duration> {
        self.inner.contacts.since(id.into())
    }

    /// What keeps this manager from writing, while something does.
    pub fn fault(&self) -> Option<StoreError> {
        match &*self.inner.engine.borrow() {
            Engine::Failed(fault) => Some(fault.clone()),
            Engine::Running(_) | Engine::Stopped => None,
        }
    }
}

impl<S: StateMachine> Inner<S> {
    /// An openraft over the store as it is.
    pub(super) async fn run<T: Transport>(&self, transport: &Arc<T>) -> Result<Raft, OpenError> {
        let network = Network {
            transport: Arc::clone(transport),
            epoch: Arc::clone(&self.epoch),
            contacts: Arc::clone(&self.contacts),
            retry: self.options.timing.heartbeat,
        };
        let config = Arc::new(self.options.raft()?);
        let log = LogStore::new(Arc::clone(&self.store));
        let machine = MachineStore::new(Arc::clone(&self.machine), Arc::clone(&self.store));
        Raft::new(self.options.id.into(), config, network, log, machine)
            .await
            .map_err(|fatal| OpenError::Store(self.fault_behind(&fatal)))
    }

    /// The store's own words for what stopped openraft.
    pub(super) fn fault_behind(&self, fatal: &dyn fmt::Display) -> StoreError {
        self.store.take_fault().unwrap_or_else(|| StoreError::Io {
            operation: "use",
            path: self.store.path().to_owned(),
            reason: fatal.to_string(),
        })
    }
}
