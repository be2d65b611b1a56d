//! Datagrams of this node.

use ring::aead::{Aad, LessSafeKey};
use zerocopy::IntoBytes;

use super::{
    epoch::Epoch,
    generations::{Generations, nonce},
    header::Header,
};
use crate::model::NodeId;

/// A message could not be sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum SealError {
    /// The ring is empty, or its primary generation is missing.
    #[error("there is no key to seal with: the cluster's key ring is not known yet")]
    NoKey,
    /// The message is longer than what a datagram or a chunk may carry.
    #[error("a message of {bytes} bytes is too long to seal, the limit is {limit}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The greatest length.
        limit: usize,
    },
    /// The counter has come to its end.
    #[error("BUG: the counter of sealed messages is used up")]
    Exhausted,
}

/// Seals with one key for each generation and run. The counter rises over all of them.
pub(super) struct Sealer {
    own: NodeId,
    epoch: Epoch,
    key: Option<(u32, LessSafeKey)>,
    counter: u64,
}

impl Sealer {
    pub(super) fn new(own: NodeId, epoch: Epoch, generations: &Generations) -> Self {
        let mut sealer = Self {
            own,
            epoch,
            key: None,
            counter: 0,
        };
        sealer.derive(generations);
        sealer
    }

    /// Takes the primary generation. The counter goes on, so an old generation may come back.
    pub(super) fn derive(&mut self, generations: &Generations) {
        let generation = generations.primary();
        self.key = generations
            .datagram_key(generation, self.own, self.epoch)
            .map(|key| (generation, key));
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The counter of the last message.
    pub(super) fn counter(&self) -> u64 {
        self.counter
    }

    /// Makes this run later than another of the same node that somebody remembers.
    pub(super) fn outgrow(&mut self, other: Epoch, generations: &Generations) {
        if other > self.epoch {
            self.epoch = self.epoch.above(other);
            self.derive(generations);
        }
    }

    pub(super) fn seal(&mut self, to: NodeId, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let limit = super::PAYLOAD;
        if plain.len() > limit {
            return Err(SealError::TooLong {
                bytes: plain.len(),
                limit,
            });
        }
        let (generation, key) = self.key.as_ref().ok_or(SealError::NoKey)?;
        self.counter = self.counter.checked_add(1).ok_or(SealError::Exhausted)?;
        let header = Header::new(*generation, self.own, self.epoch, self.counter);
        let mut datagram = Vec::with_capacity(super::OVERHEAD + plain.len());
        datagram.extend_from_slice(header.as_bytes());
        datagram.extend_from_slice(plain);
        let tag = key
            .seal_in_place_separate_tag(
                nonce(self.counter),
                Aad::from(header.authenticated(to)),
                &mut datagram[size_of::<Header>()..],
            )
            .map_err(|_unspecified| SealError::Exhausted)?;
        datagram.extend_from_slice(tag.as_ref());
        Ok(datagram)
    }
}
