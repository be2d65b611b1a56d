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
    /// From a container to a VIP, and on to a task.
    Balanced = 20,
    /// A task's answer, delivered as the VIP's.
    BalancedAnswer = 21,
    /// A TCP connection to a VIP refused or ended with a reset.
    Reset = 22,
    /// A packet to a VIP refused with an ICMP error.
    Unreachable = 23,
    /// From a container to the host or through it.
    Outside = 28,
    /// From the host, or through it, to a container.
    FromOutside = 29,
    /// Time exceeded sent to a container, whose packet had no hop left for the way out.
    HopsTold = 30,
    /// From a client outside to a task of this node that was asked.
    Published = 34,
    /// From a client outside to the node of a task.
    MeshSent = 35,
    /// From a client of another node to a task of this one.
    MeshDelivered = 36,
    /// A task's answer to the node that the client asked.
    MeshAnswered = 37,
    /// A task's answer straight to the client.
    PublishedAnswer = 38,
    /// The answer of another node's task to the client.
    MeshReturned = 39,
    /// A connection that its socket led to a task, instead of every packet of it.
    SocketConnected = 44,
    /// A datagram of a socket without a connection that was led to a task.
    SocketSent = 45,
    /// A socket of the host that was led to a published port's task.
    SocketPublished = 46,
    /// A question to 127.0.0.11 that was led to the node's name server.
    SocketNamed = 47,
    /// Handed to the vxlan device, to be encrypted.
    Encrypted = 50,
    /// Decrypted, and decapsulated by the vxlan device.
    Decrypted = 51,
}

impl Walk {
    /// Every walk, in the order of its number.
    pub const ALL: [Self; 29] = [
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
        Self::Balanced,
        Self::BalancedAnswer,
        Self::Reset,
        Self::Unreachable,
        Self::Outside,
        Self::FromOutside,
        Self::HopsTold,
        Self::Published,
        Self::MeshSent,
        Self::MeshDelivered,
        Self::MeshAnswered,
        Self::PublishedAnswer,
        Self::MeshReturned,
        Self::SocketConnected,
        Self::SocketSent,
        Self::SocketPublished,
        Self::SocketNamed,
        Self::Encrypted,
        Self::Decrypted,
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
            Self::Balanced => "balanced",
            Self::BalancedAnswer => "balanced-answer",
            Self::Reset => "reset",
            Self::Unreachable => "unreachable",
            Self::Outside => "outside",
            Self::FromOutside => "from-outside",
            Self::HopsTold => "hops-told",
            Self::Published => "published",
            Self::MeshSent => "mesh-sent",
            Self::MeshDelivered => "mesh-delivered",
            Self::MeshAnswered => "mesh-answered",
            Self::PublishedAnswer => "published-answer",
            Self::MeshReturned => "mesh-returned",
            Self::Encrypted => "encrypted",
            Self::Decrypted => "decrypted",
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
