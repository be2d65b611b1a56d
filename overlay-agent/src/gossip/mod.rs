//! What the nodes tell each other: who is there, and which endpoints each has.
//!
//! [`core`] decides and knows neither sockets nor clocks.

pub mod core;
