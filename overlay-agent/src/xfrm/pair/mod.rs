//! Two nodes, as one of them sees it: what it seals with, and what it can open of the other.
//!
//! Pure: time is an argument, words come in and go out. New inbound states stand before the other is told so, and
//! it seals with them only then; old ones go once it has said that it no longer does. No round is put into the
//! kernel twice: a state that is gone is replaced by one of a new epoch.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    kernel::Direction,
    schedule::{Epoch, Round},
    word::{Stamp, Word},
};

/// How long a state stays with which nothing is sealed any more: packets may be on their way out.
const OUTBOUND_GRACE: Duration = Duration::from_secs(5);

/// How long a state stays that the other has given up: packets may be on their way here.
const INBOUND_GRACE: Duration = Duration::from_secs(20);

/// How long two nodes that no longer share an encrypted network go on.
const LINGER: Duration = Duration::from_mins(2);

/// Time between two words where nothing is open.
const REPEAT: Duration = Duration::from_secs(30);

/// Time between two words where something is: from the first to the second, and at most.
const SOON: Duration = Duration::from_millis(200);
const LATE: Duration = Duration::from_secs(5);

/// States of one direction that are kept at the same time.
const MOST: usize = 8;

/// What a pair has to go by.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The generation that senders use.
    pub primary: Option<u32>,
    /// Every accepted generation.
    pub accepted: &'a BTreeSet<u32>,
    /// Whether this node needs the other for an encrypted network.
    pub wanted: bool,
    /// Whether states for what the other seals can be made now.
    pub can_open: bool,
    /// New with every call.
    pub random: u64,
    /// Time since any fixed moment.
    pub now: Duration,
}

/// What outlives the agent.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// What this node seals with.
    pub current: Option<Round>,
    /// The greatest epoch that this node ever chose.
    pub last: u64,
    /// What stands here of the other.
    pub standing: Vec<Round>,
    /// The greatest epoch of the other that ever stood here.
    pub highest: u64,
    /// When the other was heard last.
    pub heard: Stamp,
}

/// One side of two nodes.
#[derive(Clone, Debug, Default)]
pub struct Pair {
    current: Option<Round>,
    offered: Option<Round>,
    /// Sealed with before, and until when it stays.
    leaving: BTreeMap<Round, Duration>,
    last: u64,
    /// Of the other, and until when it stays if the other has given it up.
    standing: BTreeMap<Round, Option<Duration>>,
    highest: u64,
    heard: Stamp,
    /// Rounds that are not in the kernel yet.
    fresh: BTreeSet<(Direction, Round)>,
    /// What the other seals with, as it said last.
    theirs: Option<Round>,
    /// Whether the other needs this node.
    they_want: bool,
    /// Whether the other has said that `current` does not stand there.
    doubted: bool,
    /// Since when nobody needs anybody.
    idle: Option<Duration>,
    /// When the next word is due, and how long after it the one after.
    due: Option<Duration>,
    pause: Duration,
}

impl Pair {
    /// Goes on where an earlier agent stopped. What is not in the kernel any more will be missed.
    pub fn resumed(kept: &Kept, now: Duration) -> Self {
        Self {
            current: kept.current,
            last: kept.last,
            standing: kept.standing.iter().map(|round| (*round, None)).collect(),
            highest: kept.highest,
            heard: kept.heard,
            // Until it has said what it wants, it may still want what it wanted.
            they_want: !kept.standing.is_empty(),
            due: Some(now),
            pause: SOON,
            ..Self::default()
        }
    }

    /// What has to be on disk before anything of it is in the kernel.
    pub fn kept(&self) -> Kept {
        Kept {
            current: self.current,
            last: self.last,
            standing: self.standing.keys().copied().collect(),
            highest: self.highest,
            heard: self.heard,
        }
    }

    /// What packets to the other are sealed with.
    pub fn current(&self) -> Option<Round> {
        self.current
    }

    /// Whether either side needs the other, or did until just now.
    pub fn is_needed(&self) -> bool {
        self.current.is_some() || self.offered.is_some() || !self.standing.is_empty()
    }

    /// Whether packets go both ways with keys of this generation.
    pub fn is_settled(&self, generation: u32) -> bool {
        let is_there = |round: Option<Round>| round.is_some_and(|it| it.generation == generation);
        let opens = |theirs| self.standing.contains_key(&theirs);
        self.offered.is_none()
            && !self.doubted
            && is_there(self.current)
            && is_there(self.theirs)
            && self.theirs.is_some_and(opens)
    }

    /// Every state that belongs into the kernel: what opens first, then what seals.
    pub fn rounds(&self) -> Vec<(Direction, Round)> {
        let inbound = self.standing.keys().map(|round| (Direction::In, *round));
        let outbound = self.current.iter().chain(self.leaving.keys());
        let outbound = outbound.map(|round| (Direction::Out, *round));
        inbound.chain(outbound).collect()
    }

    /// Whether a state of it has not been in the kernel yet.
    pub fn is_fresh(&self, direction: Direction, round: Round) -> bool {
        self.fresh.contains(&(direction, round))
    }

    /// A fresh state is in the kernel.
    pub fn placed(&mut self, direction: Direction, round: Round) {
        self.fresh.remove(&(direction, round));
    }

    /// A state is not in the kernel although it should be, or cannot be put there. Its round is never used again.
    pub fn lost(&mut self, direction: Direction, round: Round, now: Duration) {
        self.fresh.remove(&(direction, round));
        match direction {
            Direction::In => {
                self.standing.remove(&round);
            }
            Direction::Out => {
                self.leaving.remove(&round);
                self.current.take_if(|current| *current == round);
            }
        }
        self.speak_at(now);
    }

    /// Takes over what the other says; false for a word that is older than another.
    pub fn hear(&mut self, word: &Word, facts: &Facts<'_>) -> bool {
        if word.stamp <= self.heard {
            return false;
        }
        self.heard = word.stamp;
        self.they_want = word.wants;
        self.theirs = word.current;
        let mut is_answered = self.admit(word, facts);
        self.release(word, facts.now);

        if let Some(offered) = self.offered {
            if word.standing.contains(&offered) {
                self.switch(offered, facts.now);
                is_answered = true;
            } else if word.highest >= offered.epoch.number {
                // It had its time there, or another of the same number had, before somebody's memory was lost.
                self.last = self.last.max(word.highest);
                self.offered = None;
                is_answered = true;
            }
        }
        let is_open_there = |current: Round| word.standing.contains(&current);
        self.doubted = !self.current.is_none_or(is_open_there);
        if self.doubted {
            self.last = self.last.max(word.highest);
        }
        if is_answered {
            self.speak_at(facts.now);
        }
        true
    }

    /// Makes ready to open what is offered; says whether the other waits for an answer.
    fn admit(&mut self, word: &Word, facts: &Facts<'_>) -> bool {
        let Some(offered) = word.offered else {
            return false;
        };
        if offered.epoch.number <= self.highest {
            return true;
        }
        if !facts.can_open || !facts.accepted.contains(&offered.generation) {
            return false;
        }
        self.highest = offered.epoch.number;
        self.standing.insert(offered, None);
        self.fresh.insert((Direction::In, offered));
        while self.standing.len() > MOST {
            let oldest = self
                .standing
                .keys()
                .find(|round| Some(**round) != word.current);
            let Some(oldest) = oldest.copied() else {
                break;
            };
            self.standing.remove(&oldest);
            self.fresh.remove(&(Direction::In, oldest));
        }
        true
    }

    /// What the other neither seals with nor means to goes after a while.
    fn release(&mut self, word: &Word, now: Duration) {
        for (round, until) in &mut self.standing {
            let is_named = [word.current, word.offered].contains(&Some(*round));
            if is_named {
                *until = None;
            } else {
                until.get_or_insert(now + INBOUND_GRACE);
            }
        }
    }

    fn switch(&mut self, to: Round, now: Duration) {
        if let Some(before) = self.current.replace(to) {
            self.leaving.insert(before, now + OUTBOUND_GRACE);
        }
        while self.leaving.len() > MOST {
            self.leaving.pop_first();
        }
        self.fresh.insert((Direction::Out, to));
        self.offered = None;
    }

    /// Does what time, keys and wishes demand.
    pub fn attend(&mut self, facts: &Facts<'_>) {
        let now = facts.now;
        let before = (self.current, self.offered, self.standing.len());
        let is_accepted = |round: &Round| facts.accepted.contains(&round.generation);
        self.standing
            .retain(|round, until| is_accepted(round) && until.is_none_or(|until| until > now));
        self.leaving
            .retain(|round, until| is_accepted(round) && *until > now);
        self.current = self.current.filter(is_accepted);
        self.offered = self.offered.filter(is_accepted);

        if facts.wanted || self.they_want {
            self.idle = None;
            self.offer(facts);
        } else if *self.idle.get_or_insert(now) + LINGER <= now {
            self.offered = None;
            self.leaving
                .extend(self.current.take().map(|round| (round, now)));
        }
        let rounds: BTreeSet<_> = self.rounds().into_iter().collect();
        self.fresh.retain(|state| rounds.contains(state));
        if before != (self.current, self.offered, self.standing.len()) {
            self.speak_at(now);
        }
    }

    fn offer(&mut self, facts: &Facts<'_>) {
        let Some(generation) = facts.primary else {
            return;
        };
        let is_good = |round: Option<Round>| round.is_some_and(|it| it.generation == generation);
        if is_good(self.offered) {
            return;
        }
        if is_good(self.current) && !self.doubted {
            self.offered = None;
            return;
        }
        self.last += 1;
        self.offered = Some(Round {
            epoch: Epoch {
                number: self.last,
                random: facts.random,
            },
            generation,
        });
    }

    /// When the next word is due, or the next state's time is over.
    pub fn next(&self) -> Option<Duration> {
        let leaving = self.leaving.values().copied();
        let standing = self.standing.values().copied().flatten();
        leaving.chain(standing).chain(self.due).min()
    }

    /// What the other has to be told now, if anything.
    pub fn speak(&mut self, stamp: Stamp, wanted: bool, now: Duration) -> Option<Word> {
        if self.due.is_none_or(|due| due > now) {
            return None;
        }
        let opens = |theirs| self.standing.contains_key(&theirs);
        let is_open = self.offered.is_some() || self.doubted || !self.theirs.is_none_or(opens);
        self.due = if is_open {
            let pause = self.pause;
            self.pause = (pause * 2).min(LATE);
            Some(now + pause)
        } else {
            self.pause = SOON;
            let is_used = wanted || self.they_want || self.is_needed();
            is_used.then_some(now + REPEAT)
        };
        let is_placed = |round: &&Round| !self.is_fresh(Direction::In, **round);
        Some(Word {
            stamp,
            wants: wanted,
            current: self.current,
            offered: self.offered,
            standing: self.standing.keys().filter(is_placed).copied().collect(),
            highest: self.highest,
        })
    }

    fn speak_at(&mut self, now: Duration) {
        self.due = Some(self.due.map_or(now, |due| due.min(now)));
        self.pause = SOON;
    }
}

#[cfg(test)]
mod tests;
