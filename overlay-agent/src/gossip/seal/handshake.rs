//! How two nodes agree on the keys of one stream.
//!
//! Each says hello with fresh random bits, and the keys are derived from both hellos: a recorded
//! stream opens nothing. Who holds the cluster's secret proves it by the first sealed chunk, an
//! [`Introduction`]; until it has come, the other is a stranger.

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    network_endian::{U32, U64, U128},
};

use super::{epoch::Epoch, header::VERSION, refusal::Refusal};
use crate::model::NodeId;

/// 69 bytes, big-endian, in the clear.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Hello {
    version: u8,
    generation: U32,
    sender: U128,
    receiver: U128,
    random: [u8; 32],
}

/// Length of a hello on the wire.
pub(crate) const HELLO: usize = size_of::<Hello>();

/// 40 bytes, big-endian, the first sealed chunk of each side.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Introduction {
    epoch: U128,
    counter: U64,
    remembered: U128,
}

impl Hello {
    pub(super) fn new(generation: u32, sender: NodeId, receiver: NodeId, random: [u8; 32]) -> Self {
        Self {
            version: VERSION,
            generation: generation.into(),
            sender: sender.bits().into(),
            receiver: receiver.bits().into(),
            random,
        }
    }

    /// Reads a hello meant for this node.
    pub(super) fn read(bytes: &[u8; HELLO], own: NodeId) -> Result<Self, Refusal> {
        let Ok(hello) = Self::read_from_bytes(bytes) else {
            return Err(Refusal::Garbage);
        };
        if hello.version != VERSION {
            return Err(Refusal::Garbage);
        }
        if hello.receiver.get() != own.bits() {
            return Err(Refusal::Misdirected);
        }
        Ok(hello)
    }

    pub(super) fn generation(&self) -> u32 {
        self.generation.get()
    }

    pub(super) fn sender(&self) -> NodeId {
        NodeId::from_random(self.sender.get())
    }

    pub(super) fn receiver(&self) -> NodeId {
        NodeId::from_random(self.receiver.get())
    }
}

impl Introduction {
    /// Tells the run that this node's datagrams are from, how many it has sent, and which run of
    /// the other it remembers.
    pub(super) fn new(epoch: Epoch, counter: u64, remembered: Option<Epoch>) -> Self {
        Self {
            epoch: epoch.bits().into(),
            counter: counter.into(),
            remembered: remembered.map_or(0, Epoch::bits).into(),
        }
    }

    /// Reads what the other has sealed.
    pub(crate) fn read(plain: &[u8]) -> Result<Self, Refusal> {
        Self::read_from_bytes(plain).map_err(|_other_size| Refusal::Garbage)
    }

    pub(super) fn epoch(&self) -> Epoch {
        Epoch::from_bits(self.epoch.get())
    }

    pub(super) fn counter(&self) -> u64 {
        self.counter.get()
    }

    pub(super) fn remembered(&self) -> Epoch {
        Epoch::from_bits(self.remembered.get())
    }
}
