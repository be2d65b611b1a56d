//! What a program decides about a packet.

use overlay_common::{address::Address, peer::Peer, walk::Walk};

/// Where a packet goes. Every way out of a program is one of these or a
/// [`Reason`](overlay_common::reason::Reason) to drop it.
#[must_use]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Not ours: the next program, then the kernel.
    Pass,
    /// Ours, but the kernel's own path does it; counted.
    Leave(Walk),
    /// Out of a device as it is.
    Redirect {
        /// The device.
        ifindex: u32,
        /// How it is counted.
        walk: Walk,
    },
    /// Into the container behind a host-side veth.
    RedirectPeer {
        /// The host end.
        ifindex: u32,
        /// How it is counted.
        walk: Walk,
    },
    /// Out of the underlay, with the Ethernet header of the next hop.
    RedirectNeighbour {
        /// The underlay device.
        ifindex: u32,
        /// The next hop, or `::` to let the kernel look the route up.
        next_hop: Address,
        /// How it is counted.
        walk: Walk,
    },
}

impl Verdict {
    /// Over the underlay to a peer.
    #[inline(always)]
    pub fn to_peer(peer: &Peer) -> Self {
        Self::RedirectNeighbour {
            ifindex: peer.ifindex,
            next_hop: peer.next_hop,
            walk: Walk::Encapsulated,
        }
    }

    /// The same way, counted as another walk.
    #[inline(always)]
    pub fn counted_as(self, walk: Walk) -> Self {
        match self {
            Self::Pass => Self::Pass,
            Self::Leave(_) => Self::Leave(walk),
            Self::Redirect { ifindex, .. } => Self::Redirect { ifindex, walk },
            Self::RedirectPeer { ifindex, .. } => Self::RedirectPeer { ifindex, walk },
            Self::RedirectNeighbour {
                ifindex, next_hop, ..
            } => Self::RedirectNeighbour {
                ifindex,
                next_hop,
                walk,
            },
        }
    }
}
