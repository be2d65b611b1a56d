//! Making a swarm of one manager out of what one manager has.

use std::collections::{BTreeMap, BTreeSet};

use openraft::{CommittedLeaderId, EntryPayload};
use redb::ReadableTable;

use super::{
    super::{
        StoreError,
        types::{Entry, LogId, Membership, Peer, RaftId, SnapshotMeta, Vote},
    },
    Store,
    log::{last_log_id, single},
    tables::{LOG, META, SNAPSHOT, decode, encode, meta, snapshot},
};

impl Store {
    /// Makes `id` the only voter, by an entry at the end of the log.
    ///
    /// Every entry is kept, also those that this manager did not know to be acknowledged: one of them may
    /// have been. The epoch shuts the other managers of old out.
    pub(crate) fn force_single_voter(
        &self,
        id: RaftId,
        peer: Peer,
        epoch: u64,
    ) -> Result<(), StoreError> {
        let (last, vote) = self.read(|transaction| {
            let table = transaction.open_table(SNAPSHOT)?;
            let covered = table
                .get(snapshot::META)?
                .map(|bytes| decode::<SnapshotMeta>("the snapshot's description", bytes.value()))
                .transpose()?
                .and_then(|meta| meta.last_log_id);
            let vote: Option<Vote> = single(transaction, meta::VOTE)?;
            Ok((last_log_id(transaction)?.max(covered), vote))
        })?;
        let voted = vote.map_or(0, |vote| vote.leader_id().term);
        let term = voted.max(last.map_or(0, |last| last.leader_id.term)) + 1;
        let index = last.map_or(0, |last| last.index + 1);
        let membership = Membership::new(vec![BTreeSet::from([id])], BTreeMap::from([(id, peer)]));
        let entry = Entry {
            log_id: LogId::new(CommittedLeaderId::new(term, id), index),
            payload: EntryPayload::Membership(membership),
        };
        let vote = Vote::new(term, id);
        self.write(|transaction| {
            let mut log = transaction.open_table(LOG)?;
            // A log that ends before the snapshot is of no use, and would leave a gap.
            let gap = log.get(index.wrapping_sub(1))?.is_none();
            if gap {
                log.retain(|_, _| false)?;
            }
            log.insert(index, &*encode(&entry)?)?;
            let mut meta = transaction.open_table(META)?;
            if gap && let Some(last) = last {
                meta.insert(meta::PURGED, &*encode(&last)?)?;
            }
            meta.insert(meta::VOTE, &*encode(&vote)?)?;
            meta.insert(meta::EPOCH, &*encode(&epoch)?)?;
            Ok(())
        })
    }
}
