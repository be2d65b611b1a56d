//! This node as a part of a swarm: following what managers and gossip say, and telling them what is
//! here.

mod addresses;
mod disk;
mod encryption;
#[cfg(test)]
mod fake;
mod follower;
mod handle;
mod idle;
mod life;
mod managers;
mod member;
mod parts;
mod ports;
mod relay;
mod renewal;
mod tasks;
mod tenancy;
#[cfg(test)]
mod tests;
mod watcher;

pub(super) use disk::Disk;
pub use disk::DiskError;
pub(super) use encryption::remove_xfrm;
pub(super) use follower::{Follower, News};
pub(super) use handle::Handle;
pub(super) use life::Life;
pub(super) use managers::refused;
pub(super) use member::Access;
pub use member::MemberError;
pub(super) use ports::{Announce, Leases};
pub use renewal::RenewError;
