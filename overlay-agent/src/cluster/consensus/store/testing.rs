//! A disk in memory that remembers what was synced, can be full, and can lose power.

use std::{
    collections::BTreeSet,
    fmt, io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use redb::{Builder, Database, DatabaseError, StorageBackend};

use super::{Medium, Store, database};
use crate::model::NodeId;

const BLOCK: u64 = 4096;
/// What a disk writes whole or not at all, bytes.
const SECTOR: usize = 512;

/// A disk with one file on it. Clones are the same disk.
#[derive(Clone, Default)]
pub(in super::super) struct Disk {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    bytes: Vec<u8>,
    /// What was done since the disk was made, if somebody wants to know.
    journal: Option<Vec<Event>>,
    allocated: BTreeSet<u64>,
    room: Option<usize>,
}

#[derive(Clone)]
pub(super) enum Event {
    Write(u64, Vec<u8>),
    Length(u64),
    Sync,
}

impl Disk {
    /// A disk with the store of a manager that has nothing yet.
    pub(in super::super) fn formatted(id: NodeId, epoch: u64) -> Self {
        let disk = Self::default();
        let made = database::builder()
            .create_with_backend(disk.clone())
            .unwrap();
        database::fill(&made, id, epoch).unwrap();
        drop(made);
        disk
    }

    /// A disk with these bytes.
    pub(super) fn with_bytes(bytes: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.lock().bytes = bytes;
        disk
    }

    /// What is on it now.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    /// Another disk with the same on it, as if the process had been killed now.
    pub(in super::super) fn copy(&self) -> Self {
        Self::with_bytes(self.bytes())
    }

    /// Lets nothing more on it, or lifts that.
    pub(in super::super) fn set_full(&self, full: bool) {
        let mut inner = self.lock();
        let blocks = (inner.bytes.len() as u64).div_ceil(BLOCK);
        inner.allocated = (0..blocks).collect();
        inner.room = full.then_some(0);
    }

    pub(super) fn record(&self) {
        self.lock().journal = Some(Vec::new());
    }

    pub(super) fn events(&self) -> usize {
        self.lock().journal.as_ref().unwrap().len()
    }

    /// What is on a disk that had `before` on it, lost power after `count` of these events, and kept of the
    /// sectors that were not synced those for which `kept` says so.
    pub(super) fn after_power_cut(
        &self,
        before: &[u8],
        count: usize,
        mut kept: impl FnMut() -> bool,
    ) -> Self {
        let inner = self.lock();
        let events = &inner.journal.as_ref().unwrap()[..count];
        let synced = events
            .iter()
            .rposition(|event| matches!(event, Event::Sync))
            .map_or(0, |at| at + 1);
        let mut bytes = before.to_vec();
        for (place, event) in events.iter().enumerate() {
            match event {
                Event::Sync => {}
                Event::Length(length) => {
                    if place < synced || kept() {
                        bytes.resize(*length as usize, 0);
                    }
                }
                Event::Write(offset, data) => {
                    let offset = *offset as usize;
                    for (number, sector) in data.chunks(SECTOR).enumerate() {
                        let start = offset + number * SECTOR;
                        if place < synced || kept() {
                            let end = start + sector.len();
                            if bytes.len() < end {
                                bytes.resize(end, 0);
                            }
                            bytes[start..end].copy_from_slice(sector);
                        }
                    }
                }
            }
        }
        Self::with_bytes(bytes)
    }

    pub(in super::super) fn open(&self, id: NodeId) -> Result<Store, super::super::StoreError> {
        Store::open(self.clone(), id)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "disk of {} bytes", self.lock().bytes.len())
    }
}

impl Inner {
    fn note(&mut self, event: impl FnOnce() -> Event) {
        if let Some(journal) = &mut self.journal {
            journal.push(event());
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let inner = self.lock();
        let start = offset as usize;
        let found = inner.bytes.get(start..start + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut inner = self.lock();
        inner.note(|| Event::Length(length));
        inner.bytes.resize(length as usize, 0);
        inner.allocated.retain(|block| block * BLOCK < length);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.lock().note(|| Event::Sync);
        Ok(())
    }

    /// As on a file system, a new length takes no room, but what is written for the first time does.
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut inner = self.lock();
        let end = offset + data.len() as u64;
        if let Some(room) = inner.room {
            let needed: Vec<u64> = (offset / BLOCK..end.div_ceil(BLOCK))
                .filter(|block| !inner.allocated.contains(block))
                .collect();
            if needed.len() > room {
                return Err(io::ErrorKind::StorageFull.into());
            }
            inner.room = Some(room - needed.len());
            inner.allocated.extend(needed);
        }
        inner.note(|| Event::Write(offset, data.to_vec()));
        let (start, end) = (offset as usize, end as usize);
        inner.bytes[start..end].copy_from_slice(data);
        Ok(())
    }
}

impl Medium for Disk {
    fn path(&self) -> &Path {
        Path::new("managers.redb")
    }

    fn open(&self, builder: &Builder) -> Result<Database, DatabaseError> {
        builder.create_with_backend(self.clone())
    }
}
