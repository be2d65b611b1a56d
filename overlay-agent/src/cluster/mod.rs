//! Managers: the cluster's state, kept by consensus, and how nodes come by it.

pub mod client;
pub mod consensus;
pub mod manager;
pub mod pki;
pub mod service;
pub mod state;
