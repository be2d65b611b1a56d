//! The task that follows a swarm.
//!
//! Input: [`News`] of managers, gossip, endpoints and requests; time. Output: commands to the owner,
//! claims to the gossip, requests for leases to the managers. Ends when nobody can send news any more.
//!
//! News that arrive together are followed together: one plan, one command.

mod asking;

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    task::JoinSet,
    time::{MissedTickBehavior, sleep},
};
use tracing::{error, info, trace, warn};

use super::{Announce, Leases, idle::Idle, tasks::Tasks};
use crate::{
    agent::{
        addresses::Need,
        audit::{AuditError, ask},
        health::Checks,
        owner::Command,
    },
    api::{ApiError, types::Event},
    control::planner::Cluster,
    model::{
        Attachment, Claim, ClusterView, Exact, Lease, MacAddress, NodeId, Place, ServiceChange,
        ServiceId, TaskState, Vni,
    },
};

/// Time between two looks for leases of no use.
const TIDY: Duration = Duration::from_secs(15);

/// How long after its start a node goes on with what an earlier agent knew of the others' tasks: by then
/// they have told what they have.
const BELIEF: Duration = Duration::from_secs(10);

/// What the follower hears.
#[derive(Debug)]
pub(in crate::agent) enum News {
    /// The managers' present word.
    View(Arc<ClusterView>),
    /// The nodes that do not answer.
    Failed(BTreeSet<NodeId>),
    /// Winning claims of other nodes that changed; none: nobody claims the address any more.
    Claims(Vec<(Place, Option<(NodeId, Claim)>)>),
    /// A node has won an address that an endpoint here has.
    Lost(Place, NodeId),
    /// Nodes that may be failing.
    Suspects(BTreeSet<NodeId>),
    /// What the check of an endpoint says now.
    Checked(String, TaskState),
    /// These endpoints are about to go; answered once the others are told.
    Drain(Vec<String>, oneshot::Sender<Result<(), ApiError>>),
    /// An endpoint is connected.
    Attached(Arc<Attachment>),
    /// An endpoint is gone.
    Detached(Arc<Attachment>),
    /// An endpoint wants to come to the network of this name, by itself or as a task of a service.
    Admit(
        String,
        Option<ServiceId>,
        oneshot::Sender<Result<Vni, ApiError>>,
    ),
    /// That attempt is over, whether it succeeded or not.
    Done(Vni),
    /// An endpoint needs an address that no lease has.
    Lease(Vni, Need, Answer),
}

/// Where the outcome of a request goes.
type Answer = oneshot::Sender<Result<(), ApiError>>;

/// What came of asking the managers.
enum Outcome {
    Leased(Vni, Need, Result<Lease, ApiError>),
    GivenBack(Lease, Result<(), ApiError>),
}

/// Follows one swarm.
pub(in crate::agent) struct Follower<L> {
    cluster: Cluster,
    in_use: InUse,
    commands: mpsc::Sender<Command>,
    events: broadcast::Sender<Event>,
    leases: Arc<L>,
    announce: Box<dyn Announce>,
    /// The endpoints of this node.
    endpoints: BTreeMap<String, Arc<Attachment>>,
    /// How many endpoints are on their way to each network.
    arriving: BTreeMap<Vni, usize>,
    /// Networks that exist here.
    here: BTreeSet<Vni>,
    /// Networks whose claims the others tell: those here, and those of published ports.
    attended: BTreeSet<Vni>,
    /// Nodes that are looked after closely.
    watched: BTreeSet<NodeId>,
    tasks: Tasks,
    checks: watch::Sender<Checks>,
    /// What the others know of the endpoints here.
    claimed: BTreeMap<Place, Claim>,
    asking: JoinSet<Outcome>,
    /// Who waits for which lease.
    waiting: Vec<(Vni, Need, Answer)>,
    idle: Idle,
    step: Step,
}

/// What news have gathered until they are followed.
#[derive(Default)]
struct Step {
    /// Whether more changed than single claims.
    is_new_plan: bool,
    /// Whether nodes may be new.
    is_new_view: bool,
    moved: Vec<(Place, Option<Exact>)>,
    /// Endpoints that have to be cut off, and why.
    lost: Vec<(Place, String)>,
    /// What is answered afterwards.
    answers: Vec<Box<dyn FnOnce() + Send>>,
}

/// Whether an endpoint has an address of a lease.
pub(in crate::agent) type InUse = Arc<dyn Fn(&Lease) -> bool + Send + Sync>;

/// What a follower works with.
pub(in crate::agent) struct Surroundings<L> {
    /// The endpoints that are there already.
    pub(in crate::agent) endpoints: BTreeMap<String, Arc<Attachment>>,
    pub(in crate::agent) in_use: InUse,
    pub(in crate::agent) commands: mpsc::Sender<Command>,
    pub(in crate::agent) events: broadcast::Sender<Event>,
    pub(in crate::agent) leases: Arc<L>,
    pub(in crate::agent) announce: Box<dyn Announce>,
    /// Who checks tasks.
    pub(in crate::agent) checks: watch::Sender<Checks>,
}

impl<L: Leases> Follower<L> {
    /// Follows on from what the owner was started with.
    pub(in crate::agent) fn new(cluster: Cluster, surroundings: Surroundings<L>) -> Self {
        let Surroundings {
            endpoints,
            in_use,
            commands,
            events,
            leases,
            announce,
            checks,
        } = surroundings;
        let tasks = Tasks::resumed(endpoints.keys());
        Self {
            cluster,
            commands,
            events,
            leases,
            announce,
            endpoints,
            arriving: BTreeMap::new(),
            here: BTreeSet::new(),
            attended: BTreeSet::new(),
            watched: BTreeSet::new(),
            tasks,
            checks,
            claimed: BTreeMap::new(),
            asking: JoinSet::new(),
            waiting: Vec::new(),
            idle: Idle::default(),
            step: Step {
                is_new_plan: true,
                ..Step::default()
            },
            in_use,
        }
    }

    /// Follows until nobody sends news any more, or the owner has ended.
    pub(in crate::agent) async fn run(mut self, mut news: mpsc::UnboundedReceiver<News>) {
        let mut tidying = tokio::time::interval(TIDY);
        tidying.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut believing = std::pin::pin!(sleep(BELIEF));
        let mut is_believing = true;
        let mut settled = self.settle().await;
        while settled.is_ok() {
            tokio::select! {
                first = news.recv() => match first {
                    Some(first) => self.take(first),
                    None => return,
                },
                Some(done) = self.asking.join_next() => match done {
                    Ok(outcome) => self.asked(outcome),
                    Err(error) => error!(%error, "BUG: asking the managers ended early"),
                },
                now = tidying.tick() => self.tidy(now.into_std()),
                () = &mut believing, if is_believing => {
                    is_believing = false;
                    if self.commands.send(Command::Disbelieve).await.is_err() {
                        return;
                    }
                }
            }
            while let Ok(more) = news.try_recv() {
                self.take(more);
            }
            settled = self.settle().await;
        }
    }

    fn take(&mut self, news: News) {
        match news {
            News::View(view) => {
                let before = self.cluster.view();
                self.tasks.trust(self.endpoints.values(), before);
                self.cluster.set_view(view);
                self.tasks.heed(self.cluster.this(), self.cluster.view());
                self.step.is_new_plan = true;
                self.step.is_new_view = true;
                self.find_removed_networks();
            }
            News::Failed(failed) => {
                self.cluster.set_failed(failed);
                self.step.is_new_plan = true;
            }
            News::Suspects(suspects) => self.cluster.set_suspects(suspects),
            News::Checked(endpoint, state) => {
                if self.endpoints.contains_key(&endpoint) {
                    self.tasks.checked(endpoint, state);
                }
            }
            News::Drain(endpoints, answer) => {
                self.tasks.drain(endpoints);
                self.answer(answer, Ok(()));
            }
            News::Claims(claims) => {
                let moved = claims
                    .into_iter()
                    .filter_map(|(place, winner)| self.cluster.claim(place, winner));
                self.step.moved.extend(moved);
            }
            News::Lost(place, winner) => {
                let name = self.cluster.name_of(winner);
                let reason = format!("node {name} has won the address {}", place.address);
                self.step.lost.push((place, reason));
            }
            News::Attached(attachment) => {
                self.endpoints.insert(attachment.id.clone(), attachment);
            }
            News::Detached(attachment) => {
                self.endpoints.remove(&attachment.id);
                self.tasks.forget(&attachment.id);
                self.tidy(Instant::now());
            }
            News::Admit(network, service, answer) => self.admit(&network, service, answer),
            News::Done(vni) => {
                if let Some(arriving) = self.arriving.get_mut(&vni) {
                    *arriving = arriving.saturating_sub(1);
                }
            }
            News::Lease(vni, need, answer) => self.lease(vni, need, answer),
        }
    }

    fn find_removed_networks(&mut self) {
        let view = self.cluster.view();
        let stranded = self.endpoints.values().filter(|endpoint| {
            endpoint.conflict.is_none() && !view.networks.contains_key(&endpoint.vni)
        });
        for endpoint in stranded {
            let reason = format!("network {} was removed", endpoint.network);
            let vni = endpoint.vni;
            let address = endpoint.addresses().next();
            self.step
                .lost
                .extend(address.map(|address| (Place { vni, address }, reason)));
        }
    }

    /// Makes the owner, the gossip and those who wait agree with what is known. Fails when the owner
    /// has ended.
    async fn settle(&mut self) -> Result<(), AuditError> {
        // What is gone is told before anything else: flows to it lead nowhere.
        self.withdraw();
        let present = self.present();
        if present != self.here {
            self.cluster.set_present(present.clone());
            self.here.clone_from(&present);
            self.step.is_new_plan = true;
        }
        let own = self.tasks.all(self.endpoints.values(), self.cluster.view());
        self.cluster.set_own_tasks(own);
        let step = mem::take(&mut self.step);
        let services = self.cluster.take_services();
        // A task on a node that is new comes after its node, but nothing else waits for a whole plan.
        let (soon, later) = if step.is_new_view {
            (Vec::new(), services)
        } else {
            (services, Vec::new())
        };
        self.balance(soon).await?;
        if step.is_new_plan {
            self.follow().await?;
        } else if !step.moved.is_empty() {
            let sent = self.commands.send(Command::Reroute(step.moved)).await;
            sent.map_err(|_closed| AuditError::Stopping)?;
        }
        self.balance(later).await?;
        for (place, reason) in step.lost {
            self.cut_off(place, reason).await?;
        }
        let published = self.cluster.published();
        self.announce(present.union(&published).copied().collect());
        step.answers.into_iter().for_each(|answer| answer());
        Ok(())
    }

    /// Networks from their first endpoint here to their last, those on their way included.
    fn present(&mut self) -> BTreeSet<Vni> {
        self.arriving.retain(|_, count| *count > 0);
        let here = self.endpoints.values().map(|endpoint| endpoint.vni);
        let known = &self.cluster.view().networks;
        here.chain(self.arriving.keys().copied())
            .filter(|vni| known.contains_key(vni))
            .collect()
    }

    async fn follow(&mut self) -> Result<(), AuditError> {
        let Some(plan) = self.cluster.plan() else {
            // What is there goes on; the managers decided, and the node is told elsewhere.
            return Ok(());
        };
        ask(&self.commands, |answer| Command::Follow(plan, answer)).await
    }

    /// Has services balanced otherwise, and looks after the nodes that have their tasks.
    async fn balance(&mut self, changes: Vec<ServiceChange>) -> Result<(), AuditError> {
        if changes.is_empty() {
            return Ok(());
        }
        let sent = self.commands.send(Command::Balance(changes)).await;
        sent.map_err(|_closed| AuditError::Stopping)?;
        let servers = self.cluster.servers();
        if servers != self.watched {
            self.announce.watch(servers.clone());
            self.watched = servers;
        }
        Ok(())
    }

    /// Tells the others what is gone.
    fn withdraw(&mut self) {
        let claims = self.claims();
        self.claimed.retain(|place, _| {
            let stays = claims.contains_key(place);
            if !stays {
                self.announce.withdraw(place.vni, place.address);
            }
            stays
        });
    }

    async fn cut_off(&mut self, place: Place, reason: String) -> Result<(), AuditError> {
        let told = reason.clone();
        let command = |answer| Command::Isolate(place, told, answer);
        let Some(attachment) = ask(&self.commands, command).await? else {
            return Ok(());
        };
        error!(
            endpoint = attachment.name,
            network = attachment.network,
            reason,
            "cut off; detach it, and attach it again"
        );
        let event = conflict_event(&attachment, place.address);
        if self.events.send(event).is_err() {
            trace!("nobody monitors");
        }
        self.endpoints.insert(attachment.id.clone(), attachment);
        Ok(())
    }

    /// Tells the others what changed here: what is gone before what is new.
    fn announce(&mut self, present: BTreeSet<Vni>) {
        self.withdraw();
        let claims = self.claims();
        for vni in self.attended.difference(&present) {
            info!(network = %vni, "its last endpoint here is gone");
            self.announce.leave(*vni);
        }
        for vni in present.difference(&self.attended) {
            info!(network = %vni, "exists here from now on");
            self.announce.attend(*vni);
        }
        for (place, claim) in &claims {
            if self.claimed.get(place) != Some(claim) {
                self.announce.claim(claim.clone());
            }
        }
        self.attended = present;
        self.claimed = claims;
        let checks = self
            .tasks
            .checks(self.endpoints.values(), self.cluster.view());
        if !checks.is_empty() || !self.checks.borrow().is_empty() {
            self.checks.send_replace(checks);
        }
    }

    fn claims(&self) -> BTreeMap<Place, Claim> {
        let here = self.endpoints.values();
        let connected = here.filter(|endpoint| endpoint.conflict.is_none());
        connected
            .flat_map(|endpoint| {
                let vni = endpoint.vni;
                let places = endpoint.addresses();
                places.map(move |address| (endpoint, Place { vni, address }))
            })
            .map(|(endpoint, place)| (place, self.claim(endpoint, place)))
            .collect()
    }

    fn claim(&self, endpoint: &Attachment, place: Place) -> Claim {
        let before = self.claimed.get(&place).map(|claim| claim.index);
        let index = match (self.cluster.own_lease(place), before) {
            (Some(lease), _) => lease.index,
            // It was given away while this node was not there to use it: a later claim wins.
            (None, Some(before)) => before,
            (None, None) => {
                warn!(
                    endpoint = endpoint.name,
                    "its address is in no lease of this node any more"
                );
                0
            }
        };
        let derived = MacAddress::derived(place.address);
        Claim {
            aliases: endpoint.aliases.clone(),
            task: self.tasks.claim(endpoint, self.cluster.view()),
            vni: place.vni,
            address: place.address,
            name: endpoint.name.clone(),
            endpoint: endpoint.id.clone(),
            mac: Some(endpoint.mac).filter(|mac| *mac != derived),
            index,
        }
    }
}

/// What `overlay monitor` shows of a lost address.
fn conflict_event(attachment: &Attachment, address: IpAddr) -> Event {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Event {
        unix_ns: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX),
        place: "agent".to_owned(),
        reason: "address-conflict".to_owned(),
        interface: attachment.host_interface.clone(),
        endpoint: Some(attachment.name.clone()),
        network: Some(attachment.network.clone()),
        source: Some(address),
        destination: None,
        length: 0,
        sample: 1,
    }
}
