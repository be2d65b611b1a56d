//! The last step into a container of this node.

use overlay_common::{
    endpoint::{Endpoint, EndpointKey},
    reason::Reason,
    walk::Walk,
};
use overlay_ebpf::{header::Ethernet, verdict::Verdict};

use super::TcFrame;
use crate::map;

/// The container for which a peer's packet or question is; no other node answers for it.
#[inline(always)]
pub(super) fn endpoint(key: &EndpointKey) -> Result<&'static Endpoint, Reason> {
    match map::endpoint::get(key) {
        Some(endpoint) => Ok(endpoint),
        None if map::network::get(key.vni).is_some() => Err(Reason::NoEndpoint),
        None => Err(Reason::UnknownNetwork),
    }
}

/// Hands a bare frame to the container, addressed to its own Ethernet address.
#[inline(always)]
pub(super) fn into_container(
    frame: &mut TcFrame,
    endpoint: &Endpoint,
    walk: Walk,
) -> Result<Verdict, Reason> {
    // A write would copy the head of a packet that its sender still holds, so it is made only when the
    // sender's neighbour table is stale.
    if frame.header::<Ethernet>(0)?.destination != endpoint.mac {
        frame.0.store(0, &endpoint.mac)?;
    }
    Ok(hand_over(frame, endpoint, walk))
}

/// Hands a frame that is addressed already to the container.
#[inline(always)]
pub(super) fn hand_over(frame: &mut TcFrame, endpoint: &Endpoint, walk: Walk) -> Verdict {
    frame.0.claim();
    Verdict::RedirectPeer {
        ifindex: endpoint.ifindex,
        walk,
    }
}
