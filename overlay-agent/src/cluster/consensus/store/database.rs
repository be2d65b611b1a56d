//! The open database: transactions, faults, and opening it again after one.

use std::{
    fmt, io, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use redb::{
    Builder, Database, Durability, ReadTransaction, ReadableDatabase, ReadableTable,
    WriteTransaction,
};
use tokio::task;

use super::{
    super::StoreError,
    FileMedium, Medium,
    tables::{FORMAT, LOG, META, PROBE, SNAPSHOT, decode, encode, meta},
};
use crate::model::NodeId;

/// Pages that are kept in memory, bytes.
const CACHE: usize = 4 << 20;

/// What must fit before a store counts as sound again after a fault, bytes.
const PROBE_SIZE: usize = 256 << 10;

/// A manager's file.
pub(crate) struct Store {
    medium: Box<dyn Medium>,
    database: RwLock<Option<Database>>,
    /// The first failure since the store was opened: later ones only follow from it.
    fault: Mutex<Option<StoreError>>,
}

impl Store {
    /// Makes the file of a manager that is in no swarm yet, or opens one that got no further.
    pub(crate) fn create(medium: FileMedium, id: NodeId, epoch: u64) -> Result<Self, StoreError> {
        let made = medium.create(&builder(), |database| {
            fill(database, id, epoch).map_err(|error| fault("make", medium.path(), error))
        });
        match made {
            Err(exists @ StoreError::Exists { .. }) => {
                let store = Self::open(medium, id)?;
                if store.is_pristine()? {
                    store.write(|transaction| {
                        let epoch = encode(&epoch)?;
                        transaction.open_table(META)?.insert(meta::EPOCH, &*epoch)?;
                        Ok(())
                    })?;
                    Ok(store)
                } else {
                    Err(exists)
                }
            }
            Ok(()) => Self::open(medium, id),
            Err(error) => Err(error),
        }
    }

    /// Opens and checks a manager's file.
    pub(crate) fn open(medium: impl Medium, id: NodeId) -> Result<Self, StoreError> {
        let database = open(&medium)?;
        let store = Self {
            medium: Box::new(medium),
            database: RwLock::new(Some(database)),
            fault: Mutex::default(),
        };
        store.check(id)?;
        Ok(store)
    }

    /// Closes the database and opens it again, after a fault. Fails if there is no room to write.
    pub(crate) fn reopen(&self) -> Result<(), StoreError> {
        let mut slot = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        close(slot.take());
        *slot = Some(open(&*self.medium)?);
        drop(slot);
        self.take_fault();
        self.probe()
    }

    /// Closes the database; every later use fails.
    pub(crate) fn close(&self) {
        let database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        close(database);
    }

    /// The failure that made the store unusable.
    pub(crate) fn take_fault(&self) -> Option<StoreError> {
        self.fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Remembers a failure that came from above the store.
    pub(super) fn blame(&self, error: &StoreError) {
        self.fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| error.clone());
    }

    pub(crate) fn path(&self) -> &Path {
        self.medium.path()
    }

    /// Looks at one state of the store.
    pub(super) fn read<R>(
        &self,
        look: impl FnOnce(&ReadTransaction) -> Result<R, redb::Error>,
    ) -> Result<R, StoreError> {
        self.with("read", |database| look(&database.begin_read()?))
    }

    /// Changes the store, and returns when the change would survive a power cut.
    pub(super) fn write<R>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<R, redb::Error>,
    ) -> Result<R, StoreError> {
        self.with("write", |database| {
            commit(database, Durability::Immediate, change)
        })
    }

    /// Changes the store; a crash may undo it, but nothing written later survives without it.
    pub(super) fn note<R>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<R, redb::Error>,
    ) -> Result<R, StoreError> {
        self.with("write", |database| {
            commit(database, Durability::None, change)
        })
    }

    /// `read` on a thread that may block.
    pub(super) async fn read_later<R: Send + 'static>(
        self: Arc<Self>,
        look: impl FnOnce(&ReadTransaction) -> Result<R, redb::Error> + Send + 'static,
    ) -> Result<R, StoreError> {
        self.later(move |store| store.read(look)).await
    }

    /// `write` on a thread that may block.
    pub(super) async fn write_later<R: Send + 'static>(
        self: Arc<Self>,
        change: impl FnOnce(&WriteTransaction) -> Result<R, redb::Error> + Send + 'static,
    ) -> Result<R, StoreError> {
        self.later(move |store| store.write(change)).await
    }

    /// `note` on a thread that may block.
    pub(super) async fn note_later<R: Send + 'static>(
        self: Arc<Self>,
        change: impl FnOnce(&WriteTransaction) -> Result<R, redb::Error> + Send + 'static,
    ) -> Result<R, StoreError> {
        self.later(move |store| store.note(change)).await
    }

    async fn later<R: Send + 'static>(
        self: Arc<Self>,
        work: impl FnOnce(&Self) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let path = self.path().to_owned();
        match task::spawn_blocking(move || work(&self)).await {
            Ok(result) => result,
            Err(error) => Err(damaged(&path, &error)),
        }
    }

    /// Whether it has neither log nor snapshot nor vote: nothing of any swarm.
    pub(crate) fn is_pristine(&self) -> Result<bool, StoreError> {
        self.read(|transaction| {
            Ok(transaction.open_table(LOG)?.first()?.is_none()
                && transaction.open_table(META)?.get(meta::VOTE)?.is_none()
                && transaction.open_table(SNAPSHOT)?.first()?.is_none())
        })
    }

    fn check(&self, id: NodeId) -> Result<(), StoreError> {
        let (format, owner) = self.read(|transaction| {
            let table = transaction.open_table(META)?;
            let format = table.get(meta::FORMAT)?.map(|bytes| bytes.value().to_vec());
            let owner = table.get(meta::NODE)?.map(|bytes| bytes.value().to_vec());
            Ok((format, owner))
        })?;
        let path = self.path().to_owned();
        let format = format
            .and_then(|bytes| Some(u32::from_le_bytes(bytes.try_into().ok()?)))
            .ok_or_else(|| damaged(&path, &"it names no format"))?;
        if format != FORMAT {
            return Err(StoreError::Format {
                path,
                found: format.to_string(),
                readable: FORMAT,
            });
        }
        let owner = owner
            .as_deref()
            .map(|bytes| decode::<u128>("the node", bytes))
            .transpose()
            .map_err(|error| fault("read", &path, error))?
            .ok_or_else(|| damaged(&path, &"it names no node"))?;
        if owner == id.bits() {
            Ok(())
        } else {
            Err(StoreError::Foreign {
                path,
                owner: NodeId::from_random(owner),
            })
        }
    }

    fn probe(&self) -> Result<(), StoreError> {
        self.write(|transaction| {
            let ballast = vec![0; PROBE_SIZE];
            transaction.open_table(PROBE)?.insert(0, &*ballast)?;
            Ok(())
        })?;
        self.write(|transaction| {
            transaction.delete_table(PROBE)?;
            Ok(())
        })
    }

    fn with<R>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Database) -> Result<R, redb::Error>,
    ) -> Result<R, StoreError> {
        let slot = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let result = match &*slot {
            Some(database) => guarded(|| work(database)),
            None => Err(redb::Error::DatabaseClosed),
        };
        drop(slot);
        result.map_err(|error| {
            let error = fault(operation, self.path(), error);
            self.blame(&error);
            error
        })
    }
}

/// A store from which everything that refers to it was read, ready to be written.
pub(super) fn fill(database: &Database, id: NodeId, epoch: u64) -> Result<(), redb::Error> {
    commit(database, Durability::Immediate, |transaction| {
        transaction.open_table(LOG)?;
        transaction.open_table(SNAPSHOT)?;
        let mut table = transaction.open_table(META)?;
        table.insert(meta::FORMAT, FORMAT.to_le_bytes().as_slice())?;
        table.insert(meta::NODE, &*encode(&id.bits())?)?;
        table.insert(meta::EPOCH, &*encode(&epoch)?)?;
        Ok(())
    })
}

fn commit<R>(
    database: &Database,
    durability: Durability,
    change: impl FnOnce(&WriteTransaction) -> Result<R, redb::Error>,
) -> Result<R, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(matches!(durability, Durability::Immediate));
    transaction.set_durability(durability)?;
    let result = change(&transaction)?;
    transaction.commit()?;
    Ok(result)
}

pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE);
    builder.set_check_integrity_on_open(true);
    builder
}

fn open(medium: &dyn Medium) -> Result<Database, StoreError> {
    guarded(|| Ok(medium.open(&builder())?)).map_err(|error| fault("open", medium.path(), error))
}

fn close(database: Option<Database>) {
    // What could not be written at the end is repaired when it is opened again.
    drop(guarded(|| {
        drop(database);
        Ok(())
    }));
}

/// redb promises errors for damaged files, and panics for some all the same.
fn guarded<R>(work: impl FnOnce() -> Result<R, redb::Error>) -> Result<R, redb::Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let reason = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no reason given");
        let reason = reason.to_owned();
        // A payload may panic again when it is dropped.
        mem::forget(panic);
        Err(redb::Error::Corrupted(reason))
    })
}

fn damaged(path: &Path, reason: &dyn fmt::Display) -> StoreError {
    StoreError::Damaged {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

/// What a failure of redb means.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "all other failures, and those to come, are of the file's content"
)]
pub(super) fn fault(
    operation: &'static str,
    path: &Path,
    error: impl Into<redb::Error>,
) -> StoreError {
    match error.into() {
        redb::Error::DatabaseAlreadyOpen => StoreError::InUse {
            path: path.to_owned(),
        },
        redb::Error::UpgradeRequired(version) => StoreError::Format {
            path: path.to_owned(),
            found: format!("redb {version}"),
            readable: FORMAT,
        },
        redb::Error::Io(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ) =>
        {
            damaged(path, &error)
        }
        redb::Error::Io(error) => StoreError::io(operation, path)(error),
        error @ (redb::Error::PreviousIo | redb::Error::DatabaseClosed) => StoreError::Io {
            operation,
            path: path.to_owned(),
            reason: error.to_string(),
        },
        error => damaged(path, &error),
    }
}
