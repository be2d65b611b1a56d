//! The managers' state from outside: commands in, answers and views out.

mod authority;
mod histories;
mod leases;
mod networks;
mod nodes;
mod refusals;
mod requests;
mod services;
mod sharing;
mod views;
mod world;
