//! Which making of the swarm a manager belongs to.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{
    super::StoreError,
    Store,
    tables::{META, decode, encode, meta},
};

/// The epoch; a manager that joins learns it from the leader's first message. Zero is none.
pub(crate) struct Epoch {
    store: Arc<Store>,
    known: AtomicU64,
}

impl Epoch {
    /// The epoch that a store knows.
    pub(crate) fn load(store: Arc<Store>) -> Result<Self, StoreError> {
        let known = store.read(|transaction| {
            let table = transaction.open_table(META)?;
            match table.get(meta::EPOCH)? {
                Some(bytes) => decode("the epoch", bytes.value()),
                None => Ok(0),
            }
        })?;
        Ok(Self {
            store,
            known: AtomicU64::new(known),
        })
    }

    /// The epoch, if it is known.
    pub(crate) fn get(&self) -> Option<u64> {
        match self.known.load(Ordering::Relaxed) {
            0 => None,
            epoch => Some(epoch),
        }
    }

    /// Learns the epoch, once.
    pub(crate) async fn learn(&self, epoch: u64) -> Result<(), StoreError> {
        Arc::clone(&self.store)
            .write_later(move |transaction| {
                transaction
                    .open_table(META)?
                    .insert(meta::EPOCH, &*encode(&epoch)?)?;
                Ok(())
            })
            .await?;
        self.known.store(epoch, Ordering::Relaxed);
        Ok(())
    }
}
