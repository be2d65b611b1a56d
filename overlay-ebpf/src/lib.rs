//! The pure part of the data plane: headers, decisions and the bytes that are written, without any
//! call into the kernel. It compiles for the host too, where its tests run.
//!
//! The programs, their maps and the kernel's context live in the binary of this package.

#![cfg_attr(not(test), no_std)]

pub mod admission;
pub mod answer;
pub mod arrival;
pub mod checksum;
pub mod cover;
pub mod departure;
pub mod ecn;
pub mod entropy;
pub mod flow;
pub mod frame;
pub mod header;
pub mod hops;
pub mod mesh;
pub mod outer;
pub mod path_mtu;
pub mod quote;
pub mod refusal;
pub mod sctp;
pub mod socket;
pub mod transport;
pub mod verdict;
pub mod way_out;
