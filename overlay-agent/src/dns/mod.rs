//! Names: what containers ask for, and what they are told.
//!
//! `zone` is what is known, `lookup` what a question means to whoever asks it, `wire` how both are written,
//! `desk` the way from a message to its reply, `upstream` other resolvers, `server` the sockets. Who is behind
//! an address is told by whoever implements [`Askers`]. Not here: where addresses and services come from.

mod counters;
mod desk;
mod lookup;
mod resolv_conf;
mod reverse;
mod server;
#[cfg(test)]
mod testing;
mod upstream;
mod wire;
mod zone;

pub use counters::{Counters, Figures};
pub use desk::{Askers, Desk};
pub use lookup::Asker;
pub use resolv_conf::ResolvConf;
pub use server::{Doors, serve};
pub use upstream::{Follower as ServersFollower, Servers};
pub use zone::{Endpoint, NetworkFacts, Side, Zone};
