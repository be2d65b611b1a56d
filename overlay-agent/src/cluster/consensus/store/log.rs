//! The log and the vote.

use std::{
    fmt::Debug,
    ops::{Bound, RangeBounds},
    sync::Arc,
};

use openraft::{
    AnyError, LogState, OptionalSend, RaftLogReader, StorageIOError,
    storage::{LogFlushed, RaftLogStorage},
};
use redb::{ReadTransaction, ReadableTable};
use serde::de::DeserializeOwned;

use super::{
    super::{
        StoreError,
        types::{Entry, LogId, StorageError, TypeConfig, Vote},
    },
    Store,
    tables::{LOG, META, decode, encode, meta},
};

/// Bytes of entries that are sent at once; one entry may be longer.
const BATCH: usize = 1 << 20;

/// The log of a store.
#[derive(Clone)]
pub(crate) struct LogStore {
    store: Arc<Store>,
}

impl LogStore {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    async fn single<T: DeserializeOwned + Send + 'static>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, StorageError> {
        Arc::clone(&self.store)
            .read_later(move |transaction| single(transaction, name))
            .await
            .map_err(|error| unreadable(&error))
    }

    async fn entries(
        &self,
        range: (Bound<u64>, Bound<u64>),
        limit: usize,
    ) -> Result<Vec<Entry>, StorageError> {
        Arc::clone(&self.store)
            .read_later(move |transaction| {
                let mut entries = Vec::new();
                let mut size = 0;
                for item in transaction.open_table(LOG)?.range(range)? {
                    let (index, bytes) = item?;
                    let bytes = bytes.value();
                    size += bytes.len();
                    if size > limit && !entries.is_empty() {
                        break;
                    }
                    entries.push(entry(index.value(), bytes)?);
                }
                Ok(entries)
            })
            .await
            .map_err(|error| unreadable(&error))
    }
}

pub(super) fn single<T: DeserializeOwned>(
    transaction: &ReadTransaction,
    name: &'static str,
) -> Result<Option<T>, redb::Error> {
    let table = transaction.open_table(META)?;
    let bytes = table.get(name)?;
    bytes.map(|bytes| decode(name, bytes.value())).transpose()
}

pub(super) fn entry(index: u64, bytes: &[u8]) -> Result<Entry, redb::Error> {
    let entry: Entry = decode(&format!("entry {index}"), bytes)?;
    if entry.log_id.index == index {
        Ok(entry)
    } else {
        Err(redb::Error::Corrupted(format!(
            "entry {index} says it is {}",
            entry.log_id.index
        )))
    }
}

pub(super) fn last_log_id(transaction: &ReadTransaction) -> Result<Option<LogId>, redb::Error> {
    let table = transaction.open_table(LOG)?;
    match table.last()? {
        Some((index, bytes)) => Ok(Some(entry(index.value(), bytes.value())?.log_id)),
        None => single(transaction, meta::PURGED),
    }
}

fn unencodable(error: &redb::Error) -> StorageError {
    StorageIOError::write(AnyError::new(error)).into()
}

fn unreadable(error: &StoreError) -> StorageError {
    StorageIOError::read_logs(AnyError::new(error)).into()
}

fn unwritable(error: &StoreError) -> StorageError {
    StorageIOError::write_logs(AnyError::new(error)).into()
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, StorageError> {
        let range = (range.start_bound().cloned(), range.end_bound().cloned());
        self.entries(range, usize::MAX).await
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, StorageError> {
        let range = (Bound::Included(start), Bound::Excluded(end));
        self.entries(range, BATCH).await
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError> {
        Arc::clone(&self.store)
            .read_later(|transaction| {
                Ok(LogState {
                    last_purged_log_id: single(transaction, meta::PURGED)?,
                    last_log_id: last_log_id(transaction)?,
                })
            })
            .await
            .map_err(|error| unreadable(&error))
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        let vote = encode(vote).map_err(|error| unencodable(&error))?;
        Arc::clone(&self.store)
            .write_later(move |transaction| {
                transaction.open_table(META)?.insert(meta::VOTE, &*vote)?;
                Ok(())
            })
            .await
            .map_err(|error| unwritable(&error))
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        self.single(meta::VOTE).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), StorageError> {
        let committed = committed.as_ref().map(encode).transpose();
        let committed = committed.map_err(|error| unencodable(&error))?;
        Arc::clone(&self.store)
            .note_later(move |transaction| {
                let mut table = transaction.open_table(META)?;
                match committed {
                    Some(bytes) => table.insert(meta::COMMITTED, &*bytes)?,
                    None => table.remove(meta::COMMITTED)?,
                };
                Ok(())
            })
            .await
            .map_err(|error| unwritable(&error))
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, StorageError> {
        self.single(meta::COMMITTED).await
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: LogFlushed<TypeConfig>,
    ) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let rows = entries
            .into_iter()
            .map(|entry| Ok((entry.log_id.index, encode(&entry)?)))
            .collect::<Result<Vec<_>, redb::Error>>()
            .map_err(|error| unencodable(&error))?;
        Arc::clone(&self.store)
            .write_later(move |transaction| {
                let mut table = transaction.open_table(LOG)?;
                for (index, bytes) in &rows {
                    table.insert(index, &**bytes)?;
                }
                Ok(())
            })
            .await
            .map_err(|error| unwritable(&error))?;
        callback.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, since: LogId) -> Result<(), StorageError> {
        Arc::clone(&self.store)
            .write_later(move |transaction| {
                transaction
                    .open_table(LOG)?
                    .retain_in(since.index.., |_, _| false)?;
                Ok(())
            })
            .await
            .map_err(|error| unwritable(&error))
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), StorageError> {
        let purged = encode(&upto).map_err(|error| unencodable(&error))?;
        Arc::clone(&self.store)
            .write_later(move |transaction| {
                transaction
                    .open_table(META)?
                    .insert(meta::PURGED, &*purged)?;
                transaction
                    .open_table(LOG)?
                    .retain_in(..=upto.index, |_, _| false)?;
                Ok(())
            })
            .await
            .map_err(|error| unwritable(&error))
    }
}
