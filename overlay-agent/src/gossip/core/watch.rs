//! Nodes that serve one another look after each other more closely than the membership protocol does:
//! flows to a node that is gone are lost, so that it must be found out within seconds.
//!
//! A watched node is asked every [`Pace::watch`](super::Pace::watch). Two questions without an answer make
//! it a suspect, here at once and, through the membership protocol, everywhere: it may say otherwise, by
//! whatever way it still has, before it counts as failed. Whatever a node sends is an answer, and only
//! questions that were really asked count, so that a node that was kept from running suspects nobody.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    Effect, Gossip,
    timer::Duty,
    wire::{self, Kind},
};
use crate::model::NodeId;

/// Questions without an answer that make a suspect.
const PATIENCE: u32 = 2;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Watch {
    watched: BTreeMap<NodeId, Watched>,
    /// Nodes that became suspects (`true`) or ceased to be since that was last taken.
    changed: BTreeMap<NodeId, bool>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Watched {
    /// Questions since its last answer.
    asked: u32,
    /// When the last one was asked.
    when: Duration,
    is_suspect: bool,
}

impl Watch {
    /// A node has sent something.
    pub(super) fn heard(&mut self, node: NodeId) {
        if let Some(watched) = self.watched.get_mut(&node) {
            watched.asked = 0;
            if std::mem::take(&mut watched.is_suspect) {
                self.changed.insert(node, false);
            }
        }
    }

    /// Whether a node is watched and no suspect.
    pub(super) fn is_answering(&self, node: NodeId) -> bool {
        let watched = self.watched.get(&node);
        watched.is_some_and(|watched| !watched.is_suspect)
    }

    /// Watches these nodes and no others.
    pub(super) fn set(&mut self, nodes: &BTreeSet<NodeId>) {
        let changed = &mut self.changed;
        self.watched.retain(|node, watched| {
            let stays = nodes.contains(node);
            if !stays && watched.is_suspect {
                changed.insert(*node, false);
            }
            stays
        });
        for node in nodes {
            self.watched.entry(*node).or_default();
        }
    }

    /// Whether there is something to tell.
    pub(super) fn is_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// What is to be told.
    pub(super) fn take_changed(&mut self) -> BTreeMap<NodeId, bool> {
        std::mem::take(&mut self.changed)
    }
}

impl Gossip {
    /// Looks after these nodes and no others closely.
    pub fn watch(&mut self, nodes: &BTreeSet<NodeId>, now: Duration, effects: &mut Vec<Effect>) {
        self.watch.set(nodes);
        if !nodes.is_empty() {
            self.start_timer(Duty::Watch, Duration::ZERO, effects);
        }
        self.tell(now, effects);
    }

    /// Asks who is due, and suspects who does not answer.
    pub(super) fn look_after(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if self.watch.watched.is_empty() {
            return;
        }
        let interval = self.settings.pace.watch;
        self.start_timer(Duty::Watch, interval / 2, effects);
        let question = wire::Writer::new(Kind::Question).finish();
        let nodes: Vec<NodeId> = self.watch.watched.keys().copied().collect();
        for node in nodes {
            let is_up = self.membership.is_up(node);
            let Some(watched) = self.watch.watched.get_mut(&node) else {
                continue;
            };
            if !is_up {
                // It counts as failed, which says more.
                watched.asked = 0;
                if std::mem::take(&mut watched.is_suspect) {
                    self.watch.changed.insert(node, false);
                }
                continue;
            }
            let since = now.saturating_sub(watched.when);
            if watched.asked >= PATIENCE && since >= interval / 2 && !watched.is_suspect {
                watched.is_suspect = true;
                self.watch.changed.insert(node, true);
                let after = interval * 5 / 2;
                let outcomes = self.membership.doubt(node, after, now);
                self.follow(outcomes, now, effects);
            }
            let Some(watched) = self.watch.watched.get_mut(&node) else {
                continue;
            };
            if watched.asked == 0 && watched.when == Duration::ZERO || since >= interval {
                watched.asked = watched.asked.saturating_add(1);
                watched.when = now;
                self.send(node, question.clone(), effects);
            }
        }
    }

    /// Answers a question.
    pub(super) fn reassure(&mut self, from: NodeId, effects: &mut Vec<Effect>) {
        self.send(from, wire::Writer::new(Kind::Here).finish(), effects);
    }
}
