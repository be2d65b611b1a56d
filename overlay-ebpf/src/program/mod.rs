//! One file per hook: what happens to a packet there, in the order in which it happens.

mod answer;
mod deliver;
mod encapsulate;
mod flow;
pub(crate) mod from_container;
pub(crate) mod from_host;
pub(crate) mod from_tunnel;
pub(crate) mod from_underlay;
pub(crate) mod mesh;
mod nat;
mod neighbour;
mod outlined;
mod outside;
mod refuse;
pub(crate) mod report;
mod service;
pub(crate) mod socket;
mod stand_in;
pub(crate) mod to_underlay;

use overlay_ebpf::frame::Frame;

use crate::context::Skb;

/// The packet that a program works on.
pub(crate) type TcFrame = Frame<Skb>;
