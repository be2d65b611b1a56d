//! Managers: the cluster's state, kept by consensus, and how nodes come by it.

pub mod state;
pub mod pki;
pub mod consensus;
pub mod client;
pub mod pki;
pub mod service;
