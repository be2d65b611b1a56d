//! Messages between managers as bytes: one byte of version, eight of the swarm's epoch (little endian),
//! then the message in postcard.
//!
//! The epoch is drawn when a swarm is made and again when it is forced anew, so that managers left over
//! from before cannot speak to it.

use openraft::{
    error::InstallSnapshotError,
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest,
        InstallSnapshotResponse, VoteRequest, VoteResponse,
    },
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    ReceiveError,
    types::{RaftId, TypeConfig},
};

const VERSION: u8 = 1;
const HEADER: usize = 1 + size_of::<u64>();

pub(super) type AppendRequest = AppendEntriesRequest<TypeConfig>;
pub(super) type AppendResponse = AppendEntriesResponse<RaftId>;
pub(super) type BallotRequest = VoteRequest<RaftId>;
pub(super) type BallotResponse = VoteResponse<RaftId>;
pub(super) type SnapshotRequest = InstallSnapshotRequest<TypeConfig>;
pub(super) type SnapshotResponse = Result<InstallSnapshotResponse<RaftId>, InstallSnapshotError>;

/// The bytes of a message.
pub(super) fn encode<T: Serialize>(epoch: u64, message: &T) -> Result<Vec<u8>, postcard::Error> {
    let mut bytes = vec![VERSION];
    bytes.extend(epoch.to_le_bytes());
    postcard::to_extend(message, bytes)
}

/// The epoch and the message of some bytes.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<(u64, T), ReceiveError> {
    let (header, body) = bytes
        .split_first_chunk::<HEADER>()
        .ok_or(ReceiveError::Malformed)?;
    let [version, epoch @ ..] = *header;
    if version != VERSION {
        return Err(ReceiveError::Malformed);
    }
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok((u64::from_le_bytes(epoch), message)),
        Ok(_) | Err(_) => Err(ReceiveError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use openraft::Vote;
    use proptest::prelude::*;

    use super::*;

    fn ballot() -> BallotRequest {
        VoteRequest::new(Vote::new(7, RaftId::from(9)), None)
    }

    #[test]
    fn what_is_encoded_is_decoded_again() {
        let bytes = encode(42, &ballot()).unwrap();

        assert_eq!(decode::<BallotRequest>(&bytes).unwrap(), (42, ballot()));
    }

    #[test]
    fn a_message_that_is_cut_or_longer_or_newer_is_refused() {
        let bytes = encode(42, &ballot()).unwrap();

        for length in 0..bytes.len() {
            assert!(
                decode::<BallotRequest>(&bytes[..length]).is_err(),
                "{length}"
            );
        }
        assert!(decode::<BallotRequest>(&[&bytes[..], &[0]].concat()).is_err());
        assert!(decode::<BallotRequest>(&[&[VERSION + 1], &bytes[1..]].concat()).is_err());
    }

    proptest! {
        #[test]
        fn garbage_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut framed = vec![VERSION];
            framed.extend(&bytes);
            for bytes in [&bytes, &framed] {
                drop(decode::<AppendRequest>(bytes));
                drop(decode::<BallotRequest>(bytes));
                drop(decode::<SnapshotRequest>(bytes));
                drop(decode::<AppendResponse>(bytes));
                drop(decode::<SnapshotResponse>(bytes));
            }
        }
    }
}
