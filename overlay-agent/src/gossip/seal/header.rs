//! What precedes the sealed part of a datagram.

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    network_endian::{U32, U64, U128},
};

use super::epoch::Epoch;
use crate::model::NodeId;

pub(super) const VERSION: u8 = 1;

/// 45 bytes, big-endian, in the clear and authenticated.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct Header {
    pub(super) version: u8,
    generation: U32,
    sender: U128,
    epoch: U128,
    counter: U64,
}

pub(super) const HEADER: usize = size_of::<Header>();

impl Header {
    pub(super) fn new(generation: u32, sender: NodeId, epoch: Epoch, counter: u64) -> Self {
        Self {
            version: VERSION,
            generation: generation.into(),
            sender: sender.bits().into(),
            epoch: epoch.bits().into(),
            counter: counter.into(),
        }
    }

    pub(super) fn generation(&self) -> u32 {
        self.generation.get()
    }

    pub(super) fn sender(&self) -> NodeId {
        NodeId::from_random(self.sender.get())
    }

    pub(super) fn epoch(&self) -> Epoch {
        Epoch::from_bits(self.epoch.get())
    }

    pub(super) fn counter(&self) -> u64 {
        self.counter.get()
    }

    /// What is authenticated: the header and, though it is not sent, who it is for. So a datagram
    /// that one node has taken is nothing to another.
    pub(super) fn authenticated(&self, receiver: NodeId) -> [u8; HEADER + 16] {
        let mut bytes = [0; HEADER + 16];
        bytes[..HEADER].copy_from_slice(self.as_bytes());
        bytes[HEADER..].copy_from_slice(&receiver.bits().to_be_bytes());
        bytes
    }
}
