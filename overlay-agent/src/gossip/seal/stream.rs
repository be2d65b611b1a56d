//! Sealed chunks on a stream.
//!
//! A chunk is its length in 32 bits, big-endian, and as many bytes, tag included.

use ring::aead::{Aad, LessSafeKey};

use super::{TAG, generations::nonce, refusal::Refusal, sealer::SealError};

/// Plain bytes in one chunk.
pub(crate) const CHUNK: usize = 64 * 1024;

/// Both ways of one stream.
pub(crate) struct StreamKeys {
    pub(crate) sealer: StreamSealer,
    pub(crate) opener: StreamOpener,
}

/// Seals what this node says on a stream.
pub(crate) struct StreamSealer {
    key: LessSafeKey,
    counter: u64,
}

/// Opens what the other node says on a stream.
pub(crate) struct StreamOpener {
    key: LessSafeKey,
    counter: u64,
}

/// The length before a chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkHead {
    sealed: u32,
}

impl StreamKeys {
    pub(super) fn new(sealing: LessSafeKey, opening: LessSafeKey) -> Self {
        Self {
            sealer: StreamSealer {
                key: sealing,
                counter: 0,
            },
            opener: StreamOpener {
                key: opening,
                counter: 0,
            },
        }
    }
}

impl StreamSealer {
    /// Seals one chunk, its head included.
    pub(crate) fn seal(&mut self, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let limit = CHUNK;
        if plain.len() > limit {
            return Err(SealError::TooLong {
                bytes: plain.len(),
                limit,
            });
        }
        let head = ((plain.len() + TAG) as u32).to_be_bytes();
        let mut chunk = Vec::with_capacity(head.len() + plain.len() + TAG);
        chunk.extend_from_slice(&head);
        chunk.extend_from_slice(plain);
        self.counter = self.counter.checked_add(1).ok_or(SealError::Exhausted)?;
        let tag = self
            .key
            .seal_in_place_separate_tag(
                nonce(self.counter),
                Aad::from(head),
                &mut chunk[head.len()..],
            )
            .map_err(|_unspecified| SealError::Exhausted)?;
        chunk.extend_from_slice(tag.as_ref());
        Ok(chunk)
    }
}

impl ChunkHead {
    /// Bytes it takes.
    pub(crate) const BYTES: usize = size_of::<u32>();

    /// Refuses lengths that no chunk of up to so many plain bytes has.
    pub(crate) fn read(bytes: [u8; Self::BYTES], longest: usize) -> Result<Self, Refusal> {
        let head = Self {
            sealed: u32::from_be_bytes(bytes),
        };
        match head.sealed_bytes() {
            ..TAG => Err(Refusal::Garbage),
            bytes if bytes > longest + TAG => Err(Refusal::TooBig),
            _ => Ok(head),
        }
    }

    /// How many bytes follow.
    pub(crate) fn sealed_bytes(self) -> usize {
        self.sealed as usize
    }
}

impl StreamOpener {
    /// Opens the next chunk in place. A stream is no use after an error.
    pub(crate) fn open<'c>(
        &mut self,
        head: ChunkHead,
        sealed: &'c mut [u8],
    ) -> Result<&'c [u8], Refusal> {
        self.counter = self.counter.checked_add(1).ok_or(Refusal::Replay)?;
        let plain = self.key.open_in_place(
            nonce(self.counter),
            Aad::from(head.sealed.to_be_bytes()),
            sealed,
        );
        match plain {
            Ok(plain) => Ok(plain),
            Err(_unspecified) => Err(Refusal::BadTag),
        }
    }
}
