//! The state machine in memory, and its snapshots in the store.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use openraft::{
    AnyError, EntryPayload, OptionalSend, RaftSnapshotBuilder, Snapshot, StorageIOError,
    storage::RaftStateMachine,
};
use redb::ReadableTable;
use tokio::sync::watch;

use super::{
    super::{
        StateMachine, StoreError,
        types::{
            CommandBytes, Entry, LogId, Outcome, SnapshotMeta, StorageError, StoredMembership,
            TypeConfig,
        },
    },
    SnapshotBuffer, Store,
    snapshot_buffer::LIMIT,
    tables::{SNAPSHOT, decode, encode, snapshot},
};

/// The state, and how far the log has been obeyed. Outlives a restart of openraft.
pub(crate) struct Machine<S> {
    inner: RwLock<Inner<S>>,
    applied: watch::Sender<u64>,
    built: AtomicU64,
}

struct Inner<S> {
    state: S,
    applied: Option<LogId>,
    membership: StoredMembership,
}

impl<S: StateMachine> Machine<S> {
    /// The state of the newest snapshot.
    pub(crate) fn load(store: &Store) -> Result<Self, StoreError> {
        let inner = match stored(store)? {
            None => Inner {
                state: S::default(),
                applied: None,
                membership: StoredMembership::default(),
            },
            Some((meta, bytes)) => Inner::restore(store, &meta, &bytes)?,
        };
        let index = inner.applied.map_or(0, |applied| applied.index);
        Ok(Self {
            inner: RwLock::new(inner),
            applied: watch::Sender::new(index),
            built: AtomicU64::new(0),
        })
    }

    /// Looks at the state.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&S) -> R) -> R {
        look(
            &self
                .inner
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .state,
        )
    }

    /// The index of the last command that was obeyed; zero before the first.
    pub(crate) fn applied(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
    }

    fn apply(&self, entry: Prepared<S::Command>) -> Outcome {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if Some(entry.id) <= inner.applied {
            // The worker of an openraft that was stopped may still be at work beside its successor's.
            return Outcome::Nothing;
        }
        inner.applied = Some(entry.id);
        match entry.payload {
            Payload::Blank => Outcome::Nothing,
            Payload::Membership(membership) => {
                inner.membership = membership;
                Outcome::Nothing
            }
            Payload::Command(command) => {
                let reply = inner.state.apply(entry.id.index, command);
                drop(inner);
                match serde_json::to_vec(&reply) {
                    Ok(bytes) => Outcome::Reply(bytes),
                    Err(error) => Outcome::Unwritable(error.to_string()),
                }
            }
        }
    }

    fn replace(&self, inner: Inner<S>) {
        let index = inner.applied.map_or(0, |applied| applied.index);
        *self.inner.write().unwrap_or_else(PoisonError::into_inner) = inner;
        self.applied.send_replace(index);
    }
}

impl<S: StateMachine> Inner<S> {
    fn restore(store: &Store, meta: &SnapshotMeta, bytes: &[u8]) -> Result<Self, StoreError> {
        let state = S::restore(bytes).map_err(|error| unusable(store, "read", &error))?;
        Ok(Self {
            state,
            applied: meta.last_log_id,
            membership: meta.last_membership.clone(),
        })
    }
}

/// An entry whose command is understood.
struct Prepared<C> {
    id: LogId,
    payload: Payload<C>,
}

enum Payload<C> {
    Blank,
    Membership(StoredMembership),
    Command(C),
}

fn prepare<C: serde::de::DeserializeOwned>(entry: Entry) -> Result<Prepared<C>, StoreError> {
    let id = entry.log_id;
    let payload = match entry.payload {
        EntryPayload::Blank => Payload::Blank,
        EntryPayload::Membership(membership) => {
            Payload::Membership(StoredMembership::new(Some(id), membership))
        }
        EntryPayload::Normal(CommandBytes(bytes)) => {
            let command = serde_json::from_slice(&bytes).map_err(|error| StoreError::Command {
                index: id.index,
                reason: error.to_string(),
            })?;
            Payload::Command(command)
        }
    };
    Ok(Prepared { id, payload })
}

fn stored(store: &Store) -> Result<Option<(SnapshotMeta, Vec<u8>)>, StoreError> {
    store.read(|transaction| {
        let table = transaction.open_table(SNAPSHOT)?;
        let (Some(meta), Some(data)) = (table.get(snapshot::META)?, table.get(snapshot::DATA)?)
        else {
            return Ok(None);
        };
        let meta = decode("the snapshot's description", meta.value())?;
        Ok(Some((meta, data.value().to_vec())))
    })
}

/// Keeps a snapshot, unless a newer one came in between.
fn keep(store: &Store, meta: &SnapshotMeta, bytes: &[u8]) -> Result<(), StoreError> {
    if bytes.len() > LIMIT {
        let reason = format!("{} bytes are more than {LIMIT}", bytes.len());
        return Err(unusable(store, "keep", &reason.into()));
    }
    store.write(|transaction| {
        let mut table = transaction.open_table(SNAPSHOT)?;
        let present: Option<SnapshotMeta> = table
            .get(snapshot::META)?
            .map(|bytes| decode("the snapshot's description", bytes.value()))
            .transpose()?;
        if present.is_some_and(|present| present.last_log_id > meta.last_log_id) {
            return Ok(());
        }
        table.insert(snapshot::META, &*encode(meta)?)?;
        table.insert(snapshot::DATA, bytes)?;
        Ok(())
    })
}

fn unusable(
    store: &Store,
    operation: &'static str,
    error: &super::super::SnapshotError,
) -> StoreError {
    let error = StoreError::Snapshot {
        operation,
        path: store.path().to_owned(),
        reason: error.to_string(),
    };
    store.blame(&error);
    error
}

fn failed(error: &StoreError) -> StorageError {
    StorageIOError::write_snapshot(None, AnyError::new(error)).into()
}

/// What openraft sees of the machine.
pub(crate) struct MachineStore<S> {
    machine: Arc<Machine<S>>,
    store: Arc<Store>,
}

impl<S: StateMachine> MachineStore<S> {
    pub(crate) fn new(machine: Arc<Machine<S>>, store: Arc<Store>) -> Self {
        Self { machine, store }
    }
}

/// A snapshot that is taken but not yet kept.
pub(crate) struct Taken {
    store: Arc<Store>,
    meta: SnapshotMeta,
    bytes: Result<Vec<u8>, StoreError>,
}

impl RaftSnapshotBuilder<TypeConfig> for Taken {
    async fn build_snapshot(&mut self) -> Result<Snapshot<TypeConfig>, StorageError> {
        let bytes = self.bytes.clone().map_err(|error| failed(&error))?;
        let (store, meta) = (Arc::clone(&self.store), self.meta.clone());
        let bytes = blocking(move || keep(&store, &meta, &bytes).map(|()| bytes)).await?;
        Ok(Snapshot {
            meta: self.meta.clone(),
            snapshot: Box::new(SnapshotBuffer::new(bytes)),
        })
    }
}

async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, StoreError> + Send + 'static,
) -> Result<R, StorageError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| failed(&error)),
        Err(error) => Err(StorageIOError::write_snapshot(None, AnyError::new(&error)).into()),
    }
}

impl<S: StateMachine> RaftStateMachine<TypeConfig> for MachineStore<S> {
    type SnapshotBuilder = Taken;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), StorageError> {
        let inner = self
            .machine
            .inner
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        Ok((inner.applied, inner.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Outcome>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut outcomes = Vec::new();
        for entry in entries {
            let id = entry.log_id;
            let prepared = prepare(entry).map_err(|error| {
                self.store.blame(&error);
                StorageIOError::apply(id, AnyError::new(&error))
            })?;
            outcomes.push(self.machine.apply(prepared));
            self.machine.applied.send_if_modified(|applied| {
                let newer = id.index > *applied;
                *applied = id.index.max(*applied);
                newer
            });
        }
        Ok(outcomes)
    }

    async fn get_snapshot_builder(&mut self) -> Taken {
        let inner = self
            .machine
            .inner
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let number = self.machine.built.fetch_add(1, Ordering::Relaxed);
        let meta = SnapshotMeta {
            last_log_id: inner.applied,
            last_membership: inner.membership.clone(),
            snapshot_id: format!(
                "{}-{number}",
                inner.applied.map(|id| id.to_string()).unwrap_or_default()
            ),
        };
        let bytes = inner
            .state
            .snapshot()
            .map_err(|error| unusable(&self.store, "take", &error));
        Taken {
            store: Arc::clone(&self.store),
            meta,
            bytes,
        }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<SnapshotBuffer>, StorageError> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Box<SnapshotBuffer>,
    ) -> Result<(), StorageError> {
        let (store, meta) = (Arc::clone(&self.store), meta.clone());
        let inner = blocking(move || {
            let bytes = snapshot.into_bytes();
            let inner = Inner::restore(&store, &meta, &bytes)?;
            keep(&store, &meta, &bytes)?;
            Ok(inner)
        })
        .await?;
        self.machine.replace(inner);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<TypeConfig>>, StorageError> {
        let store = Arc::clone(&self.store);
        let stored = blocking(move || stored(&store)).await?;
        Ok(stored.map(|(meta, bytes)| Snapshot {
            meta,
            snapshot: Box::new(SnapshotBuffer::new(bytes)),
        }))
    }
}
