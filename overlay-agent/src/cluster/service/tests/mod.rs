//! The service over real sockets.

mod fuzz;
mod hostile;
mod identities;
mod tokens;
mod watching;
