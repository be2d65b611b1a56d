//! This node as a part of a swarm: following what managers and gossip say, and telling them what is
//! here.

#[cfg(test)]
mod fake;
mod follower;
mod handle;
mod idle;
mod ports;
#[cfg(test)]
mod tests;

pub(super) use follower::{Follower, News};
pub(super) use handle::Handle;
pub(super) use ports::{Announce, Leases};

use crate::api::ApiError;

/// The answer to all that takes a swarm.
pub(super) fn not_in_a_swarm() -> ApiError {
    ApiError::conflict("this node is not part of a swarm").with_help(
        "use `overlay swarm init` or `overlay swarm join` to connect this node to a swarm, and try again",
    )
}
