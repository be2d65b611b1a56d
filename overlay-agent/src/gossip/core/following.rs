//! What follows from the membership protocol: who comes, who is missed, who leaves.

use std::time::Duration;

use super::{
    Effect, Event, Gossip, Timer,
    membership::Standing,
    outcome::Outcome,
    timer::{Alarm, Duty},
    topic::Topic,
    wire::{self, Kind},
};
use crate::model::NodeId;

impl Gossip {
    /// The node goes. Nothing is done after this.
    pub fn leave(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let generation = self.membership.generation();
        let datagram = wire::Writer::new(Kind::Leaving).item(&generation).finish();
        for node in self.membership.active().to_vec() {
            self.send(node, datagram.clone(), effects);
        }
        let outcomes = self.membership.leave();
        self.follow(outcomes, now, effects);
        self.has_left = true;
    }

    pub(super) fn hear_leaving(
        &mut self,
        from: NodeId,
        generation: u64,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let Some(outcomes) = self.membership.heard_leaving(from, generation, now) else {
            return;
        };
        let failed = |outcome: &Outcome| !matches!(outcome, Outcome::Down(node) if *node == from);
        self.follow(outcomes.into_iter().filter(failed).collect(), now, effects);
        self.conceal(from);
        effects.push(Effect::Event(Event::MemberLeft(from)));
    }

    /// Does what the membership protocol wants.
    pub(super) fn follow(
        &mut self,
        outcomes: Vec<Outcome>,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        for outcome in outcomes {
            match outcome {
                Outcome::Send(life, packet) => effects.push(Effect::Send {
                    to: life.node,
                    address: life.address,
                    datagram: wire::Writer::new(Kind::Membership).raw(&packet).finish(),
                }),
                Outcome::Start(timer, after) => effects.push(Effect::StartTimer {
                    timer: Timer(Alarm::Membership {
                        instance: self.membership.instance(),
                        timer,
                    }),
                    after,
                }),
                Outcome::Doubt(life, incarnation, after) => effects.push(Effect::StartTimer {
                    timer: Timer(Alarm::Doubt { life, incarnation }),
                    after,
                }),
                Outcome::Up(node) => self.meet(node, effects),
                Outcome::Down(node) => self.miss(node, effects),
                Outcome::Renewed(node) => self.greet(node, effects),
                Outcome::Joined | Outcome::Rejoined => {
                    self.sync.want_all(self.table.attended());
                    self.announce_own(Topic::Attendance, effects);
                }
                Outcome::Alone => {
                    self.sync.want_all(self.table.attended());
                    self.start_timer(Duty::Reconnect, self.settings.pace.reconnect, effects);
                }
            }
        }
        self.synchronize(now, effects);
    }

    fn meet(&mut self, node: NodeId, effects: &mut Vec<Effect>) {
        if !self.membership.is_up(node) {
            return;
        }
        self.table.hide(node, false);
        if self.failed.get(&node) == Some(&true) {
            self.failed.remove(&node);
        }
        self.failed.insert(node, false);
        effects.push(Effect::Event(Event::MemberUp(node)));
        self.greet(node, effects);
    }

    fn miss(&mut self, node: NodeId, effects: &mut Vec<Effect>) {
        if self.membership.standing(node) == Some(Standing::Failed) {
            self.conceal(node);
            effects.push(Effect::Event(Event::MemberFailed(node)));
        }
    }

    fn conceal(&mut self, node: NodeId) {
        self.table.hide(node, true);
        self.failed.insert(node, true);
    }

    pub(super) fn reconnect(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        self.start_timer(Duty::Reconnect, self.settings.pace.reconnect, effects);
        for node in self.membership.give_up_on_silent(now) {
            self.miss(node, effects);
        }
        let outcomes = self.membership.reconnect(now);
        self.follow(outcomes, now, effects);
    }
}
