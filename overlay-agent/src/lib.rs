//! The agent and the command line of `overlay`.
//!
//! `cli → agent → {cluster, gossip, control, datapath, netlink, dns, api} → model`: nothing imports `agent` or `cli`, only
//! `datapath` knows the layout of maps, and `control` decides without doing.

#![forbid(unsafe_code)]

pub mod agent;
pub mod api;
pub mod cli;
pub mod cluster;
pub mod control;
pub mod datapath;
pub mod dns;
pub mod gossip;
pub mod model;
pub mod netlink;
pub mod settings;
pub mod xfrm;
