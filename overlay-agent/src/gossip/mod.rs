//! What the nodes tell each other: who is there, and which endpoints each has.

mod host;
mod seal;
mod transport;

pub use self::{
    seal::Refused,
    transport::{DatagramCounters, Limits, ListenError, StreamCounters},
};
