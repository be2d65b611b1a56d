//! What the nodes tell each other: who is there, and which endpoints each has.
//!
//! [`core`] decides and knows neither sockets nor clocks; `seal` protects what is said, `transport`
//! carries it, and `service` is the task in which they meet. The rest of the agent holds a
//! [`GossipHandle`].

pub mod core;
mod host;
mod seal;
mod service;
mod transport;

pub use self::{
    core::{Changes, ClaimError, Pace},
    seal::Refusals,
    service::{
        Aside, ClaimRefused, GossipCounters, GossipHandle, GossipService, GossipSettings, Known,
        NodeState, Stopped, Update, Visit, next_epoch,
    },
    transport::{DatagramCounters, Limits, ListenError, StreamCounters},
};
