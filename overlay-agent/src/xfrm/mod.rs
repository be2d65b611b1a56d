//! What the nodes encrypt for each other: keys, who uses which of them when, and the kernel's xfrm states and
//! policies that follow.
//!
//! [`Schedule`] derives keys; [`Pair`] agrees with one other node on rounds, each side of which lives in the
//! kernel for as long as it is used; [`reconcile`] makes the kernel agree with all pairs. Nothing here knows how
//! the [`Word`]s of a pair get to the other node.

mod error;
#[cfg(test)]
mod fake;
mod keeper;
mod kernel;
mod monitor;
mod netlink;
mod pair;
mod probe;
mod reconcile;
mod schedule;
mod word;

pub use error::Error;
pub use keeper::{Identity, KeepError, Keeper, Standing, Surroundings, clear};
pub use kernel::{Direction, Kernel, Policy, PolicyKey, Protection, StateId, StateRow, StateWish};
pub use monitor::Monitor;
pub use netlink::XfrmSocket;
pub use pair::{Facts, Kept, Pair};
pub use probe::probe;
pub use reconcile::{Drift, Held, Outlook, Peer, reconcile};
pub use schedule::{Epoch, Material, Round, Schedule};
pub use word::{Stamp, Word};
