//! One file per hook: what happens to a packet there, in the order in which it happens.

mod answer;
mod deliver;
mod encapsulate;
pub(crate) mod from_container;
pub(crate) mod from_tunnel;
pub(crate) mod from_underlay;
mod neighbour;
pub(crate) mod report;
pub(crate) mod socket;

use overlay_ebpf::frame::Frame;

use crate::context::Skb;

/// The packet that a program works on.
pub(crate) type TcFrame = Frame<Skb>;
