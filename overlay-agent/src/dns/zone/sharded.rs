//! A map of which snapshots are taken often, and each differs from the last in a few entries.

use std::{
    borrow::Borrow,
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher as _},
    sync::Arc,
};

/// Parts of a map. A change copies one of them and the list of all, which at 100 000 entries is about as
/// much.
const SHARDS: usize = 256;

/// A copy-on-write map in parts: a copy shares them all, a change copies the part that it is in.
#[derive(Clone, Debug)]
pub(super) struct Sharded<K, V> {
    /// None as long as it is empty, so that it costs nothing then.
    shards: Vec<Arc<BTreeMap<K, V>>>,
    length: usize,
}

impl<K, V> Default for Sharded<K, V> {
    fn default() -> Self {
        Self {
            shards: Vec::new(),
            length: 0,
        }
    }
}

impl<K: Clone + Ord + Hash, V: Clone> Sharded<K, V> {
    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// The value of a key.
    pub(super) fn get<Q: Ord + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.shards.get(shard(key))?.get(key)
    }

    /// Puts a value in the place of the present one; `None` takes it out.
    pub(super) fn set(&mut self, key: K, value: Option<V>) {
        let Some(value) = value else {
            if self.get(&key).is_some() {
                self.part(&key).remove(&key);
                self.length -= 1;
            }
            return;
        };
        if self.shards.is_empty() {
            self.shards = vec![Arc::default(); SHARDS];
        }
        if self.part(&key).insert(key, value).is_none() {
            self.length += 1;
        }
    }

    fn part(&mut self, key: &K) -> &mut BTreeMap<K, V> {
        Arc::make_mut(&mut self.shards[shard(key)])
    }
}

impl<K: Clone + Ord + Hash, T: Clone + Ord> Sharded<K, Vec<T>> {
    /// Adds to the list of a key, which stays ascending and without repetition.
    pub(super) fn add(&mut self, key: K, item: T) {
        let mut list = self.get(&key).cloned().unwrap_or_default();
        if let Err(at) = list.binary_search(&item) {
            list.insert(at, item);
            self.set(key, Some(list));
        }
    }

    /// Takes out of the list of a key; a key without any left is gone.
    pub(super) fn take(&mut self, key: &K, item: &T) {
        let Some(list) = self.get(key) else {
            return;
        };
        if let Ok(at) = list.binary_search(item) {
            let mut list = list.clone();
            list.remove(at);
            self.set(key.clone(), Some(list).filter(|list| !list.is_empty()));
        }
    }
}

fn shard<Q: Hash + ?Sized>(key: &Q) -> usize {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_stays_what_it_was() {
        let mut map = Sharded::default();
        for number in 0..1000_u32 {
            map.set(number, Some(number));
        }
        let snapshot = map.clone();

        map.set(7, None);
        map.set(8, Some(80));
        map.set(1000, Some(1000));

        assert_eq!(snapshot.len(), 1000);
        assert_eq!((snapshot.get(&7), snapshot.get(&8)), (Some(&7), Some(&8)));
        assert_eq!(snapshot.get(&1000), None);
        assert_eq!(map.len(), 1000);
        assert_eq!((map.get(&7), map.get(&8)), (None, Some(&80)));
    }

    #[test]
    fn a_change_copies_one_part() {
        let mut map = Sharded::default();
        for number in 0..1000_u32 {
            map.set(number, Some(()));
        }
        let snapshot = map.clone();

        map.set(7, None);

        let shared = map.shards.iter().zip(&snapshot.shards);
        let copied = shared.filter(|(one, other)| !Arc::ptr_eq(one, other));
        assert_eq!(copied.count(), 1);
    }

    #[test]
    fn lists_are_ascending_and_end_when_they_are_empty() {
        let mut map: Sharded<&str, Vec<u8>> = Sharded::default();
        for item in [3, 1, 2, 3] {
            map.add("a", item);
        }
        assert_eq!(map.get("a"), Some(&vec![1, 2, 3]));

        for item in [1, 9, 3, 2] {
            map.take(&"a", &item);
        }
        map.take(&"b", &1);

        assert_eq!(map.get("a"), None);
        assert_eq!(map.len(), 0);
    }
}
