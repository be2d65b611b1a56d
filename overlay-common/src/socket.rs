//! What the socket hooks know of containers and sockets.

use crate::{address::Address, shared::shared};

/// Networks that one namespace may be in and still have its sockets balanced.
pub const NAMESPACE_NETWORKS: usize = 14;

shared! {
    /// Value, keyed by a network namespace's cookie (`u64`).
    pub struct Namespace [64] {
        /// VNIs of its networks, the first `count` are valid.
        pub vnis: [u32; NAMESPACE_NETWORKS],
        /// How many.
        pub count: u32,
        /// `NAMESPACE_` flags.
        pub flags: u32,
    }

    /// Key: a socket, and whom it really talks to. One that is not connected talks to several.
    pub struct BelievedKey [32] {
        /// The socket's cookie.
        pub socket: u64,
        /// The address of whom it talks to.
        pub address: Address,
        /// The port, as it stands on the wire.
        pub port: [u8; 2],
        /// Zero.
        pub _reserved: [u8; 6],
    }

    /// Value: whom the socket's owner believes it talks to.
    pub struct Believed [24] {
        /// The VIP, or the address that the owner gave.
        pub address: Address,
        /// Key into `BACKEND`, or 0.
        pub backend: u32,
        /// The port that the owner gave, as it stands on the wire.
        pub port: [u8; 2],
        /// Zero.
        pub _reserved: [u8; 2],
    }
}

/// [`Namespace::flags`]: it is the host's own.
pub const NAMESPACE_HOST: u32 = 1;

impl BelievedKey {
    /// The key of a socket and whom it talks to.
    #[inline(always)]
    pub const fn new(socket: u64, address: Address, port: [u8; 2]) -> Self {
        Self {
            socket,
            address,
            port,
            _reserved: [0; 6],
        }
    }
}
