//! All pairs of this node over one kernel: what is heard and what time brings, in the one order that is safe. What
//! must not be forgotten is kept before the kernel has it, and the others hear of it once the kernel has it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    net::IpAddr,
    time::Duration,
};

use tracing::warn;

use super::{
    Drift, Error, Held, Kept, Kernel, Outlook, Pair, Peer, Schedule, Stamp, Word, pair::Facts,
    reconcile,
};
use crate::model::{KeyRing, NodeId};

/// Who this node is.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Its name.
    pub this: NodeId,
    /// Its address on the underlay.
    pub local: IpAddr,
    /// UDP port of VXLAN.
    pub port: u16,
    /// Our part of marks.
    pub mark: u32,
    /// The run of the agent: greater than all earlier ones.
    pub run: u64,
}

/// What the cluster is like.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Surroundings {
    /// Every other node.
    pub peers: BTreeMap<NodeId, Peer>,
    /// Those that this node needs for encrypted networks.
    pub wanted: BTreeSet<NodeId>,
    /// Whether there is any encrypted network.
    pub guards: bool,
}

/// Something could not be done; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The kernel.
    #[error(transparent)]
    Kernel(#[from] Error),
    /// The disk. Nothing was changed in the kernel.
    #[error("could not remember which keys are in use")]
    Disk(#[from] io::Error),
}

/// How it stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Standing {
    /// The generation that this node seals with.
    pub generation: Option<u32>,
    /// Nodes with which packets have to be exchanged encrypted.
    pub wanted: usize,
    /// Those with which they can, with the present keys both ways.
    pub settled: usize,
    /// States in the kernel.
    pub states: usize,
    /// Policies in the kernel.
    pub policies: usize,
}

/// Keeps the kernel true to what the pairs have agreed on.
pub struct Keeper<K> {
    kernel: K,
    held: Held,
    identity: Identity,
    schedule: Schedule,
    surroundings: Surroundings,
    pairs: BTreeMap<NodeId, Pair>,
    count: u64,
    saved: BTreeMap<NodeId, Kept>,
    random: Box<dyn FnMut() -> u64 + Send>,
}

impl<K> fmt::Debug for Keeper<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("pairs", &self.pairs)
            .finish_non_exhaustive()
    }
}

impl<K: Kernel> Keeper<K> {
    /// Goes on where an earlier agent stopped.
    pub fn new(
        mut kernel: K,
        identity: Identity,
        schedule: Schedule,
        kept: BTreeMap<NodeId, Kept>,
        random: Box<dyn FnMut() -> u64 + Send>,
        now: Duration,
    ) -> Result<Self, Error> {
        let held = Held::read(&mut kernel)?;
        let resumed = |(node, kept): (&NodeId, &Kept)| (*node, Pair::resumed(kept, now));
        Ok(Self {
            kernel,
            held,
            identity,
            schedule,
            surroundings: Surroundings::default(),
            pairs: kept.iter().map(resumed).collect(),
            count: 0,
            saved: kept,
            random,
        })
    }

    /// Takes over the key ring.
    pub fn set_ring(&mut self, ring: KeyRing) {
        self.schedule.set_ring(ring);
    }

    /// Takes over what the cluster is like.
    pub fn set_surroundings(&mut self, surroundings: Surroundings) {
        let peers = &surroundings.peers;
        self.pairs.retain(|node, _| peers.contains_key(node));
        for node in &surroundings.wanted {
            self.pairs.entry(*node).or_default();
        }
        self.surroundings = surroundings;
    }

    /// Whether there is a key to seal with.
    pub fn has_key(&self) -> bool {
        self.schedule.primary().is_some()
    }

    /// Takes over what another node says.
    pub fn hear(&mut self, from: NodeId, word: &Word, now: Duration) {
        if !self.surroundings.peers.contains_key(&from) {
            return;
        }
        let accepted = self.schedule.accepted();
        let random = (self.random)();
        let facts = self.facts(from, &accepted, random, now);
        let pair = self.pairs.entry(from).or_default();
        pair.hear(word, &facts);
        // What is offered must find the word before it followed.
        pair.attend(&facts);
    }

    fn facts<'a>(
        &self,
        node: NodeId,
        accepted: &'a BTreeSet<u32>,
        random: u64,
        now: Duration,
    ) -> Facts<'a> {
        let peer = self.surroundings.peers.get(&node);
        Facts {
            primary: self.schedule.primary(),
            accepted,
            wanted: self.surroundings.wanted.contains(&node),
            can_open: peer.is_some_and(|peer| peer.number.is_some()),
            random,
            now,
        }
    }

    /// Does all that is due: keeps it with `save`, changes the kernel, and returns what has to be said to whom.
    pub fn turn(
        &mut self,
        now: Duration,
        mut save: impl FnMut(&BTreeMap<NodeId, Kept>) -> io::Result<()>,
    ) -> Result<Vec<(NodeId, Word)>, KeepError> {
        self.attend(now);
        self.keep(&mut save)?;
        let outlook = Outlook {
            this: self.identity.this,
            local: self.identity.local,
            port: self.identity.port,
            mark: self.identity.mark,
            guards: self.surroundings.guards,
            schedule: &self.schedule,
            peers: &self.surroundings.peers,
            now,
        };
        let refused = reconcile(&mut self.kernel, &mut self.held, &outlook, &mut self.pairs)?;
        for error in refused {
            let error: &dyn std::error::Error = &error;
            warn!(error, "agrees on another key");
        }
        // What was lost is replaced.
        self.attend(now);
        self.keep(&mut save)?;
        Ok(self.speak(now))
    }

    fn attend(&mut self, now: Duration) {
        let accepted = self.schedule.accepted();
        let nodes: Vec<NodeId> = self.pairs.keys().copied().collect();
        for node in nodes {
            let random = (self.random)();
            let facts = self.facts(node, &accepted, random, now);
            if let Some(pair) = self.pairs.get_mut(&node) {
                pair.attend(&facts);
            }
        }
    }

    /// When others were heard is kept along with the rest, but is no reason to write.
    fn keep(
        &mut self,
        save: &mut impl FnMut(&BTreeMap<NodeId, Kept>) -> io::Result<()>,
    ) -> io::Result<()> {
        let kept: BTreeMap<_, _> = self
            .pairs
            .iter()
            .map(|(node, pair)| (*node, pair.kept()))
            .collect();
        let is_same = |(one, other): (&Kept, &Kept)| {
            let unheard = |kept: &Kept| Kept {
                heard: Stamp::default(),
                ..kept.clone()
            };
            unheard(one) == unheard(other)
        };
        let is_known = kept.len() == self.saved.len()
            && kept.keys().eq(self.saved.keys())
            && kept.values().zip(self.saved.values()).all(is_same);
        if !is_known {
            save(&kept)?;
            self.saved = kept;
        }
        Ok(())
    }

    fn speak(&mut self, now: Duration) -> Vec<(NodeId, Word)> {
        let mut words = Vec::new();
        for (node, pair) in &mut self.pairs {
            let stamp = Stamp {
                run: self.identity.run,
                count: self.count + 1,
            };
            let wanted = self.surroundings.wanted.contains(node);
            if let Some(word) = pair.speak(stamp, wanted, now) {
                self.count += 1;
                words.push((*node, word));
            }
        }
        words
    }

    /// Looks at what the kernel really holds; the next turn makes it right. Returns what somebody else changed.
    pub fn audit(&mut self) -> Result<Vec<Drift>, Error> {
        let found = Held::read(&mut self.kernel)?;
        let drift = self.held.drift(&found);
        self.held = found;
        Ok(drift)
    }

    /// When the next turn is due.
    pub fn next(&self) -> Option<Duration> {
        self.pairs.values().filter_map(Pair::next).min()
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        let generation = self.schedule.primary();
        let needed = self.pairs.values().filter(|pair| pair.is_needed());
        let wanted = self.surroundings.wanted.iter();
        let is_settled = |node: &&NodeId| {
            let pair = self.pairs.get(node);
            pair.zip(generation)
                .is_some_and(|(pair, number)| pair.is_settled(number))
        };
        Standing {
            generation,
            wanted: wanted.clone().count().max(needed.count()),
            settled: self.pairs.keys().filter(is_settled).count(),
            states: self.held.states.len(),
            policies: self.held.policies.len(),
        }
    }

    /// The kernel, for tests.
    #[cfg(test)]
    pub(crate) fn kernel(&mut self) -> &mut K {
        &mut self.kernel
    }

    /// The pairs, for tests.
    #[cfg(test)]
    pub(crate) fn pair(&self, node: NodeId) -> Option<&Pair> {
        self.pairs.get(&node)
    }

    /// What was kept last, for tests.
    #[cfg(test)]
    pub(crate) fn saved(&self) -> &BTreeMap<NodeId, Kept> {
        &self.saved
    }
}

/// Removes every state and policy of ours, whoever made them. Returns how many there were.
pub fn clear(kernel: &mut impl Kernel) -> Result<usize, Error> {
    let held = Held::read(kernel)?;
    for id in held.states.keys() {
        kernel.remove(*id)?;
    }
    for key in held.policies.keys() {
        kernel.remove_policy(*key)?;
    }
    Ok(held.states.len() + held.policies.len())
}

#[cfg(test)]
mod tests;
