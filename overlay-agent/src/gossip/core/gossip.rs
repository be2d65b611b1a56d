//! The state machine: what comes in, and which part of it answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{
    Changes, ClaimError, Counters, Effect, Event, Refused, Settings, Timer,
    membership::{Membership, Standing},
    queue::Queue,
    repair::Repairs,
    spread::Fresh,
    sync::Sync,
    table::Table,
    timer::{Alarm, Duty},
    topic::Topic,
    value,
    watch::Watch,
    wire::{self, Kind},
};
use crate::model::{Claim, NodeId, Observed, Vni};

/// How often withdrawn rows are looked through.
const REAP: Duration = Duration::from_secs(30);

/// See the module's parent.
#[derive(Debug)]
pub struct Gossip {
    pub(super) settings: Settings,
    pub(super) membership: Membership,
    pub(super) table: Table,
    pub(super) fresh: Fresh,
    pub(super) queues: BTreeMap<Topic, Queue>,
    pub(super) repairs: Repairs,
    pub(super) sync: Sync,
    pub(super) counters: Counters,
    pub(super) running: BTreeSet<Duty>,
    pub(super) failed: BTreeMap<NodeId, bool>,
    pub(super) watch: Watch,
    is_told: bool,
    pub(super) has_left: bool,
}

impl Gossip {
    /// A node that has these claims and knows nobody. Claims that cannot be told are left out, with
    /// the error.
    pub fn new(settings: Settings, claims: Vec<Claim>) -> (Self, Vec<ClaimError>) {
        let mut errors = Vec::new();
        let mut own = BTreeMap::new();
        for claim in claims {
            match value::written(&claim) {
                Ok(value) => {
                    own.insert((claim.vni, claim.address), (claim, value));
                }
                Err(error) => errors.push(error),
            }
        }
        let own: Vec<_> = own.into_values().collect();
        let table = Table::new(settings.node, settings.epoch, &own);
        let sync = Sync::new(table.attended());
        let gossip = Self {
            membership: Membership::new(&settings),
            table,
            fresh: Fresh::default(),
            queues: BTreeMap::new(),
            repairs: Repairs::default(),
            sync,
            counters: Counters::default(),
            running: BTreeSet::new(),
            failed: BTreeMap::new(),
            watch: Watch::default(),
            is_told: false,
            has_left: false,
            settings,
        };
        (gossip, errors)
    }

    /// Begins to look for the others. Call it once, after [`members_known`](Self::members_known).
    pub fn start(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let pace = self.settings.pace.clone();
        self.start_timer(Duty::Probe, pace.probe, effects);
        self.start_timer(Duty::Exchange, pace.exchange, effects);
        self.start_timer(Duty::Reap, REAP, effects);
        self.reconnect(now, effects);
    }

    /// All nodes of the cluster with the addresses where they gossip; this one may be among them. Only
    /// they may take part, and what was known of others is forgotten.
    pub fn members_known(
        &mut self,
        nodes: &BTreeMap<NodeId, SocketAddr>,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        for node in self.membership.set_nodes(nodes, now) {
            self.table.forget(node, now);
            self.repairs.forget(node);
            for queue in self.queues.values_mut() {
                queue.forget(node);
            }
            self.failed.remove(&node);
        }
        self.tell(now, effects);
    }

    /// Tells one node something that is none of the gossip's business; it may be lost. At most
    /// [`Pace::datagram`](super::Pace::datagram) bytes, less a few.
    pub fn say(&mut self, to: NodeId, words: &[u8], effects: &mut Vec<Effect>) {
        self.send(
            to,
            wire::Writer::new(Kind::Aside).raw(words).finish(),
            effects,
        );
    }

    /// Bytes that a node has sent, decrypted: it is the one that it says it is.
    pub fn handle_datagram(
        &mut self,
        from: NodeId,
        datagram: &[u8],
        now: Duration,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refused> {
        let handled = self.dispatch(from, datagram, now, effects);
        self.count(handled.err());
        self.tell(now, effects);
        handled
    }

    fn dispatch(
        &mut self,
        from: NodeId,
        datagram: &[u8],
        now: Duration,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refused> {
        if self.has_left {
            return Ok(());
        }
        if self.membership.standing(from).is_none() {
            return Err(Refused::Stranger { node: from });
        }
        let (kind, items) = wire::opened(datagram)?;
        self.watch.heard(from);
        match kind {
            Kind::Question => self.reassure(from, effects),
            Kind::Here => {}
            Kind::Aside => effects.push(Effect::Event(Event::Aside {
                from,
                words: items.to_vec(),
            })),
            Kind::Membership => {
                let (outcomes, strangers) = self.membership.handle_packet(from, items, now)?;
                self.counters.unknown_owners += strangers as u64;
                self.follow(outcomes, now, effects);
            }
            Kind::News | Kind::Answer => {
                let spans = wire::spans(items)?;
                self.hear(from, &spans, kind == Kind::News, now, effects);
            }
            Kind::Pulls => {
                let pulls: Vec<wire::Pull> = wire::items(items)?;
                self.answer(from, &pulls, now, effects);
            }
            Kind::Probe => {
                let digests: Vec<wire::Digest> = wire::items(items)?;
                self.compare(from, &digests, now, effects);
            }
            Kind::Leaving => {
                let generation: u64 = wire::single(items)?;
                self.hear_leaving(from, generation, now, effects);
            }
            Kind::Hello | Kind::Members | Kind::Heads | Kind::Spans | Kind::Turn | Kind::Done => {
                return Err(Refused::Malformed);
            }
        }
        Ok(())
    }

    pub(super) fn count(&mut self, refused: Option<Refused>) {
        match refused {
            None => {}
            Some(Refused::Stranger { .. }) => self.counters.strangers += 1,
            Some(Refused::Version { .. } | Refused::Malformed | Refused::OutOfTurn) => {
                self.counters.malformed += 1;
            }
        }
    }

    /// A timer is due.
    pub fn handle_timer(&mut self, timer: Timer, now: Duration, effects: &mut Vec<Effect>) {
        if self.has_left {
            return;
        }
        match timer.0 {
            Alarm::Membership { instance, timer } => {
                let outcomes = self.membership.handle_timer(instance, timer, now);
                self.follow(outcomes, now, effects);
            }
            // It has answered here since.
            Alarm::Doubt { life, .. } if self.watch.is_answering(life.node) => {}
            Alarm::Doubt { life, incarnation } => {
                let outcomes = self.membership.decide(life, incarnation, now);
                self.follow(outcomes, now, effects);
            }
            Alarm::Own(duty) => {
                self.running.remove(&duty);
                self.do_duty(duty, now, effects);
            }
        }
        self.tell(now, effects);
    }

    fn do_duty(&mut self, duty: Duty, now: Duration, effects: &mut Vec<Effect>) {
        match duty {
            Duty::Flush => self.flush(effects),
            Duty::Gossip => self.pass_on(effects),
            Duty::Repair => self.repair(now, effects),
            Duty::Reconnect => self.reconnect(now, effects),
            Duty::Watch => self.look_after(now, effects),
            Duty::Probe => {
                self.start_timer(Duty::Probe, self.settings.pace.probe, effects);
                self.probe(effects);
            }
            Duty::Exchange => {
                self.start_timer(Duty::Exchange, self.settings.pace.exchange, effects);
                self.exchange_with_anyone(now, effects);
            }
            Duty::Reap => {
                self.start_timer(Duty::Reap, REAP, effects);
                let limit = now.saturating_sub(self.settings.pace.tombstone).as_millis();
                self.table.reap(u64::try_from(limit).unwrap_or(u64::MAX));
            }
        }
    }

    /// Starts a timer unless it runs.
    pub(super) fn start_timer(&mut self, duty: Duty, after: Duration, effects: &mut Vec<Effect>) {
        if self.running.insert(duty) {
            effects.push(Effect::StartTimer {
                timer: Timer(Alarm::Own(duty)),
                after,
            });
        }
    }

    /// Claims an address for this node and tells the others; attends the network if need be.
    pub fn claim(
        &mut self,
        claim: &Claim,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ClaimError> {
        let value = value::written(claim)?;
        if let Some((index, winner, _)) = self.table.rival(claim.vni, claim.address)
            && (index, winner) > (claim.index, self.settings.node)
        {
            return Err(ClaimError::Taken { winner });
        }
        self.attend(claim.vni, now, effects);
        self.table.claim(claim, &value, now);
        self.note_own(Topic::Network(claim.vni), effects);
        self.tell(now, effects);
        Ok(())
    }

    /// Withdraws an own claim and tells everybody at once. Returns whether there was one.
    pub fn withdraw(
        &mut self,
        vni: Vni,
        address: IpAddr,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let had = self.table.withdraw(vni, address, now);
        if had {
            self.note_own(Topic::Network(vni), effects);
            self.flush_to_all(Topic::Network(vni), effects);
            self.tell(now, effects);
        }
        had
    }

    /// Takes part in a network from now on. Returns whether it did not before.
    pub fn attend(&mut self, vni: Vni, now: Duration, effects: &mut Vec<Effect>) -> bool {
        let is_new = self.table.attend(vni, now);
        if is_new {
            self.note_own(Topic::Attendance, effects);
            self.flush(effects);
            self.sync.want(Topic::Network(vni));
            self.synchronize(now, effects);
        }
        is_new
    }

    /// Takes no longer part in a network: withdraws the claims there and forgets those of others.
    pub fn leave_network(&mut self, vni: Vni, now: Duration, effects: &mut Vec<Effect>) {
        for address in self.table.own_addresses(vni) {
            if self.table.withdraw(vni, address, now) {
                self.note_own(Topic::Network(vni), effects);
            }
        }
        self.flush_to_all(Topic::Network(vni), effects);
        if self.table.leave(vni, now) {
            self.queues.remove(&Topic::Network(vni));
            self.repairs.forget_topic(Topic::Network(vni));
            self.sync.forget(Topic::Network(vni));
            self.note_own(Topic::Attendance, effects);
            self.flush(effects);
        }
        self.tell(now, effects);
    }

    /// Sends to a node, if the managers know it.
    pub(super) fn send(&self, to: NodeId, datagram: Vec<u8>, effects: &mut Vec<Effect>) {
        if let Some(address) = self.membership.address(to) {
            effects.push(Effect::Send {
                to,
                address,
                datagram,
            });
        }
    }

    /// Withdraws what is lost, and tells that there are changes.
    pub(super) fn tell(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        for beaten in self.table.take_beaten() {
            self.counters.lost_claims += 1;
            let (vni, address) = (beaten.claim.vni, beaten.claim.address);
            if self.table.withdraw(vni, address, now) {
                self.note_own(Topic::Network(vni), effects);
                self.flush_to_all(Topic::Network(vni), effects);
            }
            effects.push(Effect::Event(Event::ClaimLost {
                claim: beaten.claim,
                winner: beaten.winner,
                index: beaten.index,
            }));
        }
        if !self.is_told
            && (self.table.is_dirty() || !self.failed.is_empty() || self.watch.is_changed())
        {
            self.is_told = true;
            effects.push(Effect::Event(Event::ClaimsChanged));
        }
    }

    /// Everything that is known of the others. It is large: see [`take_changes`](Self::take_changes).
    pub fn observed(&self) -> Observed {
        let is_failed = |standing| matches!(standing, Standing::Failed | Standing::Left);
        Observed {
            failed: self
                .membership
                .standings()
                .filter(|(_, standing)| is_failed(*standing))
                .map(|(node, _)| node)
                .collect(),
            claims: self.table.winners(),
        }
    }

    /// Other nodes that have an endpoint of this name in a network, as far as is known here.
    pub fn named(&self, vni: Vni, name: &str) -> BTreeSet<NodeId> {
        self.table.named(vni, name)
    }

    /// How many claims [`observed`](Self::observed) would have.
    pub fn claims_known(&self) -> usize {
        self.table.count_winners()
    }

    /// What is different since the last call; at the first call, since the beginning.
    pub fn take_changes(&mut self) -> Changes {
        self.is_told = false;
        Changes {
            failed: std::mem::take(&mut self.failed),
            suspects: self.watch.take_changed(),
            claims: self.table.take_dirty(),
        }
    }

    /// Nodes that answer, without this one.
    pub fn active(&self) -> &[NodeId] {
        self.membership.active()
    }

    /// Nodes that attend a network as far as is known here, this one included where it does.
    pub fn attendees(&self, vni: Vni) -> impl Iterator<Item = NodeId> {
        self.table.attendees(vni)
    }

    /// What came so far, and what waits.
    pub fn counters(&self) -> Counters {
        let queued: usize = self.queues.values().map(Queue::len).sum();
        Counters {
            queued: queued as u64 + self.fresh.len() as u64,
            ..self.counters
        }
    }
}
