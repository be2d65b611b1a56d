//! The store alone.

mod conformance;
mod crash;
mod refusals;
