//! The service over real sockets.

mod hostile;
mod identities;
mod tokens;
mod watching;
