//! The life of a node: out of a swarm, in one, out again. One change at a time.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::lookup_host,
    sync::{Mutex, broadcast, mpsc, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::{
    addresses::{self, Place},
    disk::{Disk, Kept},
    managers::told,
    member::{Access, Entry, Ground, Member, MemberError, remove_plane},
    renewal::renewed,
    watcher,
};
use crate::{
    agent::{
        Error,
        plane::{Planes, finish},
    },
    api::{
        ApiError, refusals,
        types::{
            Event, JoinToken, SwarmInit, SwarmInitialized, SwarmJoin, SwarmJoined, SwarmLeave,
        },
    },
    cluster::{
        client::{self, Join, join},
        manager::{self, Ask, Manager, NewCluster, begin},
        pki::{self, Clock, SecretKey},
        service::Host,
        state::Pool,
    },
    model::{Availability, RequestId, Role},
    settings::{Settings, SwarmSettings},
};

/// Time between two attempts.
const AGAIN: Duration = Duration::from_secs(3);

/// UDP port of VXLAN where nobody chose one.
const DATA_PATH_PORT: u16 = 4789;

/// Prefix lengths of subnets of pools where nobody chose one.
const POOL_MASKS: (u8, u8) = (24, 64);

/// A node's part in a swarm, whether it has one or not.
#[derive(Debug)]
pub(in crate::agent) struct Life {
    ground: Ground,
    swarm: SwarmSettings,
    member: Mutex<Option<Running>>,
    access: watch::Sender<Option<Arc<Access>>>,
    /// What ends a node's part without being asked for.
    failures: mpsc::UnboundedSender<Error>,
}

#[derive(Debug)]
struct Running {
    /// Cancelled first: from then on tasks may end.
    told: CancellationToken,
    cancel: CancellationToken,
    done: tokio::task::JoinHandle<()>,
}

impl Life {
    /// A node that takes no part yet. Failures of its part, if it takes one, come out of the receiver.
    pub(in crate::agent) fn new(
        settings: Settings,
        swarm: SwarmSettings,
        planes: Planes,
        events: broadcast::Sender<Event>,
    ) -> (Self, mpsc::UnboundedReceiver<Error>) {
        let (failures, failed) = mpsc::unbounded_channel();
        let life = Self {
            ground: Ground {
                disk: Disk::new(&settings.data_dir),
                settings,
                planes: Arc::new(planes),
                events,
                clock: Clock::system(),
            },
            swarm,
            member: Mutex::default(),
            access: watch::Sender::new(None),
            failures,
        };
        (life, failed)
    }

    /// What the swarm is asked through.
    pub(in crate::agent) fn access(&self) -> Result<Arc<Access>, ApiError> {
        let access = self.access.borrow().clone();
        access.ok_or_else(|| self.absence())
    }

    /// Why there is nothing to ask.
    pub(in crate::agent) fn absence(&self) -> ApiError {
        match self.ground.disk.node() {
            Ok(None) => refusals::not_in_swarm(),
            Ok(Some(_)) | Err(_) => refusals::not_taken_up(),
        }
    }

    /// What a manager is asked through.
    pub(in crate::agent) fn manager_access(&self) -> Result<Arc<Access>, ApiError> {
        let access = self.access()?;
        if access.manager.is_some() && access.role() == Role::Manager {
            Ok(access)
        } else {
            Err(refusals::not_a_manager())
        }
    }

    /// Takes up the part that an earlier agent had, if that is possible at once.
    pub(in crate::agent) async fn begin(&self) -> bool {
        match self.resume().await {
            Ok(()) => true,
            Err(error) => {
                let what = "could not take up this node's part in its swarm; tries again";
                report(&error, what);
                false
            }
        }
    }

    /// Takes up the part that an earlier agent had, and does what the managers want of this node from
    /// then on.
    pub(in crate::agent) async fn run(&self) {
        while !self.begin().await {
            sleep(AGAIN).await;
        }
        let mut access = self.access.subscribe();
        loop {
            let present = access.borrow_and_update().clone();
            let role = tokio::select! {
                role = async {
                    match &present {
                        Some(present) => present.role_changed().await,
                        None => std::future::pending().await,
                    }
                } => role,
                changed = access.changed() => match changed {
                    Ok(()) => continue,
                    Err(_ended) => return,
                },
            };
            drop(present);
            if let Err(error) = self.change_role(role).await {
                report(&error, "could not change this node's role yet; tries again");
                sleep(AGAIN).await;
            }
        }
    }

    /// Becomes a manager or a worker, as the managers want. The data plane is started anew, and traffic
    /// goes on meanwhile.
    async fn change_role(&self, role: Role) -> Result<(), Error> {
        let mut member = self.member.lock().await;
        let Some(access) = self.access.borrow().clone() else {
            return Ok(());
        };
        let loaded = self.ground.disk.certificates().load();
        let old = loaded
            .map_err(MemberError::from)?
            .ok_or(MemberError::NoCertificate)?;
        if role == Role::Worker {
            access.out_of_the_vote().await;
        }
        let files = self.ground.disk.certificates();
        let credentials = renewed(&access.client, &files, old.key().clone()).await;
        let credentials = credentials.map_err(MemberError::from)?;
        let kept = Kept {
            is_manager: credentials.identity().role == Role::Manager,
            managers: watcher::managers(&access.view.borrow()),
            ..access.kept.clone()
        };
        drop(access);
        if let Some(running) = member.take() {
            self.stop(running).await;
        }
        let entry = if kept.is_manager {
            Entry::Joined
        } else {
            Entry::Restart
        };
        self.ground.disk.remove_log().map_err(MemberError::from)?;
        self.ground
            .disk
            .save_node(&kept)
            .map_err(MemberError::from)?;
        let started = Member::start(&self.ground, kept, credentials, entry).await?;
        info!(role = %started.access.role(), "has another role");
        *member = Some(self.start(started));
        Ok(())
    }

    /// Takes up the part that an earlier agent had. Managers need not answer.
    async fn resume(&self) -> Result<(), Error> {
        let mut member = self.member.lock().await;
        if member.is_some() {
            return Ok(());
        }
        let Some(kept) = self.ground.disk.node().map_err(MemberError::from)? else {
            info!("waits for `overlay swarm init` or `overlay swarm join`");
            return Ok(());
        };
        let credentials = self.ground.disk.certificates().load();
        let credentials = credentials
            .map_err(MemberError::from)?
            .ok_or(MemberError::NoCertificate)?;
        let started = Member::start(&self.ground, kept, credentials, Entry::Restart).await?;
        *member = Some(self.start(started));
        Ok(())
    }

    /// Makes a swarm.
    pub(in crate::agent) async fn init(
        &self,
        request: SwarmInit,
    ) -> Result<SwarmInitialized, ApiError> {
        let mut member = self.member.lock().await;
        if request.force_new_cluster {
            return self.force_new(&mut member).await;
        }
        if member.is_some() {
            return Err(refusals::already_in_swarm());
        }
        let place = addresses::place(&request.addresses, &self.swarm, request.gossip_port, None)?;
        let wish = NewCluster {
            host: self.host(place, request.availability),
            pools: pools(&request),
            data_path_port: request.data_path_port.unwrap_or(DATA_PATH_PORT),
        };
        let beginning = begin(wish, self.ground.clock.now());
        let beginning = beginning.map_err(|error| ApiError::internal(&error))?;
        let credentials = beginning.credentials.clone();
        let kept = self.kept(&credentials, place, vec![place.control]);
        let entry = Entry::Found(Box::new(beginning));
        *member = Some(self.enter(kept, credentials, entry).await?);
        self.initialized()
    }

    async fn force_new(&self, member: &mut Option<Running>) -> Result<SwarmInitialized, ApiError> {
        let kept = self.ground.disk.node();
        let kept = kept.map_err(|error| ApiError::internal(&error))?;
        let Some(kept) = kept.filter(|kept| kept.is_manager) else {
            return Err(refusals::not_a_manager());
        };
        if let Some(running) = member.take() {
            self.stop(running).await;
        }
        let credentials = self.ground.disk.certificates().load();
        let credentials = credentials
            .map_err(|error| ApiError::internal(&error))?
            .ok_or_else(|| ApiError::internal(&MemberError::NoCertificate))?;
        let kept = Kept {
            managers: vec![kept.control],
            ..kept
        };
        let started = Member::start(&self.ground, kept, credentials, Entry::Forced).await;
        let started = started.map_err(|error| ApiError::internal(&error))?;
        let node = started.access.kept.node;
        *member = Some(self.start(started));
        let access = self.access()?;
        let change = crate::cluster::state::Change::ForceNewCluster { node };
        access.managers.change(change).await?;
        self.initialized()
    }

    fn initialized(&self) -> Result<SwarmInitialized, ApiError> {
        let access = self.access()?;
        let tokens = access.manager.as_ref().and_then(Manager::join_tokens);
        let tokens = tokens.ok_or_else(refusals::no_leader)?;
        Ok(SwarmInitialized {
            node_id: access.kept.node,
            worker_token: JoinToken::new(tokens.worker.reveal().to_string()),
            address: access.kept.control,
        })
    }

    /// Becomes a node of a swarm.
    pub(in crate::agent) async fn join(&self, request: SwarmJoin) -> Result<SwarmJoined, ApiError> {
        let mut member = self.member.lock().await;
        if member.is_some() {
            return Err(refusals::already_in_swarm());
        }
        let token: pki::JoinToken = request
            .token
            .reveal()
            .parse()
            .map_err(|error: pki::TokenError| ApiError::bad_request(error.to_string()))?;
        let remotes = resolve(&request.remote).await?;
        let place = addresses::place(
            &request.addresses,
            &self.swarm,
            request.gossip_port,
            remotes.first().copied(),
        )?;
        let key = SecretKey::generate().map_err(|error| ApiError::internal(&error))?;
        let wish = Join {
            id: RequestId::from_random(rand::random()),
            token,
            key,
            host: self.host(place, request.availability),
        };
        let timing = client::Timing::default();
        let clock = self.ground.clock.clone();
        let joined = join(wish, remotes, clock, timing, manager::jitter()).await;
        let joined = joined.map_err(|error| told(&error))?;
        let role = joined.credentials.identity().role;
        let kept = self.kept(&joined.credentials, place, joined.managers);
        let node_id = kept.node;
        let entered = self.enter(kept, joined.credentials, Entry::Joined).await?;
        *member = Some(entered);
        Ok(SwarmJoined { node_id, role })
    }

    /// Leaves the swarm.
    pub(in crate::agent) async fn leave(&self, request: SwarmLeave) -> Result<(), ApiError> {
        let mut member = self.member.lock().await;
        let access = self.access.borrow().clone();
        let Some(access) = access else {
            return self.leave_remains(request);
        };
        let force = request.force;
        if let Err(error) = access.managers.ask(Ask::Leave { force }).await
            && !force
        {
            return Err(error);
        }
        if view_has_other_managers(&access) {
            access.out_of_the_vote().await;
        }
        if let Some(running) = &*member {
            running.told.cancel();
        }
        if access.gossip.leave().await.is_err() {
            info!("the gossip had ended before");
        }
        self.detach_all().await?;
        drop(access);
        if let Some(running) = member.take() {
            self.stop(running).await;
        }
        remove_plane(&self.ground.settings);
        let forgotten = self.ground.disk.destroy();
        forgotten.map_err(|error| ApiError::internal(&error))?;
        info!("left the swarm");
        Ok(())
    }

    /// A part that could not be taken up again is given up by force.
    fn leave_remains(&self, request: SwarmLeave) -> Result<(), ApiError> {
        let kept = self.ground.disk.node();
        if matches!(kept, Ok(None)) {
            return Err(refusals::not_in_swarm());
        }
        if !request.force {
            return Err(ApiError::conflict(
                "this node's part in its swarm could not be taken up; see the agent's log",
            )
            .with_help("use --force to give it up"));
        }
        let forgotten = self.ground.disk.destroy();
        forgotten.map_err(|error| ApiError::internal(&error))
    }

    async fn detach_all(&self) -> Result<(), ApiError> {
        let Some(plane) = self.ground.planes.borrow().clone() else {
            return Ok(());
        };
        let all = plane.shared.directory().all();
        for id in all.into_keys() {
            let command = |answer| crate::agent::owner::Command::Detach(id, None, answer);
            crate::agent::audit::ask(&plane.commands, command).await??;
        }
        Ok(())
    }

    /// Stops, and leaves everything in the kernel and on disk as it is.
    pub(in crate::agent) async fn end(&self) {
        let running = self.member.lock().await.take();
        if let Some(running) = running {
            self.stop(running).await;
        }
    }

    async fn stop(&self, running: Running) {
        self.access.send_replace(None);
        self.ground.planes.send_replace(None);
        running.told.cancel();
        running.cancel.cancel();
        if let Err(error) = running.done.await {
            error!(%error, "BUG: the node's tasks were not waited for");
        }
    }

    /// Keeps who this node is, and begins to take part. Nothing is left when that fails.
    async fn enter(
        &self,
        kept: Kept,
        credentials: pki::Credentials,
        entry: Entry,
    ) -> Result<Running, ApiError> {
        let disk = &self.ground.disk;
        let begun = async {
            disk.destroy().map_err(MemberError::from)?;
            disk.certificates()
                .save(&credentials)
                .map_err(MemberError::from)?;
            disk.save_node(&kept).map_err(MemberError::from)?;
            Member::start(&self.ground, kept, credentials, entry).await
        };
        match begun.await {
            Ok(started) => Ok(self.start(started)),
            Err(failure) => {
                if let Err(error) = disk.destroy() {
                    let error: &dyn std::error::Error = &error;
                    error!(error, "remains of the failed attempt");
                }
                Err(ApiError::internal(&failure))
            }
        }
    }

    fn start(&self, started: Member) -> Running {
        let Member {
            access,
            tasks,
            cancel,
        } = started;
        self.access.send_replace(Some(access));
        let failures = self.failures.clone();
        let told = CancellationToken::new();
        let (ending, stopping) = (told.clone(), cancel.clone());
        #[expect(
            clippy::disallowed_methods,
            reason = "it outlives the request that starts it; `Running` waits for it"
        )]
        let done = tokio::spawn(async move {
            if let Err(error) = finish(tasks, ending, stopping).await
                && let Err(unheard) = failures.send(error)
            {
                let error: &dyn std::error::Error = &unheard.0;
                error!(error, "while the agent ended");
            }
        });
        Running { told, cancel, done }
    }

    fn host(&self, place: Place, availability: Availability) -> Host {
        Host {
            hostname: self.ground.settings.node.clone(),
            data_path: place.data_path,
            gossip: place.gossip,
            control: place.control,
            availability,
        }
    }

    fn kept(
        &self,
        credentials: &pki::Credentials,
        place: Place,
        managers: Vec<SocketAddr>,
    ) -> Kept {
        let identity = credentials.identity();
        Kept {
            node: identity.node,
            hostname: self.ground.settings.node.clone(),
            listen: place.listen,
            control: place.control,
            gossip: place.gossip,
            data_path: place.data_path,
            managers,
            is_manager: identity.role == Role::Manager,
            epoch: None,
        }
    }
}

fn report(error: &Error, told: &'static str) {
    let error: &dyn std::error::Error = error;
    error!(error, "{told}");
}

fn view_has_other_managers(access: &Access) -> bool {
    let view = access.view.borrow();
    let mut others = view.members.values();
    others.any(|member| member.role == Role::Manager && member.id != access.kept.node)
}

fn pools(request: &SwarmInit) -> Vec<Pool> {
    let (ipv4, ipv6) = POOL_MASKS;
    let pool = |net: &ipnet::IpNet| Pool {
        net: *net,
        mask_length: request.pool_mask_length.unwrap_or(if net.addr().is_ipv4() {
            ipv4
        } else {
            ipv6
        }),
    };
    request.address_pools.iter().map(pool).collect()
}

/// The addresses of a manager.
async fn resolve(remote: &str) -> Result<Vec<SocketAddr>, ApiError> {
    let unknown = |told: String| {
        ApiError::bad_request(format!("could not find the manager {remote}: {told}"))
            .with_help("give its address and port, like 192.0.2.1:2377")
    };
    let found = lookup_host(remote).await;
    let found: Vec<SocketAddr> = found.map_err(|error| unknown(error.to_string()))?.collect();
    if found.is_empty() {
        return Err(unknown("the name has no address".to_owned()));
    }
    Ok(found)
}
