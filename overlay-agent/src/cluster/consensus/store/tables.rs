//! Tables of the store, and how values are written in them: postcard.

use redb::TableDefinition;
use serde::{Serialize, de::DeserializeOwned};

/// The format that this version writes and reads.
pub(super) const FORMAT: u32 = 1;

/// Single values by name.
pub(super) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
/// Entries by index.
pub(super) const LOG: TableDefinition<u64, &[u8]> = TableDefinition::new("log");
/// The newest snapshot: what it holds, and the bytes.
pub(super) const SNAPSHOT: TableDefinition<&str, &[u8]> = TableDefinition::new("snapshot");
/// Written and removed again to see whether there is room.
pub(super) const PROBE: TableDefinition<u64, &[u8]> = TableDefinition::new("probe");

/// Keys of `META`.
pub(super) mod meta {
    /// `FORMAT` when the file was made; four bytes, little endian, in every format to come.
    pub(in super::super) const FORMAT: &str = "format";
    pub(in super::super) const NODE: &str = "node";
    pub(in super::super) const EPOCH: &str = "epoch";
    pub(in super::super) const VOTE: &str = "vote";
    pub(in super::super) const COMMITTED: &str = "committed";
    pub(in super::super) const PURGED: &str = "purged";
}

/// Keys of `SNAPSHOT`.
pub(super) mod snapshot {
    pub(in super::super) const META: &str = "meta";
    pub(in super::super) const DATA: &str = "data";
}

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, redb::Error> {
    postcard::to_stdvec(value)
        .map_err(|error| redb::Error::Corrupted(format!("a value has no byte form: {error}")))
}

pub(super) fn decode<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, redb::Error> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) => Err(redb::Error::Corrupted(format!("{what} is too long"))),
        Err(error) => Err(redb::Error::Corrupted(format!(
            "{what} is not readable: {error}"
        ))),
    }
}
