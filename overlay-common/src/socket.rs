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

    /// Value, keyed by a socket's cookie (`u64`): what its owner believes it talks to.
    pub struct Believed [32] {
        /// The VIP, or the node's address.
        pub address: Address,
        /// Key into `BACKEND`.
        pub backend: u32,
        /// The port, as it stands on the wire.
        pub port: [u8; 2],
        /// The backend's port, as it stands on the wire.
        pub backend_port: [u8; 2],
        /// Number of the service.
        pub service: u32,
        /// Zero.
        pub _reserved: u32,
    }
}

/// [`Namespace::flags`]: it is the host's own.
pub const NAMESPACE_HOST: u32 = 1;
