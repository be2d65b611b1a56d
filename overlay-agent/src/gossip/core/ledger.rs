//! All streams of one topic.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use super::{
    fingerprint,
    stream::{Applied, Content, Stream},
    topic::Key,
    wire::{Head, Span},
};
use crate::model::NodeId;

/// See the module. Other nodes' streams are kept only while this node takes part.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Whether this node takes part.
    pub(super) is_attended: bool,
    /// Fingerprint of how far all streams are known.
    pub(super) sum: u64,
    /// When `sum` changed last.
    pub(super) moved: Duration,
    streams: BTreeMap<NodeId, Stream>,
    holders: BTreeMap<IpAddr, Holders>,
    /// How many addresses there were when the map was packed.
    packed: usize,
}

/// Nodes other than this one that claim an address.
#[derive(Debug)]
enum Holders {
    One(NodeId),
    Several(Vec<NodeId>),
}

impl Holders {
    fn nodes(&self) -> &[NodeId] {
        match self {
            Self::One(node) => std::slice::from_ref(node),
            Self::Several(nodes) => nodes,
        }
    }
}

impl Ledger {
    /// The stream of a node.
    pub(super) fn stream(&self, owner: NodeId) -> Option<&Stream> {
        self.streams.get(&owner)
    }

    /// Every stream.
    pub(super) fn streams(&self) -> impl Iterator<Item = (NodeId, &Stream)> {
        self.streams.iter().map(|(owner, stream)| (*owner, stream))
    }

    /// How far a stream is known.
    pub(super) fn head(&self, owner: NodeId) -> Head {
        self.stream(owner)
            .map_or_else(Head::default, |stream| stream.head)
    }

    /// Changes a stream of this node, which no one else changes.
    pub(super) fn change_own<T>(
        &mut self,
        this: NodeId,
        now: Duration,
        change: impl FnOnce(&mut Stream) -> T,
    ) -> T {
        self.changing(this, now, change)
    }

    /// Learns what a span tells about another node's stream.
    pub(super) fn apply(&mut self, span: &Span<'_>, now: Duration) -> Applied {
        if span.after > 0 && !self.streams.contains_key(&span.owner) {
            return Applied {
                is_gap: true,
                ..Applied::default()
            };
        }
        let applied = self.changing(span.owner, now, |stream| stream.apply(span, now));
        self.note_holders(span.owner, &applied.changed);
        applied
    }

    /// See [`Stream::finish`].
    pub(super) fn finish(&mut self, owner: NodeId, last: Head, now: Duration) -> Applied {
        let applied = self.changing(owner, now, |stream| stream.finish(last));
        self.note_holders(owner, &applied.changed);
        applied
    }

    /// Forgets a node. Returns the rows that it had.
    pub(super) fn forget(&mut self, owner: NodeId, now: Duration) -> Vec<Key> {
        let Some(stream) = self.streams.remove(&owner) else {
            return Vec::new();
        };
        self.sum ^= fingerprint::of_stream(owner, stream.head);
        self.moved = now;
        let keys: Vec<Key> = stream.live().map(|(key, _)| key).collect();
        self.note_holders(owner, &keys);
        keys
    }

    /// Forgets all nodes but one.
    pub(super) fn forget_others(&mut self, this: NodeId, now: Duration) -> Vec<Key> {
        let others: Vec<NodeId> = self
            .streams
            .keys()
            .copied()
            .filter(|owner| *owner != this)
            .collect();
        others
            .into_iter()
            .flat_map(|owner| self.forget(owner, now))
            .collect()
    }

    /// Forgets withdrawals before `limit`, milliseconds.
    pub(super) fn reap(&mut self, limit: u64) {
        for stream in self.streams.values_mut() {
            stream.reap(limit);
        }
        // A map that was filled in order is half empty.
        if self.holders.len() > self.packed + self.packed / 4 {
            self.holders = std::mem::take(&mut self.holders).into_iter().collect();
            self.packed = self.holders.len();
        }
    }

    /// Claims of other nodes on an address: node, position in the managers' log, the rest.
    pub(super) fn claims(&self, address: IpAddr) -> impl Iterator<Item = (u64, NodeId, &[u8])> {
        self.holders
            .get(&address)
            .map_or(&[][..], Holders::nodes)
            .iter()
            .filter_map(
                move |node| match self.stream(*node)?.get(&Key::Address(address))? {
                    Content::Claimed { index, value } => Some((*index, *node, &**value)),
                    Content::Attending | Content::Withdrawn { .. } => None,
                },
            )
    }

    /// Addresses that other nodes claim.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.holders.keys().copied()
    }

    fn changing<T>(
        &mut self,
        owner: NodeId,
        now: Duration,
        change: impl FnOnce(&mut Stream) -> T,
    ) -> T {
        let stream = self.streams.entry(owner).or_default();
        let before = stream.head;
        let result = change(stream);
        let after = stream.head;
        if before != after {
            if before.epoch > 0 {
                self.sum ^= fingerprint::of_stream(owner, before);
            }
            self.sum ^= fingerprint::of_stream(owner, after);
            self.moved = now;
        }
        result
    }

    fn note_holders(&mut self, owner: NodeId, changed: &[Key]) {
        for key in changed {
            let Key::Address(address) = *key else {
                continue;
            };
            let is_claimed = self
                .stream(owner)
                .is_some_and(|stream| stream.get(key).is_some());
            let mut nodes: Vec<NodeId> = match self.holders.get(&address) {
                Some(holders) => holders.nodes().to_vec(),
                None => Vec::new(),
            };
            nodes.retain(|node| *node != owner);
            if is_claimed {
                nodes.push(owner);
            }
            match nodes[..] {
                [] => self.holders.remove(&address),
                [node] => self.holders.insert(address, Holders::One(node)),
                _ => self.holders.insert(address, Holders::Several(nodes)),
            };
        }
    }
}
