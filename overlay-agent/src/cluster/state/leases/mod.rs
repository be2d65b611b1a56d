//! Which node has which addresses of a network.

mod book;
mod commands;
mod free_space;
pub mod policy;

pub(super) use book::{Holding, LeaseBook};
