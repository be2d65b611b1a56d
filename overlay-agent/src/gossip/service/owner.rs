//! The task that owns the core.
//!
//! Input: commands, datagrams, streams and their frames, time. Output: datagrams, streams, updates and
//! the states of the others. Ends when it is cancelled, when the node leaves, or when every handle is
//! gone.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinError, JoinSet},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, trace};

use super::{
    command::Command,
    conversation::Request,
    counters::Tally,
    exchanges::Exchanges,
    handle::{Aside, NodeState, Update},
    presence::Presence,
    timers::Timers,
};
use crate::{
    gossip::{
        core::{Effect, Event, Gossip, Timer},
        transport::{Inbound, Link, Received, Transport},
    },
    model::NodeId,
};

/// Datagrams handled before anything else has its turn.
const BATCH: usize = 64;

/// How long the last datagrams may take to leave.
const FAREWELL: Duration = Duration::from_secs(1);

/// The core, and everything that it is connected to.
pub(super) struct Owner {
    pub(super) core: Gossip,
    pub(super) transport: Transport,
    pub(super) inbound: Inbound,
    pub(super) transport_tasks: JoinSet<()>,
    pub(super) members: BTreeMap<NodeId, SocketAddr>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) updates: mpsc::Sender<Update>,
    pub(super) states: watch::Sender<BTreeMap<NodeId, NodeState>>,
    pub(super) tally: Tally,
    /// Who hears what is not for the gossip.
    pub(super) asides: Option<mpsc::Sender<Aside>>,
}

/// An owner at work.
struct Running {
    owner: Owner,
    origin: Instant,
    timers: Timers<Timer>,
    effects: Vec<Effect>,
    exchanges: Exchanges,
    presence: Presence,
    /// Whether the core has changes that have not been told.
    changed: bool,
    lost: VecDeque<Update>,
}

/// What happens next.
enum Input {
    Cancelled,
    Command(Option<Command>),
    Datagrams(Vec<Received>),
    Link(Box<Link>),
    Exchange(Request),
    Due,
    RoomForNews,
    TransportEnded(Result<(), JoinError>),
}

/// Whether there is more to do.
enum Flow {
    On,
    Leave(oneshot::Sender<()>),
    End,
}

impl Owner {
    pub(super) async fn run(self, cancel: CancellationToken) {
        let running = Running {
            exchanges: Exchanges::new(self.transport.limits().opened),
            owner: self,
            origin: Instant::now(),
            timers: Timers::new(),
            presence: Presence::default(),
            effects: Vec::new(),
            changed: false,
            lost: VecDeque::new(),
        };
        running.run(cancel).await;
    }
}

impl Running {
    async fn run(mut self, cancel: CancellationToken) {
        let members = self.owner.members.clone();
        self.set_members(members);
        let now = self.now();
        self.owner.core.start(now, &mut self.effects);
        self.perform();
        loop {
            let input = self.next(&cancel).await;
            let flow = self.handle(input);
            self.fire();
            self.perform();
            self.owner.tally.set_core(self.owner.core.counters());
            match flow {
                Flow::On => {}
                Flow::Leave(reply) => return self.part(reply).await,
                Flow::End => return,
            }
        }
    }

    async fn next(&mut self, cancel: &CancellationToken) -> Input {
        let owner = &mut self.owner;
        let news = self.changed || !self.lost.is_empty();
        let mut batch = Vec::new();
        tokio::select! {
            () = cancel.cancelled() => Input::Cancelled,
            command = owner.commands.recv() => Input::Command(command),
            1.. = owner.inbound.datagrams.recv_many(&mut batch, BATCH) => Input::Datagrams(batch),
            Some(link) = owner.inbound.links.recv() => Input::Link(Box::new(link)),
            Some(request) = self.exchanges.next_request() => Input::Exchange(request),
            () = self.timers.wait() => Input::Due,
            Some(ended) = owner.transport_tasks.join_next() => Input::TransportEnded(ended),
            Ok(_room) = owner.updates.reserve(), if news => Input::RoomForNews,
        }
    }

    fn handle(&mut self, input: Input) -> Flow {
        match input {
            Input::Cancelled | Input::Command(None) => return Flow::End,
            Input::Command(Some(command)) => return self.obey(command),
            Input::Datagrams(batch) => batch.into_iter().for_each(|one| self.hear(&one)),
            Input::Link(link) => self.exchanges.accept(*link, &mut self.owner.core),
            Input::Exchange(request) => self.exchange(request),
            Input::Due => {}
            Input::RoomForNews => self.tell(),
            Input::TransportEnded(ended) => {
                error!(?ended, "BUG: a task of the gossip's transport has ended");
                return Flow::End;
            }
        }
        Flow::On
    }

    fn obey(&mut self, command: Command) -> Flow {
        let now = self.now();
        let core = &mut self.owner.core;
        let effects = &mut self.effects;
        let heard = match command {
            Command::Claim(claim, reply) => {
                self.presence.stay(claim.vni);
                reply.send(core.claim(&claim, now, effects)).is_ok()
            }
            Command::Withdraw(vni, address, reply) => reply
                .send(core.withdraw(vni, address, now, effects))
                .is_ok(),
            Command::Attend(vni, reply) => {
                self.presence.stay(vni);
                core.attend(vni, now, effects);
                reply.send(()).is_ok()
            }
            Command::LeaveNetwork(vni, reply) => {
                if self.presence.leave(vni) {
                    core.leave_network(vni, now, effects);
                }
                reply.send(()).is_ok()
            }
            Command::Visit(vni, reply) => {
                let is_new = core.attend(vni, now, effects);
                if !is_new && !self.presence.is_visited(vni) {
                    // It may have been taken part in before this gossip began.
                    self.presence.stay(vni);
                }
                self.presence.visit(vni);
                reply.send(is_new).is_ok()
            }
            Command::EndVisit(vni) => {
                if self.presence.depart(vni) {
                    core.leave_network(vni, now, effects);
                }
                true
            }
            Command::Watch(nodes, reply) => {
                core.watch(&nodes, now, effects);
                reply.send(()).is_ok()
            }
            Command::SetMembers(members, reply) => {
                self.set_members(members);
                reply.send(()).is_ok()
            }
            Command::SetKeys(ring, reply) => {
                self.owner.transport.set_ring(&ring);
                reply.send(()).is_ok()
            }
            Command::Say(to, words, reply) => {
                core.say(to, &words, effects);
                reply.send(()).is_ok()
            }
            Command::Listen(asides, reply) => {
                self.owner.asides = Some(asides);
                reply.send(()).is_ok()
            }
            Command::Attendees(vni, reply) => reply.send(core.attendees(vni).collect()).is_ok(),
            Command::Named(vni, name, reply) => reply.send(core.named(vni, &name)).is_ok(),
            Command::CountClaims(reply) => reply.send(core.claims_known() as u64).is_ok(),
            Command::Observe(reply) => reply.send(core.observed()).is_ok(),
            Command::Leave(reply) => {
                core.leave(now, effects);
                return Flow::Leave(reply);
            }
        };
        if !heard {
            trace!("whoever asked did not wait for the answer");
        }
        Flow::On
    }

    /// The transport first: what a removed node has sent must not meet a core that knows it.
    fn set_members(&mut self, members: BTreeMap<NodeId, SocketAddr>) {
        let now = self.now();
        self.owner.transport.set_members(&members);
        self.owner.states.send_if_modified(|states| {
            let before = states.len();
            states.retain(|node, _| members.contains_key(node));
            states.len() != before
        });
        self.owner
            .core
            .members_known(&members, now, &mut self.effects);
        self.owner.members = members;
    }

    fn hear(&mut self, received: &Received) {
        let now = self.now();
        let heard = self.owner.core.handle_datagram(
            received.from,
            &received.message,
            now,
            &mut self.effects,
        );
        if let Err(refused) = heard {
            debug!(%refused, from = %received.from, "a datagram of a member was not understood");
        }
        self.perform();
    }

    fn exchange(&mut self, request: Request) {
        let now = self.now();
        let Owner { core, members, .. } = &mut self.owner;
        self.exchanges
            .handle(request, core, members, now, &mut self.effects);
    }

    /// Timers that are due, those that come due meanwhile included.
    fn fire(&mut self) {
        while let Some(timer) = self.timers.take_due(Instant::now()) {
            let now = self.now();
            self.owner.core.handle_timer(timer, now, &mut self.effects);
            self.perform();
        }
    }

    fn perform(&mut self) {
        for effect in std::mem::take(&mut self.effects) {
            match effect {
                Effect::Send {
                    to,
                    address,
                    datagram,
                } => self.owner.transport.send(to, address, &datagram),
                Effect::StartTimer { timer, after } => {
                    self.timers.set(Instant::now() + after, timer);
                }
                Effect::Exchange { with, address } => {
                    self.exchanges.open(with, address, &self.owner.transport);
                }
                Effect::Event(event) => self.note(event),
            }
        }
    }

    fn note(&mut self, event: Event) {
        let (node, state) = match event {
            Event::MemberUp(node) => (node, NodeState::Up),
            Event::MemberFailed(node) => (node, NodeState::Failed),
            Event::MemberLeft(node) => (node, NodeState::Left),
            Event::ClaimsChanged => {
                self.changed = true;
                return;
            }
            Event::Aside { from, words } => {
                let asides = self.owner.asides.as_ref();
                let heard = asides.is_none_or(|asides| asides.try_send((from, words)).is_ok());
                if !heard {
                    debug!(%from, "nobody had time for what a node said");
                }
                return;
            }
            Event::ClaimLost {
                claim,
                winner,
                index,
            } => {
                self.lost.push_back(Update::Lost {
                    claim,
                    winner,
                    index,
                });
                return;
            }
        };
        if !self.owner.members.contains_key(&node) {
            return;
        }
        info!(%node, ?state, "a node of the cluster");
        self.owner.states.send_modify(|states| {
            states.insert(node, state);
        });
    }

    /// Lost claims first: the agent must stop using an address before it is told who has it.
    fn tell(&mut self) {
        let update = self.lost.pop_front().or_else(|| {
            std::mem::take(&mut self.changed)
                .then(|| Update::Changed(self.owner.core.take_changes()))
        });
        if let Some(update) = update
            && self.owner.updates.try_send(update).is_err()
        {
            debug!("nobody listens to the gossip any more");
        }
    }

    /// Waits until the last datagrams are on their way.
    async fn part(self, reply: oneshot::Sender<()>) {
        let Owner {
            transport,
            inbound,
            mut transport_tasks,
            ..
        } = self.owner;
        drop((transport, inbound, self.exchanges));
        let gone = async { while transport_tasks.join_next().await.is_some() {} };
        if timeout(FAREWELL, gone).await.is_err() {
            debug!("the node left before it could tell all others");
        }
        if reply.send(()).is_err() {
            trace!("whoever asked did not wait for the answer");
        }
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }
}
