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
