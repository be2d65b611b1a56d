//! How commands talk to the agent: HTTP/1.1 and JSON over a unix socket.
//!
//! `types` is what travels, [`Backend`] what the agent does about it; `server` and `client` carry one
//! to the other.

mod backend;
pub mod client;
mod client_error;
mod cluster_backend;
mod connection;
mod error;
mod event_lines;
#[cfg(test)]
pub(crate) mod fake;
mod listener;
pub mod refusals;
pub mod server;
mod service_backend;
#[cfg(test)]
mod tests;
pub mod types;

use std::path::{Path, PathBuf};

pub use backend::Backend;
pub use client::Client;
pub use client_error::ClientError;
pub use cluster_backend::ClusterBackend;
pub use error::{ApiError, ErrorKind};
pub use listener::{ListenError, Listener};
pub use service_backend::ServiceBackend;

/// The agent's socket below its run directory.
pub fn socket_path(run_dir: &Path) -> PathBuf {
    run_dir.join("agent.sock")
}
