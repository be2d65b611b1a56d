//! Virtual addresses, published ports, and the backends behind them.

use crate::{address::Address, shared::shared};

/// Slots in one entry of `RING`.
pub const SLOTS: usize = 32;

shared! {
    /// A part of `RING`, in which each slot holds a backend's number. A flow's hash chooses the slot
    /// (Maglev: Eisenbud et al., NSDI 2016, 3.4).
    pub struct Ring [8] {
        /// Number of the first slot, a multiple of [`SLOTS`]; of a ring with [`RING_SINGLE`] slots its backend.
        pub first: u32,
        /// Slots; 0 if there is no backend for new flows.
        pub size: u32,
    }

    /// Value of `RING`: so many slots at once, because a ring has hundreds and each write is a system call.
    pub struct Slots [128] {
        /// Backends' numbers; 0: none.
        pub backends: [u32; SLOTS],
    }

    /// Value, keyed by the VIP's `EndpointKey`.
    pub struct Vip [16] {
        /// Backends for new flows.
        pub ring: Ring,
        /// Number of the service, given by the agent, never 0.
        pub service: u32,
        /// Zero.
        pub _reserved: u32,
    }

    /// Key: a port that this node answers from outside.
    pub struct PortKey [24] {
        /// The only address of this node at which it is answered, or [`EVERY_IPV4`] or [`EVERY_IPV6`]: a
        /// backend has one address, so the clients of each family have an entry of their own.
        pub address: Address,
        /// The port, big-endian.
        pub port: [u8; 2],
        /// IP protocol: 6, 17 or 132.
        pub protocol: u8,
        /// Zero.
        pub _reserved: [u8; 5],
    }

    /// Value: what answers at a published port.
    pub struct PublishedPort [32] {
        /// Backends on all nodes.
        pub everywhere: Ring,
        /// Those on this node.
        pub here: Ring,
        /// Number of the service.
        pub service: u32,
        /// The network in which the backends' addresses are.
        pub vni: u32,
        /// Port of the backends, big-endian.
        pub target: [u8; 2],
        /// `PORT_` flags.
        pub flags: u16,
        /// Zero.
        pub _reserved: u32,
    }

    /// Value, keyed by a backend's number (`u32`, given by the agent, never 0, never used again): a task
    /// that may still be sent packets. Flows to a number that is not there are dead.
    pub struct Backend [32] {
        /// The task's address.
        pub address: Address,
        /// The network in which it is.
        pub vni: u32,
        /// Key into `PEER`, or 0 for this node.
        pub peer: u32,
        /// Number of the service.
        pub service: u32,
        /// Zero.
        pub _reserved: u32,
    }
}

/// [`Ring::size`] of a ring that has one backend and takes no slot.
pub const RING_SINGLE: u32 = u32::MAX;

/// [`PortKey::address`]: every IPv4 address of this node.
pub const EVERY_IPV4: Address = Address::from_v4([0; 4]);
/// [`PortKey::address`]: every IPv6 address of this node.
pub const EVERY_IPV6: Address = Address::UNSPECIFIED;

/// [`PublishedPort::flags`]: the backend's node answers the client itself, not through the node that the client
/// asked.
pub const PORT_DIRECT_RETURN: u16 = 1;
/// [`PublishedPort::flags`]: only backends of this node answer.
pub const PORT_HOST: u16 = 2;
/// [`PublishedPort::flags`]: what nodes send each other of it is encrypted.
pub const PORT_ENCRYPTED: u16 = 4;

impl Ring {
    /// Where the slot that a hash chooses is: the entry of `RING`, and the place in it.
    #[inline(always)]
    pub const fn slot(self, hash: u32) -> Option<(u32, usize)> {
        if self.size == 0 {
            return None;
        }
        let slot = self.first.wrapping_add(hash % self.size);
        Some((slot / SLOTS as u32, slot as usize % SLOTS))
    }
}
