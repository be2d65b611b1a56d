//! Which way a packet took. The numbers are an ABI: append only, never reuse.

use crate::shared::shared;

/// The ways through the data plane that end well.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Walk {
    /// From container to container on this node.
    Local = 1,
    /// Encapsulated by the program.
    Encapsulated = 2,
    /// Handed to the vxlan device because the peer's mode says so.
    Device = 3,
    /// Handed to the vxlan device although the peer is native: the kernel must fragment it.
    Fallback = 4,
    /// Decapsulated by the program.
    Decapsulated = 5,
    /// Decapsulated by the vxlan device.
    Tunnelled = 6,
    /// An ARP question answered by the program.
    ArpAnswered = 7,
    /// A neighbour solicitation answered by the program.
    NeighbourAnswered = 8,
    /// Fragmentation-needed or packet-too-big sent to a container.
    MtuTold = 9,
    /// VXLAN for this node left to the kernel's own path: outer fragments, IP options.
    LeftToKernel = 10,
    /// A connection that its socket led to a task, instead of every packet of it.
    SocketConnected = 44,
    /// A datagram of a socket without a connection that was led to a task.
    SocketSent = 45,
    /// A socket of the host that was led to a published port's task.
    SocketPublished = 46,
    /// A question to 127.0.0.11 that was led to the node's name server.
    SocketNamed = 47,
}

impl Walk {
    /// Every walk, in the order of its number.
    pub const ALL: [Self; 14] = [
        Self::Local,
        Self::Encapsulated,
        Self::Device,
        Self::Fallback,
        Self::Decapsulated,
        Self::Tunnelled,
        Self::ArpAnswered,
        Self::NeighbourAnswered,
        Self::MtuTold,
        Self::LeftToKernel,
        Self::SocketConnected,
        Self::SocketSent,
        Self::SocketPublished,
        Self::SocketNamed,
    ];

    /// The name that commands and metrics print.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Encapsulated => "encapsulated",
            Self::Device => "device",
            Self::Fallback => "fallback",
            Self::Decapsulated => "decapsulated",
            Self::Tunnelled => "tunnelled",
            Self::ArpAnswered => "arp-answered",
            Self::NeighbourAnswered => "neighbour-answered",
            Self::MtuTold => "mtu-told",
            Self::LeftToKernel => "left-to-kernel",
            Self::SocketConnected => "socket-connected",
            Self::SocketSent => "socket-sent",
            Self::SocketPublished => "socket-published",
            Self::SocketNamed => "socket-named",
        }
    }
}

/// Entries of the per-CPU counter array: room for walks to come.
pub const WALK_CAPACITY: u32 = 64;

shared! {
    /// One CPU's counter of a reason or a walk.
    pub struct Count [16] {
        /// Packets, or sockets; an aggregate of several segments counts once.
        pub packets: u64,
        /// Bytes as the packet entered the program, Ethernet header included; none for sockets.
        pub bytes: u64,
    }
}
