//! News that has still to be passed on.

use super::{
    topic::{Key, Topic},
    wire::Manner,
};
use crate::model::NodeId;

/// So many items are kept; who misses others finds out by comparing digests.
const MOST: usize = 1024;

/// A range of a stream. Its rows are read when it is sent, so that what has changed meanwhile is not
/// told twice.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Which stream.
    pub(super) topic: Topic,
    /// Whose.
    pub(super) owner: NodeId,
    /// Void when the stream has another by now.
    pub(super) epoch: u64,
    /// Start and end, as in a span.
    pub(super) range: (u64, u64),
    /// How to tell it.
    pub(super) manner: Manner,
    /// The rows that changed.
    pub(super) keys: Vec<Key>,
    /// How often it is sent yet.
    pub(super) left: u8,
}

/// Items of one topic, those first that are told first: own ones, then those that were sent least.
#[derive(Debug, Default)]
pub(super) struct Queue {
    items: Vec<Item>,
}

impl Queue {
    /// Adds an item, unless it is there.
    pub(super) fn push(&mut self, item: Item) {
        let is_same = |known: &Item| {
            known.owner == item.owner && known.epoch == item.epoch && known.range == item.range
        };
        if item.left == 0 || self.items.iter().any(is_same) {
            return;
        }
        if self.items.len() >= MOST {
            self.items.pop();
        }
        self.items.push(item);
    }

    /// How many items there are.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is nothing to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Puts the items in the order in which `this` node tells them.
    pub(super) fn order(&mut self, this: NodeId) {
        self.items
            .sort_by_key(|item| (item.owner != this, u8::MAX - item.left));
    }

    /// The items in order. `size` sends one and returns its bytes, or `None` where it is void; no item
    /// is sent after `limit` bytes.
    pub(super) fn send(&mut self, limit: usize, mut size: impl FnMut(&Item) -> Option<usize>) {
        let mut sent = 0;
        self.items.retain_mut(|item| {
            if sent >= limit {
                return true;
            }
            let Some(bytes) = size(item) else {
                return false;
            };
            if sent > 0 && sent + bytes > limit {
                sent = limit;
                return true;
            }
            sent += bytes;
            item.left -= 1;
            item.left > 0
        });
    }

    /// Forgets what a node told.
    pub(super) fn forget(&mut self, owner: NodeId) {
        self.items.retain(|item| item.owner != owner);
    }
}
