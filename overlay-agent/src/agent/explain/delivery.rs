//! The last step, into a container of this node, which both walks may end with.

use super::steps::Steps;
use crate::{model::EndpointEntry, netlink::Socket};

/// Looks at the interface behind an endpoint; returns whether it takes the packet. `way` begins what is
/// said if it does.
pub(super) fn explain(entry: &EndpointEntry, way: &str, steps: &mut Steps) -> bool {
    let link = Socket::open().and_then(|mut socket| socket.link_by_index(entry.ifindex));
    match link {
        Ok(link) if link.is_up() && link.has_carrier => {
            steps.pass("delivery", format!("{way} {} to {}", link.name, entry.mac));
            true
        }
        Ok(link) => steps.stop(
            "delivery",
            format!(
                "an end of {} is down; switch the container's interface on",
                link.name
            ),
        ),
        Err(_gone) => steps.stop(
            "delivery",
            format!(
                "interface {} is gone; `overlay audit` takes the endpoint away",
                entry.ifindex
            ),
        ),
    }
}
