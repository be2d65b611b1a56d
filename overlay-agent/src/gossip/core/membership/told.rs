//! What nodes tell each other of the members, outside the protocol's own packets.

use std::time::Duration;

use foca::State;

use super::{
    super::{
        identity::Life,
        outcome::{Collected, Outcome},
        wire,
    },
    Membership, Standing, config,
};
use crate::model::NodeId;

impl Membership {
    /// Every member, as the protocol tells it, this node included.
    pub(in crate::gossip::core) fn told(&self) -> Vec<wire::ToldMember> {
        let own = foca::Member::alive(*self.foca.identity());
        let others = self.foca.iter_membership_state().cloned();
        others
            .filter(|member| self.nodes.contains_key(&member.id().node))
            .chain([own])
            .collect()
    }

    /// Learns what another node knows of the members. Where it holds a node to be down that answers
    /// here, the node is only suspected: the other may have been cut off. Also returns how many of the
    /// members the managers do not know.
    pub(in crate::gossip::core) fn learn(
        &mut self,
        members: Vec<wire::ToldMember>,
        now: Duration,
    ) -> (Vec<Outcome>, usize) {
        let told = members.len();
        let members: Vec<_> = members
            .into_iter()
            .filter(|member| self.knows(member.id().node))
            .collect();
        let strangers = told - members.len();
        let this = self.foca.identity().node;
        let after = config(&self.pace, self.nodes.len() + 1).suspect_to_down_after;
        let mut doubts = Vec::new();
        let mut news = Vec::with_capacity(members.len());
        for member in members {
            let life = *member.id();
            if life.node == this && life.generation > self.generation() {
                doubts.extend(self.outbid(life, now));
                continue;
            }
            let is_here = self.standing(life.node)
                == Some(Standing::Up {
                    generation: life.generation,
                });
            if member.state() == State::Down && is_here && life.node != this {
                let incarnation = member.incarnation();
                news.push(foca::Member::new(life, incarnation, State::Suspect));
                doubts.push(Outcome::Doubt(life, incarnation, after));
            } else {
                news.push(member);
            }
        }
        let mut outcomes = self.apply(news, now);
        outcomes.extend(doubts);
        (outcomes, strangers)
    }

    /// Somebody knows a later life of this node: the clock went back since.
    fn outbid(&mut self, later: Life, now: Duration) -> Vec<Outcome> {
        let Some(generation) = later.generation.checked_add(1) else {
            return Vec::new();
        };
        let life = Life {
            generation,
            ..*self.foca.identity()
        };
        let mut collected = Collected::default();
        drop(self.foca.change_identity(life, &mut collected));
        self.settle(collected, now)
    }

    /// A node has said that it leaves.
    pub(in crate::gossip::core) fn heard_leaving(
        &mut self,
        node: NodeId,
        generation: u64,
        now: Duration,
    ) -> Option<Vec<Outcome>> {
        let known = |member: &&foca::Member<Life>| member.id().node == node;
        let life = *self.foca.iter_membership_state().find(known)?.id();
        if life.generation > generation {
            return None;
        }
        let outcomes = self.apply(vec![foca::Member::down(life)], now);
        self.stand(node, Standing::Left, now);
        Some(outcomes)
    }

    /// Suspects a node that does not answer. Unless it says otherwise within a while, it has failed.
    pub(in crate::gossip::core) fn doubt(
        &mut self,
        node: NodeId,
        after: Duration,
        now: Duration,
    ) -> Vec<Outcome> {
        let known = |member: &&foca::Member<Life>| member.id().node == node;
        let found = self.foca.iter_members().find(known);
        let Some((life, incarnation)) = found.map(|member| (*member.id(), member.incarnation()))
        else {
            return Vec::new();
        };
        let suspect = foca::Member::new(life, incarnation, State::Suspect);
        let mut outcomes = self.apply(vec![suspect], now);
        outcomes.push(Outcome::Doubt(life, incarnation, after));
        outcomes
    }

    /// Declares a suspect failed that has not said otherwise.
    pub(in crate::gossip::core) fn decide(
        &mut self,
        life: Life,
        incarnation: u16,
        now: Duration,
    ) -> Vec<Outcome> {
        let is_suspect = self.foca.iter_membership_state().any(|member| {
            *member.id() == life
                && member.state() == State::Suspect
                && member.incarnation() == incarnation
        });
        if !is_suspect {
            return Vec::new();
        }
        self.apply(vec![foca::Member::new(life, incarnation, State::Down)], now)
    }

    fn apply(&mut self, members: Vec<wire::ToldMember>, now: Duration) -> Vec<Outcome> {
        let mut collected = Collected::default();
        drop(
            self.foca
                .apply_many(members.into_iter(), true, &mut collected),
        );
        self.settle(collected, now)
    }
}
