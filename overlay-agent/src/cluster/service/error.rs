//! Why a manager refused.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::model::chain;

/// What kind of refusal it is; decides the HTTP status and what the client does next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorKind {
    /// The request makes no sense: 400.
    Malformed,
    /// Nobody that we know asks: 401.
    Unauthenticated,
    /// Whoever asks may not: 403.
    Forbidden,
    /// It names something that is not there: 404.
    NotFound,
    /// It took too long to arrive: 408.
    TooSlow,
    /// It wants something that another has, or that is already so: 409.
    Conflict,
    /// It is too long: 413.
    TooLarge,
    /// Another manager decides this: 421.
    NotLeader,
    /// The manager failed: 500.
    Internal,
    /// No manager can decide now: 503. The same request may succeed later.
    Unavailable,
}

impl ErrorKind {
    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::TooSlow => 408,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::NotLeader => 421,
            Self::Internal => 500,
            Self::Unavailable => 503,
        }
    }

    /// What a status of a manager means.
    pub const fn from_status(status: u16) -> Self {
        match status {
            401 => Self::Unauthenticated,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            408 => Self::TooSlow,
            409 => Self::Conflict,
            413 => Self::TooLarge,
            421 => Self::NotLeader,
            503 => Self::Unavailable,
            400..=499 => Self::Malformed,
            _ => Self::Internal,
        }
    }
}

/// A refusal: what is wrong, and what to do.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{error}")]
pub struct ServiceError {
    /// What kind.
    pub kind: ErrorKind,
    /// What is wrong.
    pub error: String,
    /// What to do, where there is something to do.
    pub help: Option<String>,
    /// Who can decide, where that is known.
    pub leader: Option<SocketAddr>,
}

impl ServiceError {
    /// A refusal of a kind.
    pub fn new(kind: ErrorKind, error: impl Into<String>) -> Self {
        Self {
            kind,
            error: error.into(),
            help: None,
            leader: None,
        }
    }

    /// Another manager decides this, if it is known which.
    pub fn not_leader(leader: Option<SocketAddr>) -> Self {
        Self {
            leader,
            ..Self::new(ErrorKind::NotLeader, "this manager is not the leader")
        }
    }

    /// No manager can decide now.
    pub fn unavailable(error: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, error)
    }

    /// A failure of the manager, told with all its causes.
    pub fn internal(failure: &(dyn std::error::Error + 'static)) -> Self {
        Self::new(ErrorKind::Internal, chain(failure))
    }

    /// The same with a way out.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The body of a refusal.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cluster) struct ErrorBody {
    pub(in crate::cluster) error: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cluster) help: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cluster) leader: Option<SocketAddr>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_survive_their_status() {
        for kind in [
            ErrorKind::Malformed,
            ErrorKind::Unauthenticated,
            ErrorKind::Forbidden,
            ErrorKind::NotFound,
            ErrorKind::TooSlow,
            ErrorKind::Conflict,
            ErrorKind::TooLarge,
            ErrorKind::NotLeader,
            ErrorKind::Internal,
            ErrorKind::Unavailable,
        ] {
            assert_eq!(ErrorKind::from_status(kind.status()), kind);
        }
    }
}
