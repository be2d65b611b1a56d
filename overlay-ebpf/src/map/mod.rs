//! The maps: one file each, with its declaration and the only way to reach it. The agent alone writes
//! them; the programs count, report, and remember flows.

pub(crate) mod config;
pub(crate) mod counter;
pub(crate) mod endpoint;
pub(crate) mod event;
pub(crate) mod flow;
pub(crate) mod interface;
pub(crate) mod network;
pub(crate) mod node;
pub(crate) mod peer;
pub(crate) mod route;
pub(crate) mod scratch;
pub(crate) mod service;
pub(crate) mod socket;
pub(crate) mod transit;
pub(crate) mod work;
