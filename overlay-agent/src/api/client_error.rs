//! Why a command got no answer.

use std::{io, path::PathBuf, time::Duration};

use super::ApiError;

/// No answer, or a refusal.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens on the socket.
    #[error("no agent answers on {}", socket.display())]
    NotRunning {
        /// The agent's run directory.
        run_dir: PathBuf,
        /// The socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The socket belongs to root.
    #[error("not allowed to use {}", socket.display())]
    NotAllowed {
        /// The socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The socket cannot be used.
    #[error("connect to the agent on {}", socket.display())]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The agent took too long.
    #[error("the agent on {} did not answer within {} s", socket.display(), patience.as_secs())]
    TimedOut {
        /// The socket.
        socket: PathBuf,
        /// How long was waited.
        patience: Duration,
    },
    /// The connection ended early.
    #[error("the agent on {} broke off; whether it did what it was asked is unknown", socket.display())]
    Broken {
        /// The socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: hyper::Error,
    },
    /// The answer is not what this version expects.
    #[error("the agent on {} answered something else than expected", socket.display())]
    NotUnderstood {
        /// The socket.
        socket: PathBuf,
        /// What is odd about it.
        #[source]
        source: serde_json::Error,
    },
    /// BUG: a request that HTTP cannot carry was made.
    #[error("BUG: the request cannot be written")]
    Request {
        /// Why.
        #[source]
        source: hyper::http::Error,
    },
    /// The agent answered that it will not or cannot.
    #[error(transparent)]
    Refused(#[from] ApiError),
}

impl ClientError {
    /// What to do.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NotRunning { run_dir, .. } => Some(format!(
                "start it with `overlay-agent --run-dir {}`, or name the run directory of a running \
                 one with --run-dir",
                run_dir.display()
            )),
            Self::NotAllowed { .. } => Some("run this command as root".to_owned()),
            Self::TimedOut { .. } | Self::Broken { .. } => {
                Some("look at the agent's log".to_owned())
            }
            Self::NotUnderstood { .. } => {
                Some("use an `overlay` of the same version as the agent".to_owned())
            }
            Self::Refused(refusal) => refusal.help.clone(),
            Self::Connect { .. } | Self::Request { .. } => None,
        }
    }
}
