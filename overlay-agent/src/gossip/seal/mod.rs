//! What protects the gossip: nobody reads it, and nobody gets in, without the cluster's secret.
//!
//! Every sender has its own key for each generation of the secret and each of its runs: HKDF-SHA256
//! over the secret, the cluster, the sender and its [`Epoch`]. AES-256-GCM with a counter as nonce
//! never meets a pair of key and nonce twice. Datagrams are bound to sender and receiver, streams to
//! fresh random bits of both. No I/O, no clock and no randomness in here.
//!
//! A datagram, big-endian:
//!
//! | bytes | |
//! |---|---|
//! | 1 | version of the format, 1 |
//! | 4 | generation of the secret |
//! | 16 | sender |
//! | 16 | epoch of the sender |
//! | 8 | counter, from 1 |
//! | up to 1339 | message, encrypted |
//! | 16 | tag; covers all of the above and the receiver, who is not named in it |
//!
//! A stream: each side sends a hello of 69 bytes (version, generation, sender, receiver, 32 random
//! bytes), then chunks of at most 64 KiB after a length of 4 bytes; the first chunk is its
//! [`Introduction`].
//!
//! The secret is the whole cluster's. It keeps strangers out; it does not keep a member from
//! speaking for another.

mod epoch;
mod generations;
mod handshake;
mod header;
mod opener;
mod refusal;
mod sealer;
mod stream;
#[cfg(test)]
mod tests;
mod window;

use std::collections::HashSet;

pub use self::refusal::Refusals;
pub(crate) use self::{
    epoch::Epoch,
    handshake::{HELLO, Hello, Introduction},
    refusal::Refusal,
    sealer::SealError,
    stream::{CHUNK, ChunkHead, StreamKeys},
};
use self::{generations::Generations, opener::Opener, sealer::Sealer};
use crate::model::{KeyRing, NodeId};

const TAG: usize = 16;

/// What sealing adds to a datagram, in bytes.
pub(crate) const OVERHEAD: usize = header::HEADER + TAG;

/// The longest sealed datagram in bytes: an Ethernet packet with room for two more headers.
pub(crate) const DATAGRAM: usize = 1400;

/// The longest message in a datagram, in bytes.
pub(crate) const PAYLOAD: usize = DATAGRAM - OVERHEAD;

/// Seals what this node sends, and opens what members of its cluster send to it.
pub(crate) struct Seal {
    own: NodeId,
    generations: Generations,
    sealer: Sealer,
    opener: Opener,
}

impl Seal {
    /// For one run of a node. Without members until they are set.
    pub(crate) fn new(cluster: &str, own: NodeId, epoch: Epoch, ring: &KeyRing) -> Self {
        let generations = Generations::new(cluster, ring);
        Self {
            own,
            sealer: Sealer::new(own, epoch, &generations),
            opener: Opener::new(own),
            generations,
        }
    }

    /// Seals with the primary generation from now on, and accepts exactly those of this ring.
    pub(crate) fn set_ring(&mut self, ring: &KeyRing) {
        self.generations.replace(ring);
        self.sealer.derive(&self.generations);
        self.opener.forget(&self.generations);
    }

    /// Accepts exactly these senders.
    pub(crate) fn set_members(&mut self, members: &HashSet<NodeId>) {
        self.opener.set_members(members);
    }

    /// Seals a datagram for one receiver.
    pub(crate) fn seal(&mut self, to: NodeId, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        self.sealer.seal(to, plain)
    }

    /// Opens a datagram in place, and tells who sealed it.
    pub(crate) fn open<'d>(
        &mut self,
        datagram: &'d mut [u8],
    ) -> Result<(NodeId, &'d [u8]), Refusal> {
        self.opener.open(datagram, &self.generations)
    }

    /// The first words of a stream to another node.
    pub(crate) fn hello(&self, to: NodeId, random: [u8; 32]) -> Result<Hello, SealError> {
        let generation = self.generations.primary();
        if !self.generations.accepts(generation) {
            return Err(SealError::NoKey);
        }
        Ok(Hello::new(generation, self.own, to, random))
    }

    /// Answers the hello of a member with this node's own, in the same generation if it is
    /// accepted here, else in the primary one.
    pub(crate) fn answer(
        &self,
        bytes: &[u8; HELLO],
        random: [u8; 32],
    ) -> Result<(NodeId, Hello, StreamKeys), Refusal> {
        let hello = Hello::read(bytes, self.own)?;
        let peer = hello.sender();
        self.opener.check_sender(peer)?;
        let generation = if self.generations.accepts(hello.generation()) {
            hello.generation()
        } else {
            self.generations.primary()
        };
        let answer = Hello::new(generation, self.own, peer, random);
        let [theirs, ours] = self.stream_keys(&hello, &answer)?;
        Ok((peer, answer, StreamKeys::new(ours, theirs)))
    }

    /// Takes the answer to this node's hello.
    pub(crate) fn answered(
        &self,
        hello: &Hello,
        bytes: &[u8; HELLO],
    ) -> Result<StreamKeys, Refusal> {
        let answer = Hello::read(bytes, self.own)?;
        if answer.sender() != hello.receiver() {
            return Err(Refusal::Misdirected);
        }
        self.opener.check_sender(answer.sender())?;
        let [ours, theirs] = self.stream_keys(hello, &answer)?;
        Ok(StreamKeys::new(ours, theirs))
    }

    /// What to seal as the first chunk of a stream.
    pub(crate) fn introduction(&self, peer: NodeId) -> Introduction {
        Introduction::new(
            self.sealer.epoch(),
            self.sealer.counter(),
            self.opener.latest(peer),
        )
    }

    /// Takes the first chunk of a member's stream. If the member remembers a later run of this
    /// node, whose clock was then ahead, this run steps over it; else the member would refuse this
    /// node's datagrams until the clock has caught up.
    pub(crate) fn introduced(
        &mut self,
        peer: NodeId,
        introduction: Introduction,
    ) -> Result<(), Refusal> {
        self.opener.check_sender(peer)?;
        self.opener
            .met(peer, introduction.epoch(), introduction.counter());
        self.sealer
            .outgrow(introduction.remembered(), &self.generations);
        Ok(())
    }

    fn stream_keys(
        &self,
        first: &Hello,
        second: &Hello,
    ) -> Result<[ring::aead::LessSafeKey; 2], Refusal> {
        use zerocopy::IntoBytes;
        self.generations
            .stream_keys(second.generation(), [first.as_bytes(), second.as_bytes()])
            .ok_or(Refusal::UnknownKey)
    }
}
