//! The task that encrypts.
//!
//! Input: the managers' word, the networks here, words of other nodes, questions, the kernel's news, time. Output:
//! the kernel's xfrm states and policies, words to other nodes, answers, how it stands. Never ends by itself.

use std::{
    collections::BTreeSet,
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, watch},
    task::spawn_blocking,
    time::sleep,
};
use tracing::{debug, error, info, warn};

use super::{super::disk::Disk, Question, partners::surroundings, probe};
use crate::{
    agent::plane::Plane,
    api::{
        ApiError,
        types::{EncryptionStatus, Repair},
    },
    gossip::{Aside, GossipHandle},
    model::{ClusterView, NodeId, Vni, chain},
    xfrm::{Drift, Identity, KeepError, Keeper, Monitor, Schedule, Word, XfrmSocket},
};

/// How long after the kernel's news it is looked at: news come in bursts.
const BURST: Duration = Duration::from_millis(50);

/// Time between two attempts at what failed, and looks for numbers that are not known yet.
const AGAIN: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(200);

/// What others said that waits; what finds no room is said again.
const ASIDES: usize = 1024;

/// What the task works with.
pub(in crate::agent::swarm) struct Inputs {
    /// This node.
    pub(in crate::agent::swarm) this: NodeId,
    /// The cluster's name.
    pub(in crate::agent::swarm) cluster: String,
    /// The name of the agent's run.
    pub(in crate::agent::swarm) run: u64,
    pub(in crate::agent::swarm) disk: Disk,
    pub(in crate::agent::swarm) plane: Arc<Plane>,
    pub(in crate::agent::swarm) gossip: GossipHandle,
    /// The managers' word.
    pub(in crate::agent::swarm) view: watch::Receiver<Arc<ClusterView>>,
    /// The networks that this node has to do with.
    pub(in crate::agent::swarm) attended: watch::Receiver<BTreeSet<Vni>>,
    pub(in crate::agent::swarm) questions: mpsc::Receiver<Question>,
}

struct Task {
    inputs: Inputs,
    asides: mpsc::Receiver<Aside>,
    started: Instant,
    keeper: Option<Keeper<XfrmSocket>>,
    monitor: Option<Monitor>,
    /// Why nothing can be encrypted.
    trouble: Option<String>,
    repaired: u64,
    audit_at: Instant,
    /// When to look for what did not work, or was not known.
    again_at: Option<Instant>,
    is_stopped: bool,
}

/// What happens next.
enum Input {
    View,
    Attended,
    Aside(Aside),
    Question(Question),
    Kernel,
    Due,
    Stopped,
}

/// Encrypts until whoever it hears of the cluster from has ended.
pub(in crate::agent::swarm) async fn keep(inputs: Inputs) {
    let interval = inputs.plane.shared.settings.audit_interval;
    let (said, asides) = mpsc::channel(ASIDES);
    if inputs.gossip.listen(said).await.is_err() {
        return pending().await;
    }
    let mut task = Task {
        inputs,
        asides,
        started: Instant::now(),
        keeper: None,
        monitor: None,
        trouble: None,
        repaired: 0,
        audit_at: Instant::now() + interval,
        again_at: None,
        is_stopped: false,
    };
    task.open().await;
    task.turn().await;
    while !task.is_stopped {
        let input = task.next().await;
        task.handle(input).await;
    }
    // The others end by being told to, so does this.
    pending::<()>().await;
}

impl Task {
    /// Begins to keep the kernel true, if it can encrypt at all.
    async fn open(&mut self) {
        if self.keeper.is_some() {
            return;
        }
        // The kernel may have to load modules first.
        let probed = spawn_blocking(probe).await;
        let probed = probed.unwrap_or_else(|error| Err(error.to_string()));
        let opened = probed.and_then(|()| self.keeper());
        match opened {
            Ok(keeper) => {
                info!("this kernel can encrypt");
                self.keeper = Some(keeper);
                self.trouble = None;
            }
            Err(trouble) => {
                debug!(trouble, "this kernel cannot encrypt");
                self.trouble = Some(trouble);
            }
        }
    }

    fn keeper(&mut self) -> Result<Keeper<XfrmSocket>, String> {
        // First the news, then what there is.
        self.monitor = Some(Monitor::open().map_err(|error| chain(&error))?);
        let Inputs {
            this,
            cluster,
            run,
            disk,
            plane,
            view,
            ..
        } = &self.inputs;
        let settings = &plane.shared.settings;
        let view = view.borrow();
        let identity = Identity {
            this: *this,
            local: plane.shared.desired().this,
            port: view.data_path_port,
            mark: settings.encryption.mark.outbound(),
            run: *run,
        };
        let schedule = Schedule::new(cluster, view.keys.clone());
        let kept = disk.encryption();
        let random = Box::new(rand::random);
        let now = self.started.elapsed();
        let kernel = XfrmSocket::open().map_err(|error| chain(&error))?;
        Keeper::new(kernel, identity, schedule, kept, random, now).map_err(|error| chain(&error))
    }

    async fn next(&mut self) -> Input {
        let due = self.due();
        let Self {
            inputs, monitor, ..
        } = self;
        tokio::select! {
            changed = inputs.view.changed() => match changed {
                Ok(()) => Input::View,
                Err(_ended) => Input::Stopped,
            },
            changed = inputs.attended.changed() => match changed {
                Ok(()) => Input::Attended,
                Err(_ended) => Input::Stopped,
            },
            Some(aside) = self.asides.recv() => Input::Aside(aside),
            Some(question) = inputs.questions.recv() => Input::Question(question),
            () = news(monitor.as_mut()) => Input::Kernel,
            () = sleep(due) => Input::Due,
        }
    }

    fn due(&self) -> Duration {
        let next = self.keeper.as_ref().and_then(Keeper::next);
        let next = next.map(|next| self.started + next);
        let first = [next, self.again_at].into_iter().flatten().min();
        let first = first.map_or(self.audit_at, |first| first.min(self.audit_at));
        // A word that could not be said must not be tried without a pause.
        first
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(1))
    }

    async fn handle(&mut self, input: Input) {
        match input {
            Input::View | Input::Attended | Input::Due => {}
            Input::Aside(aside) => {
                self.hear(aside);
                while let Ok(more) = self.asides.try_recv() {
                    self.hear(more);
                }
            }
            Input::Question(Question::Ready(answer)) => {
                self.open().await;
                self.turn().await;
                let ready = self.ready();
                if answer.send(ready).is_err() {
                    debug!("nobody waited for the answer");
                }
                return;
            }
            Input::Question(Question::Audit(answer)) => {
                let repairs = self.audit();
                self.turn().await;
                if answer.send(repairs).is_err() {
                    debug!("nobody waited for the answer");
                }
                return;
            }
            Input::Kernel => {
                self.audit_at = self.audit_at.min(Instant::now() + BURST);
                return;
            }
            Input::Stopped => {
                self.is_stopped = true;
                return;
            }
        }
        if self.audit_at <= Instant::now() {
            self.audit();
        }
        self.turn().await;
    }

    fn hear(&mut self, (from, words): Aside) {
        let Some(word) = Word::decoded(&words) else {
            debug!(%from, "what a node said was not understood");
            return;
        };
        self.look();
        let now = self.started.elapsed();
        if let Some(keeper) = &mut self.keeper {
            keeper.hear(from, &word, now);
        }
    }

    /// Tells the keeper what the cluster is like now.
    fn look(&mut self) {
        let inputs = &mut self.inputs;
        let view = Arc::clone(&inputs.view.borrow_and_update());
        let attended = inputs.attended.borrow_and_update().clone();
        let numbers = inputs.plane.shared.summary().numbers.clone();
        let found = surroundings(&view, inputs.this, &attended, &numbers);
        let is_unknown = |node: &NodeId| found.peers[node].number.is_none();
        let waits = found.wanted.iter().any(is_unknown);
        self.again_at = waits.then(|| Instant::now() + LOOK);
        if let Some(keeper) = &mut self.keeper {
            keeper.set_ring(view.keys.clone());
            keeper.set_surroundings(found);
        }
    }

    async fn turn(&mut self) {
        self.look();
        let now = self.started.elapsed();
        let disk = &self.inputs.disk;
        let Some(keeper) = &mut self.keeper else {
            self.tell();
            return;
        };
        match keeper.turn(now, |kept| disk.save_encryption(kept)) {
            Ok(words) => {
                for (to, word) in words {
                    if self.inputs.gossip.say(to, word.encoded()).await.is_err() {
                        self.is_stopped = true;
                    }
                }
                self.trouble = None;
            }
            Err(error) => {
                self.report(&error);
                self.again_at = Some(Instant::now() + AGAIN);
                self.audit_at = self.audit_at.min(Instant::now() + AGAIN);
            }
        }
        self.tell();
    }

    fn report(&mut self, error: &KeepError) {
        let trouble = chain(error);
        if self.trouble.as_ref() != Some(&trouble) {
            error!(trouble, "could not change what is encrypted; tries again");
            self.trouble = Some(trouble);
        }
    }

    fn audit(&mut self) -> Vec<Repair> {
        let interval = self.inputs.plane.shared.settings.audit_interval;
        self.audit_at = Instant::now() + interval;
        let Some(keeper) = &mut self.keeper else {
            return Vec::new();
        };
        match keeper.audit() {
            Ok(drift) => {
                self.repaired += drift.len() as u64;
                drift.into_iter().map(told).collect()
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                error!(error, "could not compare the kernel's xfrm; tries again");
                Vec::new()
            }
        }
    }

    fn ready(&self) -> Result<(), ApiError> {
        let refuse = |trouble: &str, help: &str| {
            let told = format!("this node cannot encrypt, and the network is encrypted: {trouble}");
            Err(ApiError::conflict(told).with_help(help.to_owned()))
        };
        match (&self.keeper, &self.trouble) {
            (None, trouble) => refuse(
                trouble.as_deref().unwrap_or("its kernel has no xfrm"),
                "its kernel needs ESP and AES-GCM: `modprobe -a xfrm_user esp4 esp6 gcm`, or another \
                 kernel; or use another node",
            ),
            (Some(_), Some(trouble)) => refuse(trouble, "`overlay doctor` tells more; try again"),
            (Some(keeper), None) if !keeper.has_key() => refuse(
                "no manager has told it a key yet",
                "look at `overlay status`, and try again when a manager answers",
            ),
            (Some(_), None) => Ok(()),
        }
    }

    fn tell(&self) {
        let standing = self.keeper.as_ref().map(Keeper::standing);
        let standing = standing.unwrap_or_default();
        let view = self.inputs.view.borrow();
        let encrypted = view.networks.values().filter(|network| network.encrypted);
        self.inputs.plane.shared.set_encryption(EncryptionStatus {
            available: self.keeper.is_some(),
            trouble: self.trouble.clone(),
            networks: encrypted.count() as u64,
            generation: standing.generation,
            partners: standing.wanted as u64,
            settled: standing.settled as u64,
            states: standing.states as u64,
            policies: standing.policies as u64,
            repaired_total: self.repaired,
        });
    }
}

async fn news(monitor: Option<&mut Monitor>) {
    let Some(monitor) = monitor else {
        return std::future::pending().await;
    };
    if let Err(error) = monitor.changed().await {
        let trouble = chain(&error);
        warn!(
            trouble,
            "changes of the kernel's xfrm are found by audits only"
        );
        sleep(AGAIN).await;
    }
}

fn told(drift: Drift) -> Repair {
    let action = if drift.is_foreign { "removed" } else { "added" };
    warn!(object = drift.object, action, "repaired");
    Repair {
        kind: "xfrm".to_owned(),
        object: drift.object,
        action: action.to_owned(),
    }
}
