//! What the kernel and the user side of `overlay` share: keys and values of maps, the numbers of
//! reasons and walks, and the records of events. No behaviour beyond conversion lives here.
//!
//! Map types have natural alignment and spell their padding out; addresses and other values copied
//! from packets are big-endian byte arrays, so that no integer has a byte order to guess.

#![cfg_attr(not(test), no_std)]

mod shared;

pub mod abi;
pub mod address;
pub mod config;
pub mod encryption;
pub mod endpoint;
pub mod event;
pub mod flow;
pub mod interface;
pub mod network;
pub mod node;
pub mod peer;
pub mod reason;
pub mod route;
pub mod service;
pub mod socket;
pub mod walk;
